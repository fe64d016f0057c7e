"""The frozen TensorFlow graph as ONNX, by tf2onnx, with the repairs its output needs.

Imports TensorFlow. Source: github.com/onnx/tensorflow-onnx.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import ConversionError
from edgekit.exporters import onnx_file
from edgekit.exporters.tracing import Trace


def frozen_to_onnx(folder: Path, opset: int) -> Any:
    """Convert a trace.

    Args:
        folder: A trace (`edgekit.exporters.tracing`).
        opset: ONNX operator set to write.

    Returns:
        The `ModelProto`, with the model's own input and output names.

    Raises:
        ConversionError: An operator without an ONNX counterpart; the message names it.
    """
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from tf2onnx import convert

    _register_erfc()
    trace = Trace.read(folder)
    inputs = [f"{spec.name}:0" for spec in trace.inputs]
    graph = _with_clips(_without_computed_biases(trace.graph_def()), trace.output_tensors)
    graph = _without_scalar_constants(graph)
    try:
        model, _ = convert.from_graph_def(
            graph, input_names=inputs, output_names=list(trace.output_tensors), opset=opset
        )
    except Exception as error:
        line = next((text for text in str(error).splitlines() if text.strip()), "")
        raise ConversionError(f"tf2onnx failed: {type(error).__name__}: {line[:300]}") from error
    names = dict(zip(inputs, [spec.name for spec in trace.inputs], strict=True))
    names |= dict(zip(trace.output_tensors, trace.outputs, strict=True))
    onnx_file.rename(model, names)
    onnx_file.canonicalize(model)
    onnx_file.fix_output_shapes(model, dict(zip(trace.outputs, trace.output_shapes, strict=True)))
    return model


def _register_erfc() -> None:
    """tf2onnx has no Erfc, which exact GELU is made of: erfc(x) = 1 − erf(x).

    GELU asks for erfc(−c·x), which is 1 + erf(c·x): two operators fewer, and a sum has an 8-bit
    form in ONNX Runtime where a negation and a difference have none.
    """
    import numpy as np
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            dtype, shape = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0])
            plain = _negated(node.inputs[0])
            source = node.input[0]
            if plain:
                source = ctx.make_node("Mul", plain, shapes=[shape], dtypes=[dtype]).output[0]
            erf = ctx.make_node("Erf", [source], shapes=[shape], dtypes=[dtype])
            one = ctx.make_const(f"{node.name}_one", np.array([1.0], np.float32))
            ctx.remove_node(node.name)
            ctx.make_node(
                "Add" if plain else "Sub",
                [one.output[0], erf.output[0]],
                name=node.name,
                outputs=node.output,
                shapes=[shape],
                dtypes=[dtype],
            )


def _negated(node: Any) -> list[str]:
    """The factors of a product without the negation of one of them; none where there is none."""
    if node.type == "Mul":
        for place in (0, 1):
            if node.inputs[place].type == "Neg":
                return [node.inputs[place].input[0], node.input[1 - place]]
    return []


def _without_computed_biases(graph: Any) -> Any:
    """Biases that are no constants as sums, which they are.

    Keras adds a vector to a picture as a bias, whatever it comes from; behind a convolution with a
    bias of its own, tf2onnx makes of the two a convolution of four inputs, which there is not.
    """
    constants = {node.name for node in graph.node if node.op == "Const"}
    for node in graph.node:
        computed = node.op == "BiasAdd" and node.input[1].removesuffix(":0") not in constants
        if computed and node.attr["data_format"].s in (b"", b"NHWC"):
            node.op = "AddV2"  # over the last axis, as a bias
            del node.attr["data_format"]
    return graph


def _with_clips(graph: Any, outputs: Sequence[str]) -> Any:
    """The larger of a number and the smaller of x and another one, as one node.

    TensorFlow writes clipping as these two. ONNX Runtime joins a Clip with the convolution before
    it, or with the grid behind it; for Min and Max it has no 8-bit form.
    """
    from tensorflow import make_ndarray

    nodes = {node.name: node for node in graph.node}
    read = [*outputs, *(name for node in graph.node for name in node.input)]
    readers = Counter(name.lstrip("^").partition(":")[0] for name in read)

    def scalar(name: str) -> float | None:
        node = nodes.get(name.removesuffix(":0"))
        if node is None or node.op != "Const" or node.attr["value"].tensor.tensor_shape.dim:
            return None
        return float(make_ndarray(node.attr["value"].tensor))

    joined = set()
    for node in graph.node:
        if node.op != "Maximum" or (low := scalar(node.input[1])) is None:
            continue
        inner = nodes.get(node.input[0].removesuffix(":0"))
        if inner is None or inner.op != "Minimum" or readers[inner.name] != 1:
            continue
        high = scalar(inner.input[1])
        if high is not None and low <= high:
            node.op = "ClipByValue"
            node.input[:] = [inner.input[0], node.input[1], inner.input[1]]
            joined.add(inner.name)
    kept = [node for node in graph.node if node.name not in joined]
    del graph.node[:]
    graph.node.extend(kept)
    return graph


_BROADCASTING = ("Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum")


def _without_scalar_constants(graph: Any) -> Any:
    """Scalar operands of elementwise nodes as one-element vectors.

    tf2onnx's transpose optimizer trips on scalars and leaves its transposes in the graph (108 in
    MobileNetV3, 1 without scalars). The result keeps its shape: the other operand has axes.
    """
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    scalars = {
        node.name: node
        for node in graph.node
        if node.op == "Const"
        and node.attr["value"].tensor.dtype == types_pb2.DT_FLOAT
        and not node.attr["value"].tensor.tensor_shape.dim
    }
    with tf.Graph().as_default() as shaped:
        tf.import_graph_def(graph, name="")
    for name, node in scalars.items():
        users = shaped.get_operation_by_name(name).outputs[0].consumers()
        if users and all(_has_axes(user) for user in users):
            node.attr["value"].tensor.tensor_shape.dim.add().size = 1
    return graph


def _has_axes(operation: Any) -> bool:
    return operation.type in _BROADCASTING and bool(operation.outputs[0].shape.rank)
