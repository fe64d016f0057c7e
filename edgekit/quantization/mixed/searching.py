"""Find how many layers of a ranking have to be kept: few tries, each of them costly.

Knows numbers. Does not know what a layer is or how one is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tried:
    """One candidate.

    Attributes:
        count: Layers kept, the first of the ranking.
        drop: Points of the metric it is expected to lose.
    """

    count: int
    drop: float


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to.

    Attributes:
        count: The fewest layers that were enough; None where no try was.
        tried: All tries, in order.
        complete: Whether the search ended by itself, not for want of time.
    """

    count: int | None
    tried: tuple[Tried, ...]
    complete: bool


def ranked(noise: Sequence[float], shares: Sequence[float]) -> list[int]:
    """Layer numbers, first the one whose float form takes away most noise for its cost.

    Its cost is its part of the multiply-adds, and as much again as a layer has on average: changing
    between 8 bits and float, and what a runtime does for every operator.

    Args:
        noise: Of each layer: the power it alone adds to the output's error.
        shares: Of each layer: its part of the multiply-adds.
    """

    def worth(layer: int) -> tuple[float, float]:
        return noise[layer] / (shares[layer] + 1 / len(noise)), -layer

    return sorted(range(len(noise)), key=worth, reverse=True)


def first_guess(noise: Sequence[float], order: Sequence[int], part: float) -> int:
    """How many layers of the order leave at most `part` of all the noise, if noises just add up."""
    left = total = sum(noise)
    for count, layer in enumerate(order):
        if left <= part * total:
            return max(1, count)
        left -= noise[layer]
    return len(order)


def search_prefix(
    most: int,
    first: int,
    attempt: Callable[[int], float],
    limit: float,
    has_time: Callable[[], bool],
) -> Searched:
    """The shortest prefix that meets a limit: doubling until one does, then halving.

    Args:
        most: The longest prefix there is, at least 1.
        first: Where to begin.
        attempt: Prefix length → expected drop.
        limit: What the drop must not exceed.
        has_time: Asked before every try but the first.
    """
    tried: list[Tried] = []
    low, high = 0, most + 1  # what missed, what met
    step = max(1, min(first, most))
    while high - low > 1:
        if tried and not has_time():
            return Searched(high if high <= most else None, tuple(tried), complete=False)
        tried.append(Tried(step, attempt(step)))
        if tried[-1].drop <= limit:
            high = step
        else:
            low = step
        step = min(2 * low, most) if high > most else (low + high) // 2
        step = max(step, low + 1)
    return Searched(high if high <= most else None, tuple(tried), complete=True)
