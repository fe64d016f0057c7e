"""Which contenders can be ruled out, by intervals of accuracy and latency.

Says "dominated" only where both intervals separate. Knows numbers; not where they came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

RULE = (
    "A contender is called dominated only where intervals separate twice: another one is faster "
    "beyond doubt, and its whole accuracy interval lies above. Where another one is faster beyond "
    "doubt but the accuracy intervals overlap, it is called outpaced: no figure here speaks for "
    "it, but none rules it out. Each call is made at 95 %, not corrected for how many there are."
)


@dataclass(frozen=True, slots=True)
class Point:
    """One contender in the plane of accuracy and latency.

    Attributes:
        latency: Its 95 % interval, in milliseconds; less is better.
        accuracy: Its 95 % interval; more is better.
    """

    latency: tuple[float, float]
    accuracy: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the others say about one contender.

    Attributes:
        dominated_by: Index of a contender that dominates it; None without one.
        outpaced_by: Index of one that is faster beyond doubt and not shown to be less accurate;
            None without one, or where it is dominated.
    """

    dominated_by: int | None = None
    outpaced_by: int | None = None


Faster = Callable[[int, int], bool]


def disjoint_below(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """Whether the whole interval `first` lies below `second`; touching is overlapping."""
    return first[1] < second[0]


def dominates(first: Point, second: Point, *, faster: bool | None = None) -> bool:
    """Whether `first` is faster and more accurate than `second`, both beyond doubt.

    Args:
        first: The one that may dominate.
        second: The one that may be dominated.
        faster: What a paired comparison of the two says; None: their intervals decide.
    """
    if faster is None:
        faster = disjoint_below(first.latency, second.latency)
    return faster and disjoint_below(second.accuracy, first.accuracy)


def standings(points: Sequence[Point], faster: Faster | None = None) -> list[Standing]:
    """What can be said of each point, given all.

    Args:
        points: Comparable ones: of one run, by one metric on the same samples.
        faster: Whether the first index is faster than the second beyond doubt, by a paired
            comparison; without it, disjoint intervals of latency say so.

    Returns:
        One standing per point. Of several that rule it out, the fastest is named.
    """
    if faster is None:

        def faster(first: int, second: int) -> bool:
            return disjoint_below(points[first].latency, points[second].latency)

    # By the middle of the interval: the fastest first, the first of equals.
    order = sorted(range(len(points)), key=lambda index: (sum(points[index].latency), index))
    return [_standing(points, index, order, faster) for index in range(len(points))]


def _standing(
    points: Sequence[Point], index: int, order: Sequence[int], faster: Faster
) -> Standing:
    quicker = [other for other in order if other != index and faster(other, index)]
    for other in quicker:
        if dominates(points[other], points[index], faster=True):
            return Standing(dominated_by=other)
    for other in quicker:
        if not disjoint_below(points[other].accuracy, points[index].accuracy):
            return Standing(outpaced_by=other)
    return Standing()
