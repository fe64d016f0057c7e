"""Time quantized artifacts against float ones of the same target, side by side, on this machine.

Both have a fresh process with one thread and the model loaded; they compute in turns, a few
hundredths of a second each, so that what the machine does meanwhile falls on both. Each pair of
turns gives one ratio. A few seconds for a pair: enough to see whether int8 pays, no measurement to
publish (`edgekit profile` is). Nothing of it is kept in an artifact.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError
from edgekit.feeding import golden_sample
from edgekit.job import Job, Timing
from edgekit.measure import Measurement, Placement
from edgekit.progress import Progress, Report
from edgekit.statistics import median, median_interval
from edgekit.transports.local import LocalTransport

FLOAT = "fp32"
QUANTIZED = ("dynamic", "int8")

_PROCESSES = 3  # fresh pairs of processes: memory is laid out anew in each
_TURNS = 4  # of both, in each pair
_WARM = Timing(warmup_calls=10, seconds=0.02, min_calls=3)
_TURN = Timing(warmup_calls=1, seconds=0.04, min_calls=5)
_MOST_KINDS = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """One artifact's latency against another's.

    Attributes:
        label: Of the one, as a rule quantized.
        against: Of the other, as a rule fp32.
        target: Of both.
        ratio: Median of the paired ratios of latencies; below 1 the one is faster.
        ci95: Distribution-free 95 % interval of it.
        ms: Processor time of a call, one thread: median over the one's turns.
        against_ms: The same of the other.
        placement: Where the one's ops ran.
        against_placement: Where the other's did.
    """

    label: str
    against: str
    target: str
    ratio: float
    ci95: tuple[float, float]
    ms: float
    against_ms: float
    placement: Placement
    against_placement: Placement

    @property
    def slower(self) -> bool:
        """Whether it is slower beyond doubt."""
        return self.ci95[0] > 1.0

    def to_json(self) -> dict[str, Any]:
        return {
            "artifact": self.label,
            "against": self.against,
            "ratio": round(self.ratio, 4),
            "ci95": [round(bound, 4) for bound in self.ci95],
            "ms": round(self.ms, 6),
            "against_ms": round(self.against_ms, 6),
            "slower": self.slower,
            "threads": 1,
            "placement": self.placement.to_json(),
        }

    def __str__(self) -> str:
        low, high = self.ci95
        return f"{self.ratio:.2f} [{low:.2f}, {high:.2f}]"

    def why_slower(self) -> str:
        """What about where the ops ran explains it, in words."""
        mine, other = self.placement, self.against_placement
        # Without a delegate, all of the float file is in float.
        kinds = _largest(mine.left_out, other.left_out if other.delegated else {})
        if mine.partitions > max(1, other.partitions):
            return (
                f"the delegate runs it in {mine.partitions} pieces (float: {other.partitions}), "
                f"cut by {kinds or 'operators it refuses'}"
            )
        if kinds:
            return f"left in float or to slow kernels: {kinds}"
        return "all of it runs where the float file does: its 8-bit kernels are no faster here"


def time_against_float(artifacts: Sequence[Artifact], report: Report) -> tuple[Pace, ...]:
    """Time each quantized artifact whose float one is there, too.

    One that cannot be timed is reported and left out: its file is proven all the same.
    """
    floats = {one.target: one for one in artifacts if one.precision == FLOAT}
    found = []
    for artifact in artifacts:
        if artifact.precision in QUANTIZED and artifact.target in floats:
            try:
                found.append(time_pair(artifact, floats[artifact.target], report))
            except EdgekitError as error:
                report(Progress(f"timing {artifact.label}", 1, 1, f"failed: {error.message}"))
    return tuple(found)


def time_pair(artifact: Artifact, other: Artifact, report: Report) -> Pace:
    """Time an artifact against another one of the same target.

    Raises:
        EdgekitError: The runtime is missing, failed or crashed.
    """
    task = f"timing {artifact.label} against {other.label}"
    report(Progress(task, 0, _PROCESSES))
    turns: list[tuple[Measurement, Measurement]] = []
    with tempfile.TemporaryDirectory(prefix="edgekit-pace-") as place:
        pair = enumerate((artifact, other))
        jobs = [_job(one, Path(place) / str(number)) for number, one in pair]
        for number in range(_PROCESSES):
            turns += _turns(jobs)
            report(Progress(task, number + 1, _PROCESSES))
    ratios = [mine.cost_ns / theirs.cost_ns for mine, theirs in turns]
    return Pace(
        label=artifact.label,
        against=other.label,
        target=artifact.target,
        ratio=median(ratios),
        ci95=median_interval(ratios),
        ms=median([mine.cost_ns for mine, _ in turns]) / 1e6,
        against_ms=median([theirs.cost_ns for _, theirs in turns]) / 1e6,
        placement=turns[-1][0].placement,
        against_placement=turns[-1][1].placement,
    )


def _job(artifact: Artifact, scratch: Path) -> Job:
    return Job(
        action="measure",
        runtime=artifact.manifest.runtime,
        model=str(artifact.model_path.resolve()),
        inputs=golden_sample(artifact, scratch),
    )


def _turns(jobs: Sequence[Job]) -> list[tuple[Measurement, Measurement]]:
    """Turns of both in one fresh pair of processes; who begins alternates."""
    transport = LocalTransport()
    found = []
    with ExitStack() as stack:
        processes = [stack.enter_context(transport.repeating(job)) for job in jobs]
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(lambda measure: measure(_WARM), processes))
        mine, theirs = processes
        for number in range(_TURNS):
            if number % 2:
                second, first = theirs(_TURN), mine(_TURN)
            else:
                first, second = mine(_TURN), theirs(_TURN)
            found.append((first, second))
    return found


def _largest(mine: Mapping[str, int], other: Mapping[str, int]) -> str:
    """Kinds left out more often than in the float file, most first: `HARD_SWISH ×18`."""
    more = {kind: count - other.get(kind, 0) for kind, count in mine.items()}
    ranked = sorted(((-count, kind) for kind, count in more.items() if count > 0))
    return ", ".join(f"{kind} ×{-count}" for count, kind in ranked[:_MOST_KINDS])
