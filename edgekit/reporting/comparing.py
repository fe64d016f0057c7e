"""Who is faster than whom beyond doubt, within one run, and who became slower in it.

Paired by rounds where there are enough of them (`edgekit.comparison`); else by disjoint intervals,
which find less. Compares nothing across runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from edgekit.comparison import LEAST_ROUNDS, Ratio, compare
from edgekit.reporting.dominance import Faster, disjoint_below
from edgekit.reporting.facts import Row
from edgekit.run import Run
from edgekit.sustained import Drift, drifts

_NO_MARGIN = 0.0


def ratio(first: Row, second: Row, clock: str) -> Ratio | None:
    """The second's latency divided by the first's, over the rounds that both took part in.

    Returns:
        None with too few such rounds, or by a clock too coarse for them.
    """
    if first.latency[clock] is None or second.latency[clock] is None:
        return None
    ours = {turn.round: turn.measurement for turn in first.turns}
    theirs = {turn.round: turn.measurement for turn in second.turns}
    rounds = sorted(ours.keys() & theirs.keys())
    if len(rounds) < LEAST_ROUNDS:
        return None
    try:
        found = compare(
            [ours[number] for number in rounds],
            [theirs[number] for number in rounds],
            by_wall=clock == "wall",
            margin=_NO_MARGIN,
        )
    except (KeyError, ValueError):  # a clock that read 0
        return None
    return found.primary if found.primary.clock == clock else None


def drifts_of(run: Run) -> dict[str, Drift]:
    """By contender of a sustained run; empty where a contender has fewer than two periods."""
    try:
        return {who.name: drift for who, drift in zip(run.contenders, drifts(run), strict=True)}
    except ValueError:
        return {}


def faster_by(rows: Sequence[Row], clock: str) -> Faster:
    """Whether the first of two rows is faster than the second beyond doubt.

    Args:
        rows: Of one run.
        clock: "cpu" or "wall".
    """

    @cache
    def interval(first: int, second: int) -> tuple[float, float] | None:
        found = ratio(rows[first], rows[second], clock)
        return found.ci95 if found else None

    def faster(first: int, second: int) -> bool:
        low, high = min(first, second), max(first, second)
        paired = interval(low, high)
        if paired is not None:
            return paired[0] > 1.0 if first == low else paired[1] < 1.0
        ours, theirs = rows[first].latency[clock], rows[second].latency[clock]
        if ours is None or theirs is None or not (ours.covers and theirs.covers):
            return False
        return disjoint_below((ours.low, ours.high), (theirs.low, theirs.high))

    return faster
