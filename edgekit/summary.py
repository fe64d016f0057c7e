"""Several processes' measurements of one artifact, in figures with intervals.

Calls within a process are strongly correlated, so each process counts once. Knows measurements;
compares no two artifacts (`edgekit.measuring.comparison` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.measure import Measurement
from edgekit.statistics import median, median_interval, quantile

# With fewer, no distribution-free interval of a median reaches 95 %.
ENOUGH_PROCESSES = 6

# Percentile → timed calls of a process that leave six or more beyond it, or 99 % of the chance that
# the highest is beyond it: with fewer it is not a percentile but the noise of a few calls.
CALLS_NEEDED = {90: 64, 95: 130, 99: 662}


@dataclass(frozen=True, slots=True)
class Tail:
    """A percentile of the wall time of `invoke`.

    Attributes:
        ms: Median of the per-process percentiles.
        ci95_ms: Distribution-free 95 % interval of it over the processes, as `Summary.ci95_ms`.
    """

    ms: float
    ci95_ms: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        return {"ms": round(self.ms, 6), "ci95_ms": [round(bound, 6) for bound in self.ci95_ms]}


@dataclass(frozen=True, slots=True)
class Summary:
    """Several processes' measurements of one artifact, in figures.

    Attributes:
        median_ms: Median of the per-process medians of `invoke`.
        ci95_ms: Distribution-free 95 % interval of it over the processes; with fewer than six
            processes the range, which covers less.
        cpu_median_ms: Median of the per-process medians of CPU time.
        cpu_ci95_ms: Its interval, likewise.
        call_median_ms: Median of the per-process medians of the whole call.
        tails: Percentile (90, 95, 99) → its figure; absent where any process made fewer timed calls
            than `CALLS_NEEDED`.
        warmup_ms: Median over the processes of the second call, the first of the warm-up; None
            without one.
        first_ms: Median first call.
        load_ms: Median load.
        peak_rss_bytes: Highest of all processes; None where unknown.
        processes: How many.
        calls: Timed calls in all.
    """

    median_ms: float
    ci95_ms: tuple[float, float]
    cpu_median_ms: float
    cpu_ci95_ms: tuple[float, float]
    call_median_ms: float
    first_ms: float
    load_ms: float
    peak_rss_bytes: int | None
    processes: int
    calls: int
    warmup_ms: float | None = None
    tails: Mapping[int, Tail] = field(default_factory=dict)

    @property
    def p90_ms(self) -> float | None:
        """The 90th percentile; None with too few calls for one."""
        return self.tails[90].ms if 90 in self.tails else None

    def to_json(self) -> dict[str, Any]:
        def ms(value: float | None) -> float | None:
            return None if value is None else round(value, 6)

        return {
            "median_ms": ms(self.median_ms),
            "ci95_ms": [ms(bound) for bound in self.ci95_ms],
            "cpu_median_ms": ms(self.cpu_median_ms),
            "cpu_ci95_ms": [ms(bound) for bound in self.cpu_ci95_ms],
            "call_median_ms": ms(self.call_median_ms),
            "p90_ms": ms(self.p90_ms),
            "tails": {f"p{percent}": tail.to_json() for percent, tail in self.tails.items()},
            "first_ms": ms(self.first_ms),
            "warmup_ms": ms(self.warmup_ms),
            "load_ms": ms(self.load_ms),
            "peak_rss_bytes": self.peak_rss_bytes,
            "processes": self.processes,
            # With fewer processes, what is called an interval is their range.
            "covers_95": self.processes >= ENOUGH_PROCESSES,
            "calls": self.calls,
        }


def summarise(measurements: Sequence[Measurement]) -> Summary:
    """Figures over fresh processes.

    Raises:
        ValueError: No measurements.
    """
    medians = [median(one.samples_ns) / 1e6 for one in measurements]
    cpu = [median(one.cpu_ns) / 1e6 for one in measurements]
    peaks = [one.peak_rss_bytes for one in measurements if one.peak_rss_bytes is not None]
    warmups = [one.warmup_ns[0] / 1e6 for one in measurements if one.warmup_ns]
    fewest = min((len(one.samples_ns) for one in measurements), default=0)
    return Summary(
        median_ms=median(medians),
        ci95_ms=median_interval(medians),
        cpu_median_ms=median(cpu),
        cpu_ci95_ms=median_interval(cpu),
        call_median_ms=median([median(one.call_ns) / 1e6 for one in measurements]),
        first_ms=median([one.first_ns / 1e6 for one in measurements]),
        load_ms=median([one.load_ns / 1e6 for one in measurements]),
        peak_rss_bytes=max(peaks, default=None),
        processes=len(measurements),
        calls=sum(len(one.samples_ns) for one in measurements),
        warmup_ms=median(warmups) if warmups else None,
        tails={
            percent: _tail(measurements, percent)
            for percent, needed in CALLS_NEEDED.items()
            if fewest >= needed
        },
    )


def _tail(measurements: Sequence[Measurement], percent: int) -> Tail:
    values = [quantile(one.samples_ns, percent / 100) / 1e6 for one in measurements]
    return Tail(median(values), median_interval(values))
