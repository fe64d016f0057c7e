"""Hold figures against limits: pass, regression or inconclusive.

A figure with an interval passes where the whole of it keeps the limit, and is a regression where
the whole of it breaks it; an interval that spans the limit decides nothing, and no further rounds
are measured until it does: whoever goes on until a test agrees will find one that does.

Knows figures. Measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.checking.budget import (
    ACCURACY,
    DROP,
    LIMITS,
    MEMORY,
    PERCENTILES,
    SIZE,
    SLOWER,
    Gate,
)
from edgekit.measuring.comparison import Comparison
from edgekit.metrics import MetricValue
from edgekit.run import Contender, Run
from edgekit.statistics import median
from edgekit.summary import CALLS_NEEDED, Summary, summarise

PASS, REGRESSION, INCONCLUSIVE = "pass", "regression", "inconclusive"

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit of a gate, and what was found.

    Attributes:
        limit: Its key in the budget: "max_ms".
        bound: Its value.
        unit: Of both: "ms", "%", "MB", "points".
        verdict: `PASS`, `REGRESSION` or `INCONCLUSIVE`.
        measured: The figure; None where there is none.
        interval: 95 % interval of it; of memory, the least and the most of the processes; None
            where the figure is exact, or its interval unknown.
        count: How many it rests on; None where it is exact.
        counted: What they are: "processes", "rounds", "samples".
        note: What else has to be known to read it: the clock, the metric, why nothing is decided.
    """

    limit: str
    bound: float
    unit: str
    verdict: str
    measured: float | None = None
    interval: Interval | None = None
    count: int | None = None
    counted: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        def told(value: float | None) -> float | None:
            return None if value is None else round(value, 6)

        return {
            "limit": self.limit,
            "bound": self.bound,
            "unit": self.unit,
            "verdict": self.verdict,
            "measured": told(self.measured),
            "interval": [told(bound) for bound in self.interval] if self.interval else None,
            "count": self.count,
            "counted": self.counted or None,
            "note": self.note or None,
        }

    def __str__(self) -> str:
        """For people: `max_ms 2.13 [2.1, 2.2] ms, wanted at most 2 ms: regression`."""
        told = f"{self.limit} {self.figure()}, wanted {self.wanted()}: {self.verdict}"
        basis = self.basis()
        return f"{told} ({basis})" if basis else told

    def wanted(self) -> str:
        """`at most 2 ms`."""
        word = "at least" if self.limit.startswith("min_") else "at most"
        return f"{word} {self.bound:g} {self.unit}"

    def basis(self) -> str:
        """`CPU time, 9 processes`."""
        counted = f"{self.count:,} {self.counted}" if self.count else ""
        return ", ".join(part for part in (self.note, counted) if part)

    def figure(self) -> str:
        """`2.13 [2.1, 2.2] ms`."""
        if self.measured is None:
            return "unavailable"
        sign = "+" if self.limit in (SLOWER, DROP) else ""
        digits = _digits(self)
        shown = f"{self.measured:{sign}.{digits}f}"
        if self.interval is not None:
            low, high = self.interval
            shown += f" [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"
        return f"{shown} {self.unit}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found out about a gate's artifact.

    Attributes:
        contender: The artifact, as it was or would be run.
        run: The run it was measured in; None where no limit needed one.
        index: Of the contender in the run.
        comparison: With the baseline, which is A; None without one.
        metric: Its accuracy; None where no limit needs it.
        drop_unknown: Why it has no drop, where that is known.
    """

    contender: Contender
    run: Run | None = None
    index: int = 0
    comparison: Comparison | None = None
    metric: MetricValue | None = None
    drop_unknown: str | None = None


def judge(gate: Gate, figures: Figures) -> tuple[Finding, ...]:
    """One finding per limit, in the order of `LIMITS`."""
    summary = None
    if figures.run is not None:
        summary = summarise(figures.run.measurements_of(figures.index))
    found = []
    for limit, bound in gate.limits.items():
        if limit == SIZE:
            finding = _size(figures.contender, bound)
        elif limit in (ACCURACY, DROP):
            finding = _accuracy(limit, bound, figures, by_interval=gate.judge == "interval")
        elif limit == SLOWER:
            finding = _slower(bound, figures.comparison, gate.clock)
        elif limit == MEMORY:
            finding = _memory(bound, figures)
        elif limit == "max_ms":
            finding = _median(bound, summary, figures.contender, gate.clock)
        else:
            finding = _percentile(limit, bound, summary)
        found.append(finding)
    return tuple(found)


def verdict_at_most(interval: Interval, bound: float) -> str:
    """What an interval says about a figure that may be `bound` at most."""
    low, high = interval
    if high <= bound:
        return PASS
    return REGRESSION if low > bound else INCONCLUSIVE


def verdict_at_least(interval: Interval, bound: float) -> str:
    """What an interval says about a figure that has to be `bound` at least."""
    low, high = interval
    return verdict_at_most((-high, -low), -bound)


def _size(contender: Contender, bound: float) -> Finding:
    size = contender.bytes / 1e6
    return Finding(SIZE, bound, "MB", verdict_at_most((size, size), bound), size)


def _median(bound: float, summary: Summary | None, one: Contender, clock: str | None) -> Finding:
    assert summary is not None
    clock = clock or ("wall" if one.by_wall else "cpu")
    if clock == "cpu" and not summary.cpu_median_ms:
        return _unknown("max_ms", bound, "the clock of CPU time is too coarse here: clock = 'wall'")
    by_cpu = clock == "cpu"
    interval = summary.cpu_ci95_ms if by_cpu else summary.ci95_ms
    return Finding(
        limit="max_ms",
        bound=bound,
        unit="ms",
        verdict=verdict_at_most(interval, bound),
        measured=summary.cpu_median_ms if by_cpu else summary.median_ms,
        interval=interval,
        count=summary.processes,
        counted="processes",
        note=CLOCKS[clock],
    )


def _percentile(limit: str, bound: float, summary: Summary | None) -> Finding:
    assert summary is not None
    percent = PERCENTILES[limit]
    assert percent is not None
    tail = summary.tails.get(percent)
    if tail is None:
        return _unknown(
            limit,
            bound,
            f"fewer than {CALLS_NEEDED[percent]} timed calls in a process are too few for a "
            f"p{percent}: a longer budget_s",
        )
    return Finding(
        limit=limit,
        bound=bound,
        unit="ms",
        verdict=verdict_at_most(tail.ci95_ms, bound),
        measured=tail.ms,
        interval=tail.ci95_ms,
        count=summary.processes,
        counted="processes",
        note=CLOCKS["wall"],
    )


def _slower(bound: float, found: Comparison | None, clock: str | None) -> Finding:
    assert found is not None
    ratios = {one.clock: one for one in (found.primary, found.other) if one is not None}
    ratio = ratios.get(clock or found.primary.clock)
    if ratio is None:
        return _unknown(SLOWER, bound, f"the {clock} clock is too coarse here, or was not used")
    low, high = (100 * (value - 1) for value in ratio.ci95)
    return Finding(
        limit=SLOWER,
        bound=bound,
        unit="%",
        verdict=verdict_at_most((low, high), bound),
        measured=100 * (ratio.ratio - 1),
        interval=(low, high),
        count=found.rounds,
        counted="rounds",
        note=CLOCKS[ratio.clock],
    )


def _memory(bound: float, figures: Figures) -> Finding:
    assert figures.run is not None
    measured = figures.run.measurements_of(figures.index)
    peaks = [one.peak_rss_bytes / 1e6 for one in measured if one.peak_rss_bytes is not None]
    if len(peaks) < len(measured):
        return _unknown(MEMORY, bound, "this system does not tell")
    interval = (min(peaks), max(peaks))
    return Finding(
        limit=MEMORY,
        bound=bound,
        unit="MB",
        verdict=verdict_at_most(interval, bound),
        measured=median(peaks),
        interval=interval,
        count=len(peaks),
        counted="processes",
        note="least and most",
    )


def _accuracy(limit: str, bound: float, figures: Figures, *, by_interval: bool) -> Finding:
    metric = figures.metric
    assert metric is not None
    of_drop = limit == DROP
    if metric.scale.better < 0 and not of_drop:
        return _unknown(limit, bound, f"less {metric.name} is better: limit its {DROP}")
    value = metric.drop if of_drop else metric.value
    interval = metric.drop_ci95 if of_drop else metric.ci95
    if value is None:
        why = figures.drop_unknown or f"the source model's {metric.name} is not known"
        return _unknown(limit, bound, why)
    verdict_of = verdict_at_most if of_drop else verdict_at_least
    if not by_interval:
        verdict = verdict_of((value, value), bound)
    else:
        verdict = verdict_of(interval, bound) if interval else INCONCLUSIVE
    note = metric.name
    if by_interval and interval is None:
        note += ", whose drop has no interval here"
    return Finding(
        limit=limit,
        bound=bound,
        unit=metric.unit if of_drop else metric.scale.symbol,
        verdict=verdict,
        measured=value,
        interval=interval,
        count=metric.samples,
        counted="samples",
        note=f"{note} by {'interval' if by_interval else 'value'}",
    )


def _unknown(limit: str, bound: float, why: str) -> Finding:
    return Finding(limit, bound, LIMITS[limit][0], INCONCLUSIVE, note=why)


CLOCKS: Mapping[str, str] = {"cpu": "CPU time", "wall": "wall time"}


def _digits(finding: Finding) -> int:
    """Decimals: four digits of what has a unit of its own size, two of percents and points."""
    if finding.unit not in ("ms", "MB") or not finding.measured:
        return 2
    return min(6, max(2, 3 - math.floor(math.log10(finding.measured))))
