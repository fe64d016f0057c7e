"""Compare two contenders' latencies from rounds that both took part in.

Each round gives one number: the median over its pairs of blocks of log(B / A). Rounds are fresh
processes, so these numbers are independent, whatever the calls within a process are; their trimmed
mean with a Student interval is the estimate. How many rounds there are is fixed before the first
figure is seen. Knows measurements; measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.estimate import Estimate, trimmed_mean
from edgekit.measure import Measurement
from edgekit.statistics import median

# Fewer rounds give intervals that are too wide to be of use, and too rough to be believed. Even, so
# that each order of starting has its reverse.
LEAST_ROUNDS = 10

FASTER, SLOWER = "faster", "slower"
INDISTINGUISHABLE, INCONCLUSIVE = "indistinguishable", "inconclusive"

# The first call of a block finds the other process's data in the caches; how much it pays differs
# between runtimes. It is left out where there is enough besides.
_ENOUGH_TO_DROP = 4

# Runs of one contender that tell how far runs lie apart.
_ENOUGH_RUNS = 3


@dataclass(frozen=True, slots=True)
class Ratio:
    """B's latency divided by A's, by one clock.

    Attributes:
        clock: "cpu" (time of the process, all threads) or "wall".
        ratio: Below 1, B is faster.
        ci95: 95 % interval of it.
        detectable: Smallest relative difference that as many rounds as these, as noisy as these,
            find in 9 of 10 tries.
    """

    clock: str
    ratio: float
    ci95: tuple[float, float]
    detectable: float

    def to_json(self) -> dict[str, Any]:
        return {
            "clock": self.clock,
            "ratio": round(self.ratio, 6),
            "ci95": [round(bound, 6) for bound in self.ci95],
            "detectable": round(self.detectable, 6),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """What can be said about B against A.

    Attributes:
        primary: The ratio the verdict rests on.
        other: The ratio by the other clock; None where one of the clocks is too coarse.
        verdict: B is "faster" or "slower" than A beyond doubt; "indistinguishable", where the
            interval lies within the margin around 1; else "inconclusive".
        margin: Relative difference that does not matter, as asked for.
        rounds: Pairs of fresh processes.
        pairs: Pairs of blocks in all.
        median_ms: Of A and of B, by the primary clock: median of the per-process medians.
    """

    primary: Ratio
    other: Ratio | None
    verdict: str
    margin: float
    rounds: int
    pairs: int
    median_ms: tuple[float, float]

    @property
    def clocks_disagree(self) -> bool:
        """Whether the intervals by the two clocks are disjoint: something waits, or spins."""
        if self.other is None:
            return False
        (low, high), (other_low, other_high) = self.primary.ci95, self.other.ci95
        return low > other_high or other_low > high

    def to_json(self) -> dict[str, Any]:
        return {
            **self.primary.to_json(),
            "verdict": self.verdict,
            "margin": self.margin,
            "rounds": self.rounds,
            "pairs": self.pairs,
            "median_ms": [round(value, 6) for value in self.median_ms],
            "other_clock": self.other.to_json() if self.other else None,
            "clocks_disagree": self.clocks_disagree,
        }


def compare(
    first: Sequence[Measurement],
    second: Sequence[Measurement],
    *,
    by_wall: bool,
    margin: float,
) -> Comparison:
    """Compare measurements of the same rounds.

    Args:
        first: A's, one per round.
        second: B's, of the same rounds in the same order.
        by_wall: The primary clock is wall time: several threads, or an accelerator.
        margin: Relative difference that does not matter, in 0–1.

    Raises:
        ValueError: Fewer than two rounds, or not as many of A as of B.
    """
    ratios = {
        clock: ratio
        for clock in ("cpu", "wall")
        if (ratio := _ratio(first, second, clock)) is not None
    }
    clock = "cpu" if "cpu" in ratios and not by_wall else "wall"
    primary = ratios.pop(clock)
    return Comparison(
        primary=primary,
        other=next(iter(ratios.values()), None),
        verdict=verdict_of(primary.ci95, margin),
        margin=margin,
        rounds=len(first),
        pairs=sum(min(len(a.blocks), len(b.blocks)) for a, b in zip(first, second, strict=True)),
        median_ms=(_median_ms(first, clock), _median_ms(second, clock)),
    )


def compare_through(
    first: Sequence[Measurement],
    first_common: Sequence[Measurement],
    second: Sequence[Measurement],
    second_common: Sequence[Measurement],
    *,
    by_wall: bool,
    margin: float,
) -> Comparison:
    """Compare A of one run with B of another, through a contender that took part in both.

    What the machine did to that contender from one run to the other is taken to have been done to A
    and B as well: the ratio is (B / common) / (A / common), each paired within its run.

    Args:
        first: A's measurements.
        first_common: The common contender's, of the same rounds.
        second: B's, in the other run.
        second_common: The common contender's there.
        by_wall: As for `compare`.
        margin: As for `compare`.

    Raises:
        ValueError: A run with fewer than two rounds, or a clock too coarse.
    """
    clock = "wall" if by_wall else "cpu"
    parts = []
    for common, one in ((first_common, first), (second_common, second)):
        found = [round_difference(a, b, clock) for a, b in zip(common, one, strict=True)]
        if any(difference is None for difference in found):
            raise ValueError(f"the {clock} clock is too coarse")
        parts.append(trimmed_mean([one for one in found if one is not None]))
    return _of_estimates(parts[0], parts[1], (first, second), clock=clock, margin=margin)


def compare_apart(
    first: Sequence[Measurement],
    second: Sequence[Measurement],
    runs: Sequence[Sequence[Measurement]],
    *,
    by_wall: bool,
    margin: float,
) -> Comparison | None:
    """Compare two runs that have no contender in common.

    Processes of one run tell nothing about how far two runs lie apart. That is taken from other
    runs of either contender on the same machine.

    Args:
        first: A's measurements.
        second: B's, in the other run.
        runs: Several runs of one and the same contender, which tell how far runs lie apart.
        by_wall: As for `compare`.
        margin: As for `compare`.

    Returns:
        None with fewer than three such runs: nothing is known then.
    """
    clock = "wall" if by_wall else "cpu"
    if len(runs) < _ENOUGH_RUNS:
        return None
    levels = [trimmed_mean(_log_medians(one, clock)).value for one in runs]
    mean = math.fsum(levels) / len(levels)
    spread = math.fsum((level - mean) ** 2 for level in levels) / (len(levels) - 1)
    parts = [
        Estimate(one.value, math.sqrt(one.error**2 + spread), len(levels) - 1)
        for one in (trimmed_mean(_log_medians(side, clock)) for side in (first, second))
    ]
    return _of_estimates(parts[0], parts[1], (first, second), clock=clock, margin=margin)


def verdict_of(ci95: tuple[float, float], margin: float) -> str:
    """What an interval of a ratio says, given the difference that does not matter."""
    low, high = ci95
    if high < 1.0:
        return FASTER
    if low > 1.0:
        return SLOWER
    if low >= 1.0 - margin and high <= 1.0 + margin:
        return INDISTINGUISHABLE
    return INCONCLUSIVE


def round_difference(first: Measurement, second: Measurement, clock: str) -> float | None:
    """log(B / A) of one round: the median over its pairs of blocks.

    Returns:
        None where the clock is too coarse to tell a call from nothing.
    """
    pairs = list(zip(_block_medians(first, clock), _block_medians(second, clock), strict=False))
    if any(a <= 0 or b <= 0 for a, b in pairs):
        return None
    return median([math.log(b / a) for a, b in pairs])


def _ratio(first: Sequence[Measurement], second: Sequence[Measurement], clock: str) -> Ratio | None:
    differences = [round_difference(a, b, clock) for a, b in zip(first, second, strict=True)]
    known = [one for one in differences if one is not None]
    if len(known) < len(differences):
        return None
    return _as_ratio(trimmed_mean(known), clock)


def _as_ratio(estimate: Estimate, clock: str) -> Ratio:
    low, high = estimate.interval()
    return Ratio(
        clock=clock,
        ratio=math.exp(estimate.value),
        ci95=(math.exp(low), math.exp(high)),
        detectable=math.expm1(estimate.detectable(power=0.9)),
    )


def _of_estimates(
    first: Estimate,
    second: Estimate,
    measured: tuple[Sequence[Measurement], Sequence[Measurement]],
    *,
    clock: str,
    margin: float,
) -> Comparison:
    """B's level against A's, each from a run of its own."""
    primary = _as_ratio(
        Estimate(
            second.value - first.value,
            math.hypot(first.error, second.error),
            min(first.freedom, second.freedom),  # the careful choice: Welch's is never below
        ),
        clock,
    )
    return Comparison(
        primary=primary,
        other=None,
        verdict=verdict_of(primary.ci95, margin),
        margin=margin,
        rounds=min(map(len, measured)),
        pairs=0,
        median_ms=(_median_ms(measured[0], clock), _median_ms(measured[1], clock)),
    )


def _log_medians(measurements: Sequence[Measurement], clock: str) -> list[float]:
    chosen = [one.cpu_ns if clock == "cpu" else one.samples_ns for one in measurements]
    return [math.log(max(1.0, median(calls))) for calls in chosen]


def _block_medians(measurement: Measurement, clock: str) -> list[float]:
    calls = measurement.cpu_ns if clock == "cpu" else measurement.samples_ns
    found, start = [], 0
    for length in measurement.blocks:
        skipped = 1 if length >= _ENOUGH_TO_DROP else 0
        found.append(median(calls[start + skipped : start + length]))
        start += length
    return found


def _median_ms(measurements: Sequence[Measurement], clock: str) -> float:
    chosen = [one.cpu_ns if clock == "cpu" else one.samples_ns for one in measurements]
    return median([median(calls) / 1e6 for calls in chosen])
