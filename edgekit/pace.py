"""Time quantized artifacts against float ones of the same target, side by side, on this machine.

As `edgekit compare` does, in the fewest rounds that give an interval: some seconds for a pair, to
see whether int8 pays. Nothing of it is kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError
from edgekit.feeding import golden_sample
from edgekit.job import Job
from edgekit.measure import Placement
from edgekit.measuring.comparison import LEAST_ROUNDS, compare
from edgekit.measuring.rounds import RoundRules, measure_round
from edgekit.progress import Progress, Report
from edgekit.run import Turn
from edgekit.transports.local import LocalTransport

FLOAT = "fp32"
QUANTIZED = ("dynamic", "int8")

_RULES = RoundRules(seconds=0.1)
_MOST_KINDS = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """One artifact's latency against another's.

    Attributes:
        label: Of the one, as a rule quantized.
        against: Of the other, as a rule fp32.
        target: Of both.
        ratio: Of their latencies (`edgekit.measuring.comparison`); below 1 the one is faster.
        ci95: 95 % interval of it.
        ms: Processor time of a call of the one, with one thread.
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
    report(Progress(task, 0, LEAST_ROUNDS))
    rounds: list[list[Turn]] = []
    transport, since = LocalTransport(), monotonic()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    with tempfile.TemporaryDirectory(prefix="edgekit-pace-") as place:
        jobs = [
            _job(one, Path(place) / str(number)) for number, one in enumerate((artifact, other))
        ]
        for number in range(LEAST_ROUNDS):
            rounds.append(
                measure_round(transport, jobs, number, rules=_RULES, cores=cores, since=since)
            )
            report(Progress(task, number + 1, LEAST_ROUNDS))
    mine, theirs = ([turns[side].measurement for turns in rounds] for side in (0, 1))
    found = compare(theirs, mine, by_wall=False, margin=0.0)
    against_ms, ms = found.median_ms
    return Pace(
        label=artifact.label,
        against=other.label,
        target=artifact.target,
        ratio=found.primary.ratio,
        ci95=found.primary.ci95,
        ms=ms,
        against_ms=against_ms,
        placement=mine[-1].placement,
        against_placement=theirs[-1].placement,
    )


def _job(artifact: Artifact, scratch: Path) -> Job:
    return Job(
        action="measure",
        runtime=artifact.manifest.runtime,
        model=str(artifact.model_path.resolve()),
        inputs=golden_sample(artifact, scratch),
    )


def _largest(mine: Mapping[str, int], other: Mapping[str, int]) -> str:
    """Kinds left out more often than in the float file, most first: `HARD_SWISH ×18`."""
    more = {kind: count - other.get(kind, 0) for kind, count in mine.items()}
    ranked = sorted(((-count, kind) for kind, count in more.items() if count > 0))
    return ", ".join(f"{kind} ×{-count}" for count, kind in ranked[:_MOST_KINDS])
