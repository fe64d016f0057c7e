"""The operators of an OpenVINO file and what they compute, from the graph OpenVINO reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.exporters.openvino import dtype_name
from edgekit.graphs import formulas
from edgekit.graphs.graph import Graph, Node, Tensor

_NOT_COMPUTED = ("Parameter", "Constant", "Result")
# Kind → places of the matrices of the input and of the state.
_RECURRENT = {
    "LSTMSequence": (4, 5), "GRUSequence": (3, 4), "RNNSequence": (3, 4),
    "LSTMCell": (3, 4), "GRUCell": (2, 3), "RNNCell": (2, 3),
}  # fmt: skip
_EIGHT_BITS, _SIXTEEN_BITS = 256, 65_536


def read(file: Path) -> Graph:
    """The graph, for one sample: a batch that is left open counts as 1."""
    import openvino

    model = openvino.Core().read_model(file)
    _fix_batch(model)
    tensors: dict[str, Tensor] = {}
    nodes: list[Node] = []
    outputs: list[str] = []
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        for port in node.outputs():
            tensors[_name(port)] = Tensor(
                dtype_name(port.get_element_type()),
                _shape(port),
                constant=kind == "Constant",
            )
        if kind == "Result":
            outputs.append(_name(node.input_value(0)))
        elif kind not in _NOT_COMPUTED:
            nodes.append(_node(kind, node))
    return Graph(tensors, tuple(nodes), tuple(outputs))


def _fix_batch(model: Any) -> None:
    wanted = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        if shape.rank.is_static and len(shape) and shape[0].is_dynamic:
            shape[0] = 1
            wanted[port.get_any_name()] = shape
    if wanted:
        model.reshape(wanted)


def _name(port: Any) -> str:
    # Friendly names need not be unique, numbers of ports are only so within a node.
    node = port.get_node()
    return f"{node.get_friendly_name()}/{node.get_name()}:{port.get_index()}"


def _shape(port: Any) -> tuple[int, ...]:
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return (0,)
    return tuple(axis.get_length() if axis.is_static else 0 for axis in shape)


def _node(kind: str, node: Any) -> Node:
    ports = node.input_values()
    matrices = _RECURRENT.get(kind)
    levels = node.get_attributes()["levels"] if kind == "FakeQuantize" else 0
    return Node(
        op=kind,
        inputs=tuple(_name(port) for port in ports),
        outputs=tuple(_name(port) for port in node.outputs()),
        macs=_RULES[kind](
            _Call([_shape(port) for port in ports], _shape(node.output(0)), node.get_attributes())
        )
        if kind in _RULES
        else 0,
        weights=matrices[0] if matrices else 1,
        # A FakeQuantize says in floats what its readers get in this many levels.
        narrowed=""
        if not levels or levels > _SIXTEEN_BITS
        else "uint8"
        if levels <= _EIGHT_BITS
        else "int16",
        name=node.get_friendly_name(),
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """What a rule looks at: shapes of inputs and of the first output, and the attributes."""

    taken: Sequence[tuple[int, ...]]
    given: tuple[int, ...]
    attributes: Mapping[str, Any]

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.taken[1]


def _attention(call: _Call) -> int:
    """Queries with keys, then what comes of it with values."""
    query, key, value = call.taken[:3]
    pairs = (*query[:-1], key[-2])
    return formulas.product(pairs, query[-1]) + formulas.product(pairs, value[-1])


def _recurrent(kind: str) -> Callable[[_Call], int]:
    axes = 2 if kind.endswith("Sequence") else 1  # batch, and time

    def rule(call: _Call) -> int:
        matrices = [call.taken[place] for place in _RECURRENT[kind]]
        return formulas.recurrent(math.prod(call.taken[0][:axes]), matrices)

    return rule


_RULES: Mapping[str, Callable[[_Call], int]] = {
    # out, in, *space
    "Convolution": lambda c: formulas.convolution(c.given, c.kernel[2:], c.kernel[1]),
    # groups, out, in, *space
    "GroupConvolution": lambda c: formulas.convolution(c.given, c.kernel[3:], c.kernel[2]),
    # in, out, *space
    "ConvolutionBackpropData": lambda c: formulas.transposed_convolution(
        c.taken[0], c.kernel[2:], c.kernel[1]
    ),
    # groups, in, out, *space
    "GroupConvolutionBackpropData": lambda c: formulas.transposed_convolution(
        c.taken[0], c.kernel[3:], c.kernel[2]
    ),
    "MatMul": lambda c: formulas.product(
        c.given, c.taken[0][-2 if c.attributes["transpose_a"] else -1]
    ),
    "Einsum": lambda c: formulas.einsum(c.attributes["equation"], c.taken),
    "ScaledDotProductAttention": _attention,
    **{kind: _recurrent(kind) for kind in _RECURRENT},
}
