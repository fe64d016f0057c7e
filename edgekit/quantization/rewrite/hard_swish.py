"""hard-swish: x·relu6(x+3)/6 without the 1/6, which goes into the kernels that read the product.

TFLite's converter fuses the three into HARD_SWISH, which XNNPACK refuses in 8 bits: each one cuts
the graph, and LiteRT's own kernel takes most of the model's time. An ADD with RELU6 and a MUL cost
next to nothing, and without the 1/6 nothing is fused. The hard sigmoid of squeeze-and-excite
(relu6(x+3)/6) loses its 1/6 in the same way, and its 3 to the bias before it.

Applies where every path from the product leads to a convolution or a product of matrices
(`factors`); elsewhere the operator is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, owner
from edgekit.quantization.rewrite.factors import (
    is_float32,
    plain,
    remove_factors,
    scalar_factor,
    varying_place,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAME = "hard-swish"

_SHIFT, _TOP = 3.0, 6.0
_CLOSE = 1e-6


def apply(graph: Graph, _samples: Mapping[str, Array]) -> tuple[str, ...]:
    """Rewrite every hard-swish and hard sigmoid that can be.

    Args:
        graph: Changed in place; batch norms folded.

    Returns:
        The nodes that were removed, in no order: one 1/6 each.
    """
    _unify_clips(graph)
    factors = {}
    for gate in _gates(graph):
        for node in _scaling(graph, gate):
            factor = scalar_factor(graph, node)
            if factor is not None and abs(factor * _TOP - 1) < _CLOSE and is_float32(node):
                factors[str(node.name)] = factor
    removed = remove_factors(graph, factors)
    if removed:
        for gate in list(_gates(graph)):
            _fold_shift(graph, gate)
        graph.tidy()
    return tuple(sorted(removed))


# -- finding ---------------------------------------------------------------------------------------


def _gates(graph: Graph) -> Iterator[Any]:
    """Every node that gives relu6(x + 3)."""
    for node in list(graph.order):
        if node.op == "Relu6" and _is_shift(graph, _maker(graph, node.input[0]), _SHIFT):
            yield node


def _scaling(graph: Graph, gate: Any) -> Iterator[Any]:
    """Nodes that may hold the 1/6 of a gate: behind it, behind its product, or before that."""
    for node in _readers(graph, gate.name):
        yield node
        if node.op == "Mul":
            yield from _readers(graph, node.name)
            for name in node.input:
                maker = _maker(graph, name)
                if graph.only_reader(maker.name) is not None and maker is not gate:
                    yield maker


def _readers(graph: Graph, tensor: str) -> Iterator[Any]:
    """Nodes that take a tensor, those that pass it on as it is skipped."""
    for node, _ in graph.readers(tensor):
        if node.op in ("Identity", "StopGradient"):
            yield from _readers(graph, node.name)
        else:
            yield node


def _is_shift(graph: Graph, node: Any, by: float) -> bool:
    if node.op not in ("Add", "AddV2"):
        return False
    values = [graph.constant(name) for name in node.input]
    return sum(value is None for value in values) == 1 and any(
        _is_number(value, by) for value in values
    )


def _is_number(value: Array | None, number: float) -> bool:
    return (
        value is not None
        and value.size == 1
        and value.dtype.kind == "f"
        and abs(float(value.reshape(-1)[0]) - number) <= _CLOSE * max(1.0, abs(number))
    )


def _maker(graph: Graph, tensor: str) -> Any:
    return graph.nodes[owner(plain(graph, tensor))[0]]


# -- other ways to write it ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Clip:
    """min(max(a·x + b, 0), top)."""

    tensor: str
    top: float


def _unify_clips(graph: Graph) -> None:
    """Write clip(x+3, 0, 6) as relu6(x+3), and clip(x/6+1/2, 0, 1) as relu6(x+3)·(1/6)."""
    import numpy as np

    for node in list(graph.order):
        clip = _clip(graph, node)
        if clip is None or node.name in graph.outputs:
            continue
        source = _unscaled(graph, clip)
        if source is None:
            continue
        name = str(node.name)
        shift = graph.add_constant(f"{name}/shift", np.asarray(_SHIFT, np.float32))
        shifted = graph.add_node("AddV2", f"{name}/shifted", [source, shift])
        made = graph.add_node("Relu6", f"{name}/relu6", [shifted.name])
        if abs(clip.top - _TOP) > _CLOSE:
            factor = graph.add_constant(f"{name}/factor", np.asarray(clip.top / _TOP, np.float32))
            made = graph.add_node("Mul", f"{name}/scaled", [made.name, factor])
        graph.bypass(node, made.name)
    graph.tidy()


def _clip(graph: Graph, node: Any) -> _Clip | None:
    """What is clipped between 0 and a constant, if that is what a node ends."""
    if node.op == "ClipByValue":
        low, high = (graph.constant(name) for name in node.input[1:3])
        return _Clip(node.input[0], _number(high)) if _is_number(low, 0.0) else None
    outer = _limit(graph, node)
    if outer is None:
        return None
    inner = _maker(graph, outer[1])
    if inner.op == "Relu" and node.op == "Minimum":
        return _Clip(inner.input[0], outer[0])
    within = _limit(graph, inner)
    if within is None or node.op == inner.op:
        return None
    top, bottom = (outer[0], within[0]) if node.op == "Minimum" else (within[0], outer[0])
    return _Clip(within[1], top) if bottom == 0 else None


def _limit(graph: Graph, node: Any) -> tuple[float, str] | None:
    """The scalar constant and the varying operand of a minimum or maximum; None of others."""
    if node.op not in ("Minimum", "Maximum"):
        return None
    values = [graph.constant(name) for name in node.input]
    if sum(value is None for value in values) != 1:
        return None
    place = varying_place(graph, node)
    number = _number(values[1 - place])
    return None if number != number else (number, node.input[place])  # noqa: PLR0124  NaN: none


def _number(value: Array | None) -> float:
    if value is None or value.size != 1 or value.dtype.name != "float32":
        return float("nan")
    return float(value.reshape(-1)[0])


def _unscaled(graph: Graph, clip: _Clip) -> str | None:
    """The x of clip(x·top/6 + top/2, 0, top), which is relu6(x + 3)·top/6."""
    if not clip.top > 0:
        return None
    scale = clip.top / _TOP
    node = _maker(graph, clip.tensor)
    if not (is_float32(node) and _is_shift(graph, node, _SHIFT * scale)):
        return None
    tensor = node.input[varying_place(graph, node)]
    if abs(scale - 1) <= _CLOSE:
        return str(tensor)
    inner = _maker(graph, tensor)
    factor = scalar_factor(graph, inner)
    if factor is None or abs(factor / scale - 1) > _CLOSE:
        return None
    return str(inner.input[varying_place(graph, inner)])


# -- the 3 of a hard sigmoid -----------------------------------------------------------------------


def _fold_shift(graph: Graph, gate: Any) -> None:
    """Put a gate's 3 into the bias before it, where nothing else reads that sum."""
    shift = _maker(graph, gate.input[0])
    source = plain(graph, shift.input[varying_place(graph, shift)])
    biased = graph.nodes[owner(source)[0]]
    if biased.op not in ("BiasAdd", "Add", "AddV2") or len(list(_readers(graph, source))) != 1:
        return
    if source in graph.outputs or shift.name in graph.outputs:
        return
    values = [graph.constant(name) for name in biased.input]
    place = next((i for i, value in enumerate(values) if value is not None), None)
    if place is None:
        return
    bias = values[place]
    assert bias is not None
    if not is_float32(biased) or not bias.size:
        return
    new = (bias + _SHIFT).astype(bias.dtype)
    graph.set_input(biased, place, graph.add_constant(f"{biased.name}/shifted", new))
    graph.bypass(shift, source)
