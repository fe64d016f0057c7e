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

from edgekit.measure import Measurement
from edgekit.statistics import Estimate, median, trimmed_mean

# Fewer rounds give intervals that are too wide to be of use, and too rough to be believed.
LEAST_ROUNDS = 9

FASTER, SLOWER = "faster", "slower"
INDISTINGUISHABLE, INCONCLUSIVE = "indistinguishable", "inconclusive"

# The first call of a block finds the other process's data in the caches; how much it pays differs
# between runtimes. It is left out where there is enough besides.
_ENOUGH_TO_DROP = 4


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
    estimate: Estimate = trimmed_mean(known)
    low, high = estimate.interval()
    return Ratio(
        clock=clock,
        ratio=math.exp(estimate.value),
        ci95=(math.exp(low), math.exp(high)),
        detectable=math.expm1(estimate.detectable(power=0.9)),
    )


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
