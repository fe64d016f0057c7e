"""Keep contenders computing for a long time, and see what becomes of their latency.

Every contender has one process that lives as long as the run; they compute in turns without a
pause, all on one core. A tenth of it is timed, and kept as a turn for every period. What the
machine does as it warms up (throttling, other clocks) then shows as drift. Knows runs and sessions.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.estimate import Estimate, student
from edgekit.measure import Measurement
from edgekit.measuring.rounds import RoundRules, jobs_of_round, take_turns
from edgekit.measuring.running import Keeper, Kept, jobs_of
from edgekit.progress import Progress, Report
from edgekit.run import Run, Turn
from edgekit.statistics import median
from edgekit.transports.connect import Device

PERIOD_S = 60.0

# A run shorter than so many minutes has shorter periods: the first and the last must differ.
_LEAST_PERIODS = 10
_BATCHES = 6

# Calls that are made and not timed, after each block: a processor warms up all the same, and what
# has to be kept stays small.
_WORK_S = 0.1


@dataclass(frozen=True, slots=True)
class Drift:
    """What became of a contender's latency from the first period to the last.

    Attributes:
        first_ms: Wall time of `invoke` in the first period: geometric mean over its stretches of
            their medians.
        last_ms: In the last one.
        ratio: Last divided by first.
        ci95: 95 % interval of it, by batch means (Schmeiser 1982, doi:10.1287/opre.30.3.556): the
            calls of one process are correlated, six stretches of a period hardly are.
        rank: Place among the contenders in the first period and in the last; 1 is the fastest.
        temperature_c: Hottest zone after the first and after the last period; None where unknown.
        cpu_khz: Clock after the first and after the last period; None where unknown.
    """

    first_ms: float
    last_ms: float
    ratio: float
    ci95: tuple[float, float]
    rank: tuple[int, int]
    temperature_c: tuple[float | None, float | None]
    cpu_khz: tuple[int | None, int | None]

    def to_json(self) -> dict[str, Any]:
        return {
            "first_ms": round(self.first_ms, 6),
            "last_ms": round(self.last_ms, 6),
            "ratio": round(self.ratio, 6),
            "ci95": [round(bound, 6) for bound in self.ci95],
            "rank": list(self.rank),
            "temperature_c": list(self.temperature_c),
            "cpu_khz": list(self.cpu_khz),
        }


def sustain(
    run: Run,
    artifacts: Sequence[Artifact],
    device: Device,
    rules: RoundRules,
    keeper: Keeper,
    *,
    seconds: float,
    report: Report,
) -> Kept:
    """Measure for `seconds` on end, and keep every period as soon as it is over.

    Raises:
        EdgekitError: As `Transport.session`; the periods before are kept.
    """
    number = keeper.begin(run)
    length = period_s(seconds)
    periods = max(2, round(seconds / length))
    count = len(run.contenders)
    task = f"measuring {count} artifact{'s' * (count > 1)} on {device.profile.name} without a pause"
    report(Progress(task, 0, periods))
    since = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgekit-run-") as scratch, ExitStack() as stack:
        jobs = jobs_of(run.contenders, artifacts, Path(scratch))
        placed, order, chance = jobs_of_round(jobs, 0, rules, device.environment.get("affinity"))
        sessions = {
            index: stack.enter_context(device.transport.session(placed[index])) for index in order
        }
        spins = any(job.threads > 1 for job in jobs)
        for period in range(periods):
            started = round(time.monotonic() - since, 3)
            take_turns(sessions, length / len(jobs), chance, spins=spins, work_s=_WORK_S)
            turns = [
                Turn(
                    contender=index,
                    round=period,
                    position=order.index(index),
                    cpu=placed[index].cpu,
                    started_s=started,
                    measurement=sessions[index].measurement(),
                )
                for index in range(len(jobs))
            ]
            keeper.add_round(number, turns)
            run = run.with_turns(*turns)
            report(Progress(task, period + 1, periods))
    keeper.finish(number)
    return Kept(number, run)


def period_s(seconds: float) -> float:
    """Length of a period: a minute, or a tenth of a run that is shorter than ten."""
    return min(PERIOD_S, seconds / _LEAST_PERIODS)


def drifts(run: Run) -> tuple[Drift, ...]:
    """What became of each contender, in their order.

    Raises:
        ValueError: Fewer than two periods.
    """
    measured = [run.measurements_of(index) for index in range(len(run.contenders))]
    if any(len(periods) < 2 for periods in measured):
        raise ValueError("drift needs two periods")
    firsts = [_level(periods[0]).value for periods in measured]
    lasts = [_level(periods[-1]).value for periods in measured]
    return tuple(
        _drift(periods[0], periods[-1], (_rank(firsts, index), _rank(lasts, index)))
        for index, periods in enumerate(measured)
    )


def _drift(first: Measurement, last: Measurement, rank: tuple[int, int]) -> Drift:
    before, after = _level(first), _level(last)
    difference = after.value - before.value
    error = math.hypot(before.error, after.error)
    spread = student(0.975, min(before.freedom, after.freedom)) * error
    facts = first.environment, last.environment
    return Drift(
        first_ms=math.exp(before.value) / 1e6,
        last_ms=math.exp(after.value) / 1e6,
        ratio=math.exp(difference),
        ci95=(math.exp(difference - spread), math.exp(difference + spread)),
        rank=rank,
        temperature_c=(facts[0].get("temperature_c"), facts[1].get("temperature_c")),
        cpu_khz=(facts[0].get("cpu_khz"), facts[1].get("cpu_khz")),
    )


def _level(measurement: Measurement) -> Estimate:
    """Mean over stretches of the log of their median calls."""
    calls = measurement.samples_ns
    count = min(_BATCHES, len(calls))
    cuts = [len(calls) * at // count for at in range(count + 1)]
    levels = [math.log(max(1.0, median(calls[start:end]))) for start, end in pairwise(cuts)]
    mean = math.fsum(levels) / count
    if count < 2:
        return Estimate(mean, math.inf, 1)
    variance = math.fsum((level - mean) ** 2 for level in levels) / (count - 1)
    return Estimate(mean, math.sqrt(variance / count), count - 1)


def _rank(values: Sequence[float], index: int) -> int:
    return 1 + sum(value < values[index] for value in values)
