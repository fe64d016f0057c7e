"""Pair the layers of a file with tensors of the float graph.

Converters keep names, joined where they fuse nodes; a name that leads to a tensor of other values
and another kind of operator is none. What has no name is paired by values: best concordance among
tensors that can have its shape. Knows names and arrays. Does not run anything.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, permutations
from typing import TYPE_CHECKING, Any

from edgekit.quantization.explain.layers import Layer
from edgekit.quantization.explain.signal import concordance

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# A named tensor whose values agree less is asked for its kind of operator, too.
_NAMED = 0.7
# A tensor that is found by its values alone has to agree this well.
_BY_VALUES = 0.95

# Operators that answer to the same word in different formats.
_WORDS = {
    "addv2": "add", "biasadd": "add", "sub": "subtract", "mul": "multiply", "realdiv": "divide",
    "div": "divide", "minimum": "min", "maximum": "max", "reducemean": "mean", "relu6": "relu",
    "clamp": "relu", "clip": "relu", "globalaveragepool": "mean", "averagepool2d": "avgpool",
    "averagepool": "avgpool", "concatenation": "concat", "concatv2": "concat",
    "sigmoid": "logistic",
    "sum": "reducesum", "max": "reducemax", "gatherv2": "gather", "hardsigmoid": "hsigmoid",
    "hswish": "hardswish", "resizebilinear": "resize", "interpolate": "resize",
    "batchmatmulv2": "matmul", "batchmatmulv3": "matmul", "batchmatmul": "matmul",
    "convert": "cast", "power": "pow", "padv2": "pad",
}  # fmt: skip
_LINEAR = re.compile(r"conv|matmul|fullyconnected|gemm|einsum")


@dataclass(frozen=True, slots=True)
class View:
    """How the values of a file's layer become those of a tensor: split or merged, and turned.

    Attributes:
        split: Shape of one sample that is turned.
        axes: The order its axes are put in.
        shape: Of one sample in the float graph.
    """

    split: tuple[int, ...]
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def apply(self, values: Array) -> Array:
        """[N, *shape of the layer] to [N, *shape of the tensor]."""
        count = len(values)
        split = values.reshape(count, *self.split)
        return split.transpose(0, *(axis + 1 for axis in self.axes)).reshape(count, *self.shape)


@dataclass(frozen=True, slots=True)
class Match:
    """A layer's counterpart.

    Attributes:
        tensor: In the float graph.
        how: "name" or "values".
        concordance: Of their values over the first samples.
        view: From the layer's axes to the tensor's.
    """

    tensor: str
    how: str
    concordance: float
    view: View


@dataclass(frozen=True, slots=True)
class Candidates:
    """What the float graph computes.

    Attributes:
        values: Tensor → [N, *shape], in the order of execution.
        kinds: Tensor → kind of its node.
        aliases: Name of an input or output of the model → its tensor.
    """

    values: Mapping[str, Array]
    kinds: Mapping[str, str]
    aliases: Mapping[str, str]


def match_names(
    layers: Sequence[Layer], given: Sequence[Array], candidates: Candidates
) -> list[Match | str]:
    """Find the counterparts of layers that have a name.

    Args:
        layers: Of the file.
        given: [N, *shape] of each layer, for the samples of `candidates.values`.
        candidates: The float graph's tensors.

    Returns:
        For each layer its match, or why it has none.
    """
    return [
        _by_name(layer, values, candidates) for layer, values in zip(layers, given, strict=True)
    ]


def match_values(
    layers: Sequence[Layer],
    given: Sequence[Array],
    candidates: Candidates,
    named: Sequence[Match | str],
) -> list[Match | str]:
    """Find the counterparts of the other layers, by what they compute.

    Args:
        layers: Of the file.
        given: As above.
        candidates: What the float graph's nodes give for the file's own values of the tensors that
            were found by name: the noise of the layers before then hides no likeness.
        named: What `match_names` returned.
    """
    taken = {found.tensor for found in named if isinstance(found, Match)}
    places = {tensor: place for place, tensor in enumerate(candidates.values)}
    matches: list[Match | str] = []
    reached: list[int] = []  # how far into the float graph each layer lies at least
    for layer, values, known in zip(layers, given, named, strict=True):
        after = max((reached[number] for number in layer.sources), default=-1)
        found = known
        if isinstance(found, str):
            found = _by_values(values, candidates, taken, after) or found
        matches.append(found)
        reached.append(places[found.tensor] if isinstance(found, Match) else after)
    return matches


def _by_name(layer: Layer, values: Array, candidates: Candidates) -> Match | str:
    order = list(candidates.values)
    known = {t for name in layer.names for t in _resolve(name, candidates)}
    if not known:
        return "no tensor of the float graph has its name or its values"
    # Fused nodes give the last one's output.
    found = [
        Match(tensor, "name", *best)
        for tensor in sorted(known, key=order.index, reverse=True)
        if (best := _best_view(values, candidates.values[tensor]))
    ]
    for candidate in found:
        if candidate.concordance >= _NAMED:
            return candidate
    for candidate in found:
        if _alike(layer.op, candidates.kinds[candidate.tensor]):
            return candidate
    kind = candidates.kinds[max(known, key=order.index)]
    if not found:
        return f"its name is that of a {kind} of another size"
    return f"its name is that of a {kind}, which has other values than this {layer.op}"


def _resolve(name: str, candidates: Candidates) -> Iterator[str]:
    """Tensors that a name in a file may mean: converters append numbers to repeated names."""
    plain = name.removesuffix(":0")
    for spelling in (plain, re.sub(r"\d+$", "", plain)):
        tensor = candidates.aliases.get(spelling, spelling)
        if tensor in candidates.values:
            yield tensor
            return


def _by_values(values: Array, candidates: Candidates, taken: set[str], after: int) -> Match | None:
    best: Match | None = None
    for place, (tensor, real) in enumerate(candidates.values.items()):
        size = real[0].size
        # A layer computes nothing that comes before what it takes.
        if place <= after or tensor in taken or size != values[0].size or size < 2:
            continue
        view = _best_view(values, real)
        if view and view[0] >= _BY_VALUES and (best is None or view[0] > best.concordance):
            best = Match(tensor, "values", *view)
    return best


def _best_view(values: Array, real: Array) -> tuple[float, View] | None:
    """The concordance under the best order of axes, and that order."""
    best: tuple[float, View] | None = None
    for view in views(values.shape[1:], real.shape[1:]):
        agreed = concordance(view.apply(values), real)
        if best is None or agreed > best[0] + 1e-9:
            best = (agreed, view)
    return best


def views(source: tuple[int, ...], target: tuple[int, ...]) -> Iterator[View]:
    """Ways in which values of one shape can be those of another, the plainest first.

    Converters put channels first, and turn axes before or after they split or merge them: the axes
    of one shape in some order are those of the other, some of them merged.
    """
    if math.prod(source) != math.prod(target):
        return
    seen = set()
    for split, axes in (*_orders(_long(source)), *_inverse_orders(_long(target))):
        if (split, axes) in seen:
            continue
        seen.add((split, axes))
        turned = tuple(split[axis] for axis in axes)
        if _fits(_long(source), split) and _fits(turned, _long(target)):
            yield View(split, axes, target)


def _orders(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    plain = tuple(range(len(shape)))
    yield from ((shape, axes) for axes in (permutations(plain) if len(plain) <= 4 else [plain]))


def _inverse_orders(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    for _, order in _orders(shape):
        split = tuple(shape[axis] for axis in order)
        yield split, tuple(order.index(axis) for axis in range(len(shape)))


def _fits(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether one shape is the other with neighbouring axes merged."""
    first, second = set(accumulate(a, operator.mul)), set(accumulate(b, operator.mul))
    return first <= second or second <= first


def _long(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _alike(op: str, kind: str) -> bool:
    """Whether a file's operators and a node's kind can compute the same."""
    last = op.rpartition("+")[2]
    if any(_LINEAR.search(word(part)) for part in op.split("+")):
        return True  # whatever was fused into it
    return word(last) == word(kind)


def word(op: str) -> str:
    """One word for an operator in all formats: "AddV2", "ADD" and "Add" are "add"."""
    plain = re.sub(r"[^a-z0-9]", "", op.lower())
    return _WORDS.get(plain, plain)
