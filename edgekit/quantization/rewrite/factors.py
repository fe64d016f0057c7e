"""Take constant factors out of a graph's middle and put them into the kernels behind.

y = c·x followed by nothing but what is positively homogeneous (pooling, products, padding with
zero, shapes, ReLU) up to a convolution or a product of matrices is y = x with a kernel times c: the
node that scales is gone. Where that is not so for every reader, the factor stays. Removes nodes;
does not look for those worth removing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, attribute, owner
from edgekit.quantization.condition.linear import Linear, kernel_of, linear_nodes, set_kernel

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# f(c·x) = c·f(x) for c > 0, where x is the first operand and the others hold no values.
_HOMOGENEOUS = frozenset(
    (
        *("Identity", "StopGradient", "PreventGradient", "Snapshot"),
        *("Reshape", "Squeeze", "ExpandDims", "Transpose", "Tile", "BroadcastTo"),
        *("Slice", "StridedSlice", "GatherV2", "Pad", "MirrorPad", "Reverse", "ReverseV2"),
        *("Mean", "Sum", "Max", "Min", "AvgPool", "MaxPool", "Relu", "LeakyRelu", "Neg", "Abs"),
        *("ResizeBilinear", "ResizeNearestNeighbor"),
        *("SpaceToBatchND", "BatchToSpaceND", "DepthToSpace", "SpaceToDepth"),
    )
)
# c·x + c·y = c·(x + y): every operand has to carry the same factor, a constant is divided by it.
_JOINING = frozenset(
    ("Add", "AddV2", "AddN", "BiasAdd", "Sub", "Maximum", "Minimum", "ConcatV2", "Pack")
)


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a tensor of the original graph is, divided by what it will be.

    Attributes:
        factor: That.
        origins: Nodes whose removal makes it so.
    """

    factor: float = 1.0
    origins: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Changes:
    kernels: dict[str, float] = field(default_factory=dict)  # linear node → factor
    divided: dict[tuple[str, int], float] = field(default_factory=dict)  # node, place → divisor
    stuck: set[str] = field(default_factory=set)  # origins whose factor reaches what can't take it


_NONE = _Flow()


def remove_factors(graph: Graph, factors: Mapping[str, float]) -> set[str]:
    """Remove nodes that multiply by a positive constant, as far as kernels can take the factors.

    Args:
        graph: Changed in place; its function stays the same but for rounding in float32.
        factors: Node → what its output is, divided by its varying operand.

    Returns:
        The nodes that were removed.
    """
    linears = {linear.node.name: linear for linear in linear_nodes(graph)}
    removed = set(factors)
    while removed:
        changes = _follow(graph, linears, {name: factors[name] for name in removed})
        if not changes.stuck:
            break
        removed -= changes.stuck
    else:
        return set()
    for name, factor in changes.kernels.items():
        kernel = kernel_of(graph, linears[name])
        set_kernel(graph, linears[name], (kernel * factor).astype(kernel.dtype))
    for (name, place), factor in changes.divided.items():
        _divide(graph, graph.nodes[name], place, factor)
    for name in removed:
        node = graph.nodes[name]
        graph.bypass(node, node.input[varying_place(graph, node)])
    graph.tidy()
    return removed


def scalar_factor(graph: Graph, node: Any) -> float | None:
    """The constant that a node multiplies its only varying operand by; None of any other node."""
    if node.op not in ("Mul", "RealDiv"):
        return None
    values = [graph.constant(name) for name in node.input]
    place = next((i for i, value in enumerate(values) if value is not None), None)
    if place is None or all(value is not None for value in values):
        return None
    constant = values[place]
    if node.op == "RealDiv" and place == 0:
        return None
    assert constant is not None
    if constant.size != 1 or constant.ndim > 1 or constant.dtype.name != "float32":
        return None
    number = float(constant.reshape(-1)[0])
    if not number > 0 or not math.isfinite(number):
        return None
    return 1 / number if node.op == "RealDiv" else number


def varying_place(graph: Graph, node: Any) -> int:
    """Place of a node's first operand that is no constant."""
    return next(i for i, name in enumerate(node.input) if graph.constant(name) is None)


def _follow(graph: Graph, linears: Mapping[str, Linear], factors: Mapping[str, float]) -> _Changes:
    """Where the factors arrive once their nodes are gone."""
    changes = _Changes()
    flows: dict[str, _Flow] = {}
    for node in graph.order:
        taken = [flows.get(name, _NONE) for name in node.input]
        origins = frozenset().union(*(flow.origins for flow in taken))
        if node.name in factors:
            own = taken[varying_place(graph, node)]
            flow: _Flow | None = _Flow(own.factor * factors[node.name], own.origins | {node.name})
        elif not origins:
            continue
        elif node.name in linears:
            linear = linears[node.name]
            flow = _NONE if origins == taken[linear.data].origins else None
            changes.kernels[node.name] = taken[linear.data].factor
        else:
            flow = _through(graph, node, taken, origins, changes)
        if flow is None:
            changes.stuck |= origins
        elif flow.origins:
            flows[node.name] = flow
    for name in graph.outputs:
        changes.stuck |= flows.get(name, _NONE).origins
    return changes


def _through(
    graph: Graph, node: Any, taken: Sequence[_Flow], origins: frozenset[str], changes: _Changes
) -> _Flow | None:
    """What a node's output carries, given what its operands do; None where that is no factor."""
    if node.op in _HOMOGENEOUS or _pads_with_zero(graph, node):
        return taken[0] if taken[0].origins == origins else None
    if node.op == "Mul":
        return _Flow(math.prod(flow.factor for flow in taken), origins)
    if node.op == "RealDiv":
        return taken[0] if graph.constant(node.input[1]) is not None else None
    if node.op not in _JOINING or any(":" in name for name in node.input):
        return None
    operands = range(len(node.input) - (node.op == "ConcatV2"))
    known = {i for i in operands if graph.constant(node.input[i]) is not None}
    carried = {taken[i].factor for i in operands if i not in known}
    if max(carried) - min(carried) > 1e-9 * max(carried):
        return None
    factor = max(carried)
    changes.divided |= {(node.name, i): factor for i in known}
    return _Flow(factor, origins)


def _pads_with_zero(graph: Graph, node: Any) -> bool:
    if node.op != "PadV2":
        return False
    value = graph.constant(node.input[2])
    return value is not None and not value.any()


def _divide(graph: Graph, node: Any, place: int, factor: float) -> None:
    value = graph.constant(node.input[place])
    assert value is not None
    new = (value / factor).astype(value.dtype)
    graph.set_input(node, place, graph.add_constant(f"{node.name}/value", new))


def is_float32(node: Any) -> bool:
    """Whether a node computes in float32."""
    from tensorflow.core.framework import types_pb2

    return bool(attribute(node, "T").type == types_pb2.DT_FLOAT)


def plain(graph: Graph, tensor: str) -> str:
    """A tensor without the nodes that pass it on as it is."""
    while True:
        node = graph.nodes[owner(tensor)[0]]
        if node.op not in ("Identity", "StopGradient") or not node.input:
            return tensor
        tensor = node.input[0]
