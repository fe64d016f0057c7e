"""What kept layers cost: a mixed file timed against the plain int8 file and the float file.

Every round starts a fresh process for each file, one after the other, so that what the machine does
meanwhile falls on all of them; what is compared is processor time, pair by pair of one round.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.job import Job, Timing
from edgekit.statistics import median, median_interval
from edgekit.transports.base import Transport

MOST_ROUNDS = 6  # with fewer, no interval of a median reaches 95 %
LEAST_ROUNDS = 3
_TIMING = Timing(warmup_calls=5, seconds=0.2, min_calls=5)


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of processor time of one call, one thread.

    Attributes:
        mixed_ms: Of the mixed file, median of the rounds.
        int8_ms: Of the plain int8 file.
        fp32_ms: Of the float file of that target; None where there is none.
        extra_ms: What the mixed file takes longer than the plain one, median of the rounds' pairs.
        extra_ci95_ms: Its interval.
        ratio: How many times as long, likewise.
        ratio_ci95: Its interval.
        rounds: Fresh processes for each file.
    """

    mixed_ms: float
    int8_ms: float
    fp32_ms: float | None
    extra_ms: float
    extra_ci95_ms: tuple[float, float]
    ratio: float
    ratio_ci95: tuple[float, float]
    rounds: int

    @property
    def pays(self) -> bool:
        """Whether the mixed file is faster than the float file, as far as is known."""
        return self.fp32_ms is None or self.mixed_ms < self.fp32_ms

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"rounds": self.rounds}
        for name in ("mixed_ms", "int8_ms", "fp32_ms", "extra_ms", "ratio"):
            value = getattr(self, name)
            found[name] = None if value is None else round(value, 6)
        for name in ("extra_ci95_ms", "ratio_ci95"):
            found[name] = [round(bound, 6) for bound in getattr(self, name)]
        return found

    def __str__(self) -> str:
        """`+0.42 ms [+0.39, +0.45] (1.31 ×), fp32 2.10 ms`."""
        low, high = self.extra_ci95_ms
        digits = 2 if self.mixed_ms >= 1 else 3
        extra = f"{self.extra_ms:+.{digits}f} ms [{low:+.{digits}f}, {high:+.{digits}f}]"
        text = f"{extra} ({self.ratio:.2f} ×)"
        return text if self.fp32_ms is None else f"{text}, fp32 {self.fp32_ms:.{digits}f} ms"


def measure_cost(
    transport: Transport,
    runtime: str,
    files: Mapping[str, Path],
    sample: Mapping[str, Path],
    *,
    seconds: float,
) -> Cost:
    """Time files side by side.

    Args:
        transport: The way to the device.
        runtime: Runtime of all of them.
        files: "mixed", "int8" and, where there is one, "fp32" → model file.
        sample: The same keys → a sample as that file takes it.
        seconds: After which no further round begins, once there are enough.
    """
    jobs = {
        name: Job(
            action="measure",
            runtime=runtime,
            model=str(file),
            inputs=str(sample[name]),
            timing=_TIMING,
        )
        for name, file in files.items()
    }
    rounds: list[dict[str, float]] = []
    start = time.monotonic()
    while len(rounds) < MOST_ROUNDS:
        if len(rounds) >= LEAST_ROUNDS and time.monotonic() - start > seconds:
            break
        names = list(jobs) if len(rounds) % 2 else list(jobs)[::-1]
        found = {}
        for name in names:
            measurement = transport.run(jobs[name]).measurement
            assert measurement is not None  # the transport checked
            found[name] = measurement.cost_ns / 1e6
        rounds.append(found)
    extra = [one["mixed"] - one["int8"] for one in rounds]
    ratio = [one["mixed"] / one["int8"] for one in rounds]
    return Cost(
        mixed_ms=median([one["mixed"] for one in rounds]),
        int8_ms=median([one["int8"] for one in rounds]),
        fp32_ms=median([one["fp32"] for one in rounds]) if "fp32" in jobs else None,
        extra_ms=median(extra),
        extra_ci95_ms=median_interval(extra),
        ratio=median(ratio),
        ratio_ci95=median_interval(ratio),
        rounds=len(rounds),
    )
