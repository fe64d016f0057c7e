"""The operators of an ONNX file and what they compute, with the shapes ONNX infers for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.exporters.onnx_file import dtype_name
from edgekit.graphs import formulas
from edgekit.graphs.graph import Graph, Node, Tensor

# Kind → places of what is multiplied; (0, 1) of all others.
_OPERANDS = {"QLinearConv": (0, 3), "QLinearMatMul": (0, 3), "QGemm": (0, 3)}


def read(file: Path) -> Graph:
    """The graph, for one sample: a batch that is left open counts as 1."""
    import onnx

    model = onnx.load(file, load_external_data=False)
    for value in model.graph.input:
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].HasField("dim_value"):
            axes[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    tensors = {
        value.name: _tensor(value) for value in (*graph.input, *graph.output, *graph.value_info)
    } | {
        constant.name: Tensor(dtype_name(constant.data_type), tuple(constant.dims), constant=True)
        for constant in graph.initializer
    }
    tensors |= {sparse.values.name: Tensor("", ()) for sparse in graph.sparse_initializer}
    tensors |= dict(_constants(graph.node))
    nodes = tuple(_node(node, tensors) for node in graph.node)
    return Graph(tensors, nodes, tuple(value.name for value in graph.output))


def _tensor(value: Any) -> Tensor:
    kind = value.type.tensor_type
    axes = kind.shape.dim if kind.HasField("shape") else None
    shape = (0,) if axes is None else tuple(max(0, int(axis.dim_value)) for axis in axes)
    return Tensor(dtype_name(kind.elem_type), shape)


def _constants(nodes: Sequence[Any]) -> Iterator[tuple[str, Tensor]]:
    """What operators called Constant give."""
    for node in nodes:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    value = attribute.t
                    yield (
                        node.output[0],
                        Tensor(dtype_name(value.data_type), tuple(value.dims), True),
                    )


def _node(node: Any, tensors: Mapping[str, Tensor]) -> Node:
    data, weights = _OPERANDS.get(node.op_type, (0, 1))
    shapes = [tensors[name].shape if name in tensors else () for name in node.input]
    given = tensors[node.output[0]].shape if node.output[0] in tensors else ()
    attributes = {attribute.name: attribute for attribute in node.attribute}
    kernel = shapes[weights] if len(shapes) > weights else ()
    return Node(
        op=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        macs=_RULES[node.op_type](_Call(shapes, kernel, given, attributes))
        if node.op_type in _RULES
        else 0,
        data=data,
        weights=weights,
        # These take float and quantize it themselves.
        hybrid=node.op_type == "DynamicQuantizeMatMul",
        name=node.name,
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """What a rule looks at: shapes of inputs, kernel and first output, and attributes by name."""

    taken: Sequence[tuple[int, ...]]
    kernel: tuple[int, ...]
    given: tuple[int, ...]
    attributes: Mapping[str, Any]

    def flag(self, name: str) -> bool:
        return name in self.attributes and bool(self.attributes[name].i)


def _convolution(call: _Call) -> int:  # out, in of a group, *space
    return formulas.convolution(call.given, call.kernel[2:], call.kernel[1])


def _product(call: _Call) -> int:
    return formulas.product(call.given, call.taken[0][-2 if call.flag("transA") else -1])


def _recurrent(call: _Call) -> int:  # both kernels: directions, gates × hidden, in
    return formulas.recurrent(math.prod(call.taken[0][:2]), call.taken[1:3])


_RULES: Mapping[str, Callable[[_Call], int]] = {
    **dict.fromkeys(("Conv", "FusedConv", "ConvInteger", "QLinearConv"), _convolution),
    # in, out of a group, *space
    "ConvTranspose": lambda c: formulas.transposed_convolution(
        c.taken[0], c.kernel[2:], c.kernel[1]
    ),
    **dict.fromkeys(
        (
            "MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "QGemm", "FusedMatMul",
            "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
        ),
        _product,
    ),
    "MatMulNBits": lambda c: formulas.product(c.given, int(c.attributes["K"].i)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "Einsum": lambda c: formulas.einsum(c.attributes["equation"].s.decode(), c.taken),
}  # fmt: skip
