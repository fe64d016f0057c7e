"""Fold what scales and shifts a linear node's output per channel into its kernel and bias.

A batch norm at inference is y·s + t per channel, so behind a linear node it is a kernel times s and
a bias. The folded graph is the same function; converters fold too, but only the folded kernel is
what gets rounded, so rounding has to see it.

Sources: Jacob et al. 2018 (arXiv 1712.05877, section 3.2), Krishnamoorthi 2018 (arXiv 1806.08342).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, attribute
from edgekit.quantization.condition.linear import (
    RESHAPING,
    Linear,
    Shapes,
    channels_last,
    ends_in,
    kernel_of,
    linear_nodes,
    per_channel,
    set_kernel,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Affine:
    """y → y·scale + shift, per channel."""

    scale: Array
    shift: Array


def fold(graph: Graph) -> int:
    """Fold every batch norm, and every other constant factor, that directly follows a linear node.

    Args:
        graph: Changed in place; its function stays the same but for rounding in float32.

    Returns:
        Number of linear nodes that something was folded into.
    """
    shapes = Shapes(graph.definition())
    folded = sum(_fold(graph, linear, shapes) for linear in linear_nodes(graph))
    graph.tidy()
    return folded


def _fold(graph: Graph, linear: Linear, shapes: Shapes) -> bool:
    import numpy as np

    chain = _chain(graph, linear, shapes)
    scale = np.ones(linear.channels)
    shift = np.zeros(linear.channels)
    for _, step in chain:
        scale, shift = scale * step.scale, shift * step.scale + step.shift
    if not chain:
        return False
    kernel = kernel_of(graph, linear)
    with np.errstate(over="ignore", invalid="ignore"):
        new = (kernel * per_channel(kernel.shape, linear.axes, scale)).astype(np.float32)
        bias = shift.astype(np.float32)
    if not (np.isfinite(new).all() and np.isfinite(bias).all()):
        return False  # a factor that float32 only holds in two steps
    for node, _ in chain:
        # What is left of the node is what it takes from before.
        graph.bypass(node, node.input[_varying(graph, node)])
    set_kernel(graph, linear, new)
    name = f"{linear.node.name}/bias"
    added = graph.insert_after(
        linear.node.name, "BiasAdd", name, [graph.add_constant(f"{name}/value", bias)]
    )
    added.attr["data_format"].s = b"NHWC"
    return True


def _chain(graph: Graph, linear: Linear, shapes: Shapes) -> list[tuple[Any, _Affine]]:
    """The nodes to fold; none where nothing scales: a bias alone stays as it is."""
    found: list[tuple[Any, _Affine]] = []
    tensor = linear.node.name
    while reader := graph.only_reader(tensor):
        node, place = reader
        if node.name in graph.outputs:
            break
        step = _affine(graph, node, place, linear.channels)
        if step is not None:
            found.append((node, step))
        elif node.op not in ("Identity", *RESHAPING) or not ends_in(
            shapes.of(node.name), linear.channels
        ):
            break
        tensor = node.name
    return found if any(node.op not in _SHIFTING for node, _ in found) else []


_SHIFTING = ("BiasAdd", "Add", "AddV2", "Sub")
_SCALING = ("Mul", "RealDiv")


def _affine(graph: Graph, node: Any, place: int, channels: int) -> _Affine | None:
    import numpy as np

    if node.op == "FusedBatchNormV3":
        return _batch_norm(graph, node, place)
    if node.op not in (*_SHIFTING, *_SCALING) or not channels_last(node):
        return None
    value = graph.constant(node.input[1 - place])
    value = None if value is None else _each_channel(value, channels)
    if value is None:
        return None
    ones, zeros = np.ones(channels), np.zeros(channels)
    with np.errstate(divide="ignore"):
        return {
            "Mul": _Affine(value, zeros),
            "RealDiv": _Affine(1 / value, zeros) if place == 0 else None,
            "Sub": _Affine(ones, -value) if place == 0 else _Affine(-ones, value),
        }.get(node.op, _Affine(ones, value))


def _batch_norm(graph: Graph, node: Any, place: int) -> _Affine | None:
    import numpy as np

    parts = [graph.constant(name) for name in node.input[1:5]]
    others = (r for i in range(1, 6) for r in graph.readers(f"{node.name}:{i}"))
    if place or attribute(node, "is_training").b or any(p is None for p in parts) or any(others):
        return None
    if not channels_last(node):
        return None
    gamma, beta, mean, variance = (np.asarray(part, np.float64) for part in parts)
    scale = gamma / np.sqrt(variance + attribute(node, "epsilon").f)
    return _Affine(scale, beta - mean * scale)


def _each_channel(value: Array, channels: int) -> Array | None:
    """A constant as one float64 value per channel [C]; None if it differs along other axes."""
    import numpy as np

    if value.dtype.name != "float32":
        return None
    if value.size == 1 and value.ndim <= 1:
        return np.full(channels, float(value.reshape(-1)[0]))
    if value.size == channels and ends_in(value.shape, channels):
        return value.reshape(-1).astype(np.float64)
    return None


def _varying(graph: Graph, node: Any) -> int:
    return next(i for i, name in enumerate(node.input) if graph.constant(name) is None)
