"""How many samples travel at once: so many that a batch takes some seconds.

A job costs something whatever it carries: a process, a runtime, a model. So a batch also takes some
times as long as that. Knows counts and seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

FIRST = 4
ENOUGH_S = 5.0
ENOUGH_TIMES = 10  # of what a job costs without any sample
_GROWTH = 16


def next_count(timed: Sequence[tuple[int, float]], most: int) -> int:
    """Samples of the next batch, 1…`most`.

    Args:
        timed: Samples and seconds of the batches so far, in order.
        most: That may travel at once.
    """
    if not timed:
        return max(1, min(FIRST, most))
    count, seconds = timed[-1]
    if len(timed) == 1:  # two sizes tell apart what a job costs and what a sample does
        times = min(_GROWTH, max(2, int(ENOUGH_S / max(seconds, 1e-9))))
        return max(1, min(count // 2 if seconds >= ENOUGH_S else times * count, most))
    fixed = min(_fixed_s(timed), seconds)
    each = max(seconds - fixed, 1e-9) / count
    wanted = int((max(ENOUGH_S, ENOUGH_TIMES * fixed) - fixed) / each)
    return max(1, min(wanted, _GROWTH * count, most))


def _fixed_s(timed: Sequence[tuple[int, float]]) -> float:
    """Seconds that a job takes without any sample, by the smallest and the largest batch."""
    (few, short), (many, long) = min(timed), max(timed)
    if few == many:
        return 0.0
    each = max(0.0, long - short) / (many - few)
    return max(0.0, short - few * each)
