"""The one trace and the one freeze that serve every target.

Turns a Keras model (or a SavedModel's signature) into a frozen GraphDef with a fixed batch of one,
on disk. Knows TensorFlow graphs. Does not know any target format.

Folder layout: `graph.pb` (frozen, the model's own input dtypes) and `trace.json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError, ModelError
from edgekit.exporters.cost import multiply_adds
from edgekit.files import canonical_json
from edgekit.loading import (
    in_float32,
    packed_inputs,
    sample_shape,
    unroll_recurrent,
    without_jit_compile,
)
from edgekit.spec import InputSpec, ModelSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Longer sequences stay loops: a step of an LSTM is about 20 nodes.
UNROLL_LIMIT = 256

# Predictions of the source model on a batch: list of inputs [B, ...] → list of outputs [B, ...].
Reference = Callable[[list[Any]], list[Any]]


@dataclass(frozen=True, slots=True)
class Trace:
    """A frozen model on disk.

    Attributes:
        folder: Holds `graph.pb` and `trace.json`.
        inputs: Specification of each input; the placeholder of each is `<name>:0`.
        outputs: Names given to the outputs.
        output_tensors: Tensor in the graph for each output.
        output_shapes: Shape of each output, batch axis included.
        unrolled: Names of recurrent layers that were unrolled.
        cost: "parameters" and "multiply_adds" of one sample.
    """

    folder: Path
    inputs: tuple[InputSpec, ...]
    outputs: tuple[str, ...]
    output_tensors: tuple[str, ...]
    output_shapes: tuple[tuple[int, ...], ...]
    unrolled: tuple[str, ...] = ()
    cost: Mapping[str, int] = field(default_factory=dict)

    def graph_def(self) -> Any:
        """The frozen `GraphDef`, with the model's own input dtypes."""
        from tensorflow.core.framework import graph_pb2

        graph = graph_pb2.GraphDef()
        graph.ParseFromString((self.folder / "graph.pb").read_bytes())
        return graph

    def float_graph_def(self) -> Any:
        """The same graph with integer image inputs turned into float32 of the same values.

        Quantizers calibrate float inputs only. An 8-bit input whose every use is a cast to float
        becomes a float placeholder, and the cast an Identity.
        """
        graph = self.graph_def()
        for spec in self.inputs:
            if spec.dtype in ("uint8", "int8"):
                _make_float(graph, spec.name)
        return graph

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": list(self.outputs),
            "output_tensors": list(self.output_tensors),
            "output_shapes": [list(shape) for shape in self.output_shapes],
            "unrolled": list(self.unrolled),
            "cost": dict(self.cost),
        }

    @staticmethod
    def read(folder: Path) -> Trace:
        """Read what `trace_model` wrote."""
        data = json.loads((folder / "trace.json").read_text(encoding="utf-8"))
        return Trace(
            folder=folder,
            inputs=tuple(InputSpec.from_json(entry) for entry in data["inputs"]),
            outputs=tuple(data["outputs"]),
            output_tensors=tuple(data["output_tensors"]),
            output_shapes=tuple(tuple(shape) for shape in data["output_shapes"]),
            unrolled=tuple(data["unrolled"]),
            cost=data["cost"],
        )


def trace_model(
    model: Any,
    folder: Path,
    *,
    spec: ModelSpec | None = None,
    input_shape: tuple[int, ...] | None = None,
    input_range: tuple[float, float] | None = None,
) -> tuple[Trace, Reference]:
    """Trace once, freeze once, write both to `folder`.

    Args:
        model: A `keras.Model`, or a SavedModel's signature.
        folder: Where `graph.pb` and `trace.json` go.
        spec: Names and ranges of inputs and output; None for a model without `model.toml`.
        input_shape: Fixes a model whose only input leaves axes open; without the batch axis.
        input_range: Range of values a float image input expects.

    Returns:
        The trace, and the source model as a function on batches.

    Raises:
        ModelError: An input without a fixed shape.
        ConversionError: The model does not trace, or freezing left variables behind.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    unrolled: list[str] = []
    if hasattr(model, "structured_input_signature"):
        call, inputs, names = _signature(model, input_shape, input_range)
        reference_call = call
        batch = next(iter(model.structured_input_signature[1].values())).shape[0]
        parameters = sum(math.prod(v.shape) for v in model.variables)
    else:
        model = in_float32(model)
        parameters = model.count_params()
        inputs, names = _keras_interface(model, spec, input_shape, input_range)
        reference_call = _keras_call(model)
        batch = model.inputs[0].shape[0]
        flat, unrolled = unroll_recurrent(model, UNROLL_LIMIT)
        call = _keras_call(flat)

    def serving(*tensors: Any) -> dict[str, Any]:
        # Sorted names would reorder outputs; numbered keys keep their order.
        return {f"{i:03d}": value for i, value in enumerate(call(list(tensors)))}

    signature = [
        tf.TensorSpec((1, *entry.shape), tf.as_dtype(entry.dtype), name=entry.name)
        for entry in inputs
    ]
    try:
        with without_jit_compile():
            concrete = tf.function(serving).get_concrete_function(*signature)
        # Lowered control flow (Switch, Merge) is what no converter reads.
        frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    except Exception as error:
        # AutoGraph puts the reason last, below the frames it went through.
        reason = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConversionError(
            "the model does not trace with a batch of one: "
            f"{type(error).__name__}: {reason[-1][:300] if reason else ''}"
        ) from error
    graph = frozen.graph.as_graph_def()
    left = sorted({node.op for node in graph.node if "ReadVariable" in node.op})
    if left:
        raise ConversionError(f"freezing left variables in the graph: {', '.join(left)}")
    _clear_debug_info(graph)
    tensors = [tensor.name for tensor in frozen.outputs]
    if len(names) != len(tensors):
        names = [f"output_{i}" for i in range(len(tensors))]
    trace = Trace(
        folder=folder,
        inputs=tuple(inputs),
        outputs=tuple(names),
        output_tensors=tuple(tensors),
        output_shapes=tuple(tuple(tensor.shape.as_list()) for tensor in frozen.outputs),
        unrolled=tuple(unrolled),
        cost={"parameters": parameters, "multiply_adds": multiply_adds(frozen.graph)},
    )
    (folder / "graph.pb").write_bytes(graph.SerializeToString(deterministic=True))
    (folder / "trace.json").write_text(canonical_json(trace.to_json()), encoding="utf-8")
    return trace, _batched(reference_call, inputs, batch)


def _keras_interface(
    model: Any,
    spec: ModelSpec | None,
    input_shape: tuple[int, ...] | None,
    input_range: tuple[float, float] | None,
) -> tuple[list[InputSpec], list[str]]:
    tensors = getattr(model, "inputs", None)
    if not tensors:
        raise ModelError(
            "the model has no inputs: it was saved before it was built",
            hint="begin it with keras.Input(shape), and save it again",
        )
    if input_shape is not None and len(tensors) != 1:
        raise ConversionError("--input-shape fits models with one input only")
    known = spec.inputs if spec and len(spec.inputs) == len(tensors) else ()
    inputs = []
    for i, tensor in enumerate(tensors):
        name = known[i].name if known else _clean(tensor.name, f"input_{i}")
        shape = sample_shape(name, tensor.shape, input_shape)
        if known and (known[i].shape != shape or known[i].dtype != str(tensor.dtype)):
            raise ConversionError(
                f"input {name!r}: build() gives {tensor.dtype} {list(shape)}, "
                f"model.toml says {known[i].dtype} {list(known[i].shape)}"
            )
        inputs.append(known[i] if known else _infer(name, str(tensor.dtype), shape, input_range))
    inputs = _distinct(inputs)
    if spec:
        if len(spec.outputs) != len(model.outputs):
            raise ConversionError(
                f"build() gives {len(model.outputs)} outputs, "
                f"model.toml names {len(spec.outputs)}: {', '.join(spec.outputs)}",
                hint='outputs = ["…", "…"] in model.toml, in build()\'s order',
            )
        return inputs, list(spec.outputs)
    return inputs, [_clean(name, f"output_{i}") for i, name in enumerate(model.output_names)]


def _distinct(inputs: list[InputSpec]) -> list[InputSpec]:
    """The same inputs, those whose cleaned names are equal numbered: "a b" and "a.b"."""
    found: dict[str, InputSpec] = {}
    for entry in inputs:
        name, number = entry.name, 2
        while name in found:
            name, number = f"{entry.name}_{number}", number + 1
        found[name] = replace(entry, name=name)
    return list(found.values())


def _keras_call(model: Any) -> Callable[[list[Any]], list[Any]]:
    import keras

    def call(tensors: list[Any]) -> list[Any]:
        return list(keras.tree.flatten(model(packed_inputs(model, tensors), training=False)))

    return call


def _signature(
    function: Any, input_shape: tuple[int, ...] | None, input_range: tuple[float, float] | None
) -> tuple[Callable[[list[Any]], list[Any]], list[InputSpec], list[str]]:
    keywords = function.structured_input_signature[1]
    inputs = []
    for name, tensor in keywords.items():
        shape = sample_shape(name, tensor.shape.as_list(), input_shape)
        inputs.append(_infer(_clean(name, name), tensor.dtype.name, shape, input_range))
    names = sorted(function.structured_outputs)

    def call(tensors: list[Any]) -> list[Any]:
        outputs = function(**dict(zip(keywords, tensors, strict=True)))
        return [outputs[name] for name in names]

    return call, _distinct(inputs), [_clean(name, name) for name in names]


def _infer(
    name: str, dtype: str, shape: tuple[int, ...], input_range: tuple[float, float] | None
) -> InputSpec:
    """What is known of an input without a `model.toml`: [H, W, 1 or 3] is taken for a picture."""
    picture = len(shape) == 3 and shape[-1] in (1, 3)
    spec = InputSpec(
        name=name,
        dtype=dtype,
        shape=shape,
        layout="HWC" if picture else "",
        resize="bilinear" if picture else "",
    )
    return replace(spec, range=input_range) if input_range else spec


def _clean(name: str, fallback: str) -> str:
    """A name that every format accepts."""
    kept = re.sub(r"[^A-Za-z0-9_]", "_", name.partition(":")[0])
    return kept.strip("_") or fallback


def _batched(
    call: Callable[[list[Any]], list[Any]], inputs: list[InputSpec], batch: int | None
) -> Reference:
    """The source model on any number of samples, one graph for all batches."""
    import numpy as np
    import tensorflow as tf

    size = batch or 64
    compiled = tf.function(
        call,
        input_signature=[
            [tf.TensorSpec((batch, *s.shape), tf.as_dtype(s.dtype), name=s.name) for s in inputs]
        ],
    )

    def predict(arrays: list[Any]) -> list[Any]:
        parts = []
        for start in range(0, len(arrays[0]), size):
            piece = [tf.constant(np.ascontiguousarray(a[start : start + size])) for a in arrays]
            parts.append([np.asarray(value) for value in compiled(piece)])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    return predict


def _make_float(graph: Any, name: str) -> None:
    from tensorflow.core.framework import types_pb2

    placeholder = next(node for node in graph.node if node.name == name)
    users = [node for node in graph.node if any(_node(i) == name for i in node.input)]
    casts = [n for n in users if n.op == "Cast" and n.attr["DstT"].type == types_pb2.DT_FLOAT]
    if len(casts) != len(users) or not users:
        kinds = ", ".join(sorted({node.op for node in users})) or "nothing"
        raise ConversionError(
            f"input {name!r} is 8-bit and goes into {kinds}; int8 needs it cast to float32 first",
            hint="keras.layers.Rescaling as the first layer does that",
        )
    placeholder.attr["dtype"].type = types_pb2.DT_FLOAT
    for node in casts:
        node.op = "Identity"
        node.ClearField("attr")
        node.attr["T"].type = types_pb2.DT_FLOAT


def _node(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]


def _clear_debug_info(graph: Any) -> None:
    """Original node names hold nothing a target needs, and grow the file."""
    for node in graph.node:
        node.ClearField("experimental_debug_info")
