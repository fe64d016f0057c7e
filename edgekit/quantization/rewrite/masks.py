"""mask-constants: what hides places from a softmax, only as large as it has to be.

−1e9 added to a score, or put in its place, makes its share of the softmax 0; in 8 bits it takes all
steps from the real scores, which become equal. A constant just beyond their range hides as well: a
hidden place then has e^−24 of the share of the weakest real one at most, where e^−17 is half a step
of float32. It is drawn from scores seen on samples, so it is no identity: what it changes on
samples is measured like that of every rewrite, and it is dropped where that is more than rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, owner
from edgekit.quantization.replay import Replay
from edgekit.quantization.rewrite.factors import is_float32, plain

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAME = "mask-constants"

_BEYOND = 24.0
# Smaller ones are left alone: somebody chose them.
_LARGE = -1000.0
_PASSING = ("Identity", "StopGradient", "Reshape", "Squeeze", "ExpandDims")


@dataclass(frozen=True, slots=True)
class _Mask:
    """A constant that hides places from a softmax.

    Attributes:
        node: That reads the constant.
        place: Where.
        scores: Tensor it is added to or put in the place of.
        share: Tensor that it is multiplied by, which has to hold 0 and 1 alone; "" without one.
        added: Whether it is added, so that a hidden place keeps its score below it.
        sign: −1 where the product is subtracted.
    """

    node: Any
    place: int
    scores: str
    share: str
    added: bool
    sign: float = 1.0


def apply(graph: Graph, samples: Mapping[str, Array]) -> tuple[str, ...]:
    """Rewrite every mask that can be.

    Args:
        graph: Changed in place.
        samples: Input name → [N, *shape]: what ranges of scores are taken from.

    Returns:
        The nodes whose constant was changed.
    """
    import numpy as np

    masks = [
        mask
        for node in graph.order
        if node.op == "Softmax" and (mask := _mask(graph, node.input[0])) is not None
    ]
    if not masks:
        return ()
    ranges = _ranges(graph, samples, {t for m in masks for t in (m.scores, m.share) if t})
    found = []
    for mask in masks:
        if mask.scores not in ranges or (mask.share and ranges.get(mask.share) is not _BINARY):
            continue
        low, high = ranges[mask.scores]
        beyond = min(low, 0.0) - _BEYOND - (max(high, 0.0) if mask.added else 0.0)
        value = graph.constant(mask.node.input[mask.place])
        assert value is not None
        limited = np.where(mask.sign * value < beyond, mask.sign * beyond, value)
        if (mask.sign * value < _LARGE).any() and beyond > _LARGE:
            name = graph.add_constant(f"{mask.node.name}/hidden", limited.astype(value.dtype))
            graph.set_input(mask.node, mask.place, name)
            found.append(str(mask.node.name))
    graph.tidy()
    return tuple(found)


def _mask(graph: Graph, tensor: str) -> _Mask | None:
    """The mask among what a softmax reads."""
    node = graph.nodes[owner(tensor)[0]]
    while node.op in _PASSING:
        node = graph.nodes[owner(node.input[0])[0]]
    if not is_float32(node):
        return None
    if node.op in ("Select", "SelectV2"):
        for place in (1, 2):
            if graph.constant(node.input[place]) is not None:
                return _Mask(node, place, node.input[3 - place], "", added=False)
    if node.op in ("Add", "AddV2", "Sub"):
        for place in (0, 1) if node.op != "Sub" else (1,):
            sign = -1.0 if node.op == "Sub" else 1.0
            if (found := _added(graph, node, place, sign)) is not None:
                return found
    return None


def _added(graph: Graph, node: Any, place: int, sign: float) -> _Mask | None:
    scores = node.input[1 - place]
    if graph.constant(scores) is not None:
        return None
    if graph.constant(node.input[place]) is not None:
        return _Mask(node, place, scores, "", added=True, sign=sign)
    maker = graph.nodes[owner(plain(graph, node.input[place]))[0]]
    while maker.op in _PASSING:
        maker = graph.nodes[owner(maker.input[0])[0]]
    if maker.op != "Mul":
        return None
    for own in (0, 1):
        if graph.constant(maker.input[own]) is not None:
            return _Mask(maker, own, scores, maker.input[1 - own], added=True, sign=sign)
    return None


_BINARY = (0.0, 1.0)


def _ranges(
    graph: Graph, samples: Mapping[str, Array], tensors: set[str]
) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of tensors; of those with zeros and ones alone, `_BINARY` itself."""
    import numpy as np

    found: dict[str, tuple[float, float]] = {}
    binary = set(tensors)

    def note(_: Any, given: Mapping[str, Any]) -> None:
        for name in tensors & given.keys():
            parts = getattr(given[name], "parts", (given[name],))
            for array in map(np.asarray, parts):
                low, high = found.get(name, (np.inf, -np.inf))
                found[name] = min(low, float(array.min())), max(high, float(array.max()))
                if not np.isin(array, (0, 1)).all():
                    binary.discard(name)

    Replay(graph, samples).run(0, len(next(iter(samples.values()))), note)
    return {name: _BINARY if name in binary else range_ for name, range_ in found.items()}
