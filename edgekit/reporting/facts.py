"""What a report says, as data: artifacts with what proves them, runs with their figures.

Every figure has its interval and the number of processes or samples behind it; what was not
measured is None. Draws and words nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.artifact import Artifact
from edgekit.manifest import Parity
from edgekit.measure import Measurement, Placement
from edgekit.metrics import MetricValue, tells_labels
from edgekit.reporting.dominance import Standing
from edgekit.run import Contender, Run, Turn
from edgekit.statistics import median, median_interval, wilson
from edgekit.summary import ENOUGH_PROCESSES, Summary, summarise


@dataclass(frozen=True, slots=True)
class Reading:
    """A median over processes, each of which counts once.

    Attributes:
        value: The median.
        low: Lower end of its interval.
        high: Upper end.
        count: Processes.
    """

    value: float
    low: float
    high: float
    count: int

    @property
    def covers(self) -> bool:
        """Whether the interval is a 95 % one; with fewer processes it is their range."""
        return self.count >= ENOUGH_PROCESSES

    @staticmethod
    def of(values: Sequence[float]) -> Reading | None:
        """Of one value per process; None without any."""
        if not values:
            return None
        return Reading(median(values), *median_interval(values), len(values))

    def to_json(self) -> dict[str, Any]:
        return {
            "value": round(self.value, 6),
            "interval": [round(self.low, 6), round(self.high, 6)],
            "covers_95": self.covers,
            "processes": self.count,
        }


@dataclass(frozen=True, slots=True)
class Proven:
    """An artifact and what its manifest, or the run that measured it, says of it.

    Attributes:
        name: "mobilenet tflite-int8".
        model: Name of the model.
        target: "tflite", "onnx", "openvino", or a plug-in's.
        precision: As in the manifest.
        sha256: Digest of the model file.
        bytes: Its size.
        metric: The figure of accuracy; None without one.
        parity: Difference from the source model; None where it is not known.
        cost: Multiply–accumulates and parameters of the source model.
        kept: Layers of an int8 file that stayed in float.
        samples: Digest of the samples behind the metric; None where it is not known.
        gate: Whether it keeps its limit; None without one.
    """

    name: str
    model: str
    target: str
    precision: str
    sha256: str
    bytes: int
    metric: MetricValue | None
    parity: Parity | None
    cost: Mapping[str, Any]
    kept: int = 0
    samples: str | None = None
    gate: bool | None = None

    @property
    def labelled(self) -> bool:
        """Whether the place of its highest output is a label."""
        return tells_labels(self.metric.name if self.metric else None)

    @property
    def agreement(self) -> tuple[float, float] | None:
        """95 % interval of the share of samples with the source model's label, in 0–1."""
        if self.parity is None or not self.parity.samples:
            return None
        hits = round(self.parity.top1_agreement * self.parity.samples)
        return wilson(hits, self.parity.samples)

    @staticmethod
    def of_artifact(artifact: Artifact) -> Proven:
        """From its manifest."""
        manifest = artifact.manifest
        return Proven(
            name=f"{manifest.model} {artifact.label}",
            model=manifest.model,
            target=manifest.target,
            precision=manifest.precision,
            kept=len(manifest.kept),
            sha256=artifact.sha256,
            bytes=artifact.bytes,
            metric=None if manifest.metric is None else MetricValue.from_json(manifest.metric),
            parity=manifest.parity,
            cost=dict(manifest.cost),
            samples=(manifest.evaluation or {}).get("digest"),
            gate=(manifest.gate or {}).get("met"),
        )

    @staticmethod
    def of_contender(contender: Contender) -> Proven:
        """From what a run kept of it.

        Raises:
            ArtifactError: Its metric or parity is damaged.
        """
        return Proven(
            name=f"{contender.model} {contender.target}-{contender.precision}",
            model=contender.model,
            target=contender.target,
            precision=contender.precision,
            sha256=contender.sha256,
            bytes=contender.bytes,
            metric=None if contender.metric is None else MetricValue.from_json(contender.metric),
            parity=Parity.from_json(contender.parity) if contender.parity else None,
            cost=contender.cost,
        )

    def to_json(self) -> dict[str, Any]:
        agreement = self.agreement
        return {
            "name": self.name,
            "model": self.model,
            "target": self.target,
            "precision": self.precision,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metric": self.metric.to_json() if self.metric else None,
            "parity": self.parity.to_json() if self.parity else None,
            "agreement_ci95": [round(bound, 6) for bound in agreement] if agreement else None,
            "cost": dict(self.cost),
            "layers_kept_in_float": self.kept,
            "gate_met": self.gate,
        }


@dataclass(frozen=True, slots=True)
class OpTime:
    """One op in one inference: its runtime's name and kind, milliseconds, share of all ops."""

    name: str
    kind: str
    ms: float
    share: float


@dataclass(frozen=True, slots=True)
class Ops:
    """What a runtime's profiler said of one contender (`edgekit.passes`).

    Attributes:
        ops: Longest first.
        calls: Inferences that were profiled.
        call_ms: Median wall time of one of them.
        resolution_ms: Of the profiler's clock: an op that is shorter reads as 0.
        evidence: Where this was read.
    """

    ops: tuple[OpTime, ...]
    calls: int
    call_ms: float
    resolution_ms: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Row:
    """One contender in one run.

    Attributes:
        contender: Who.
        label: Its name, short where the model is the same all over the page.
        proven: What is known of its artifact.
        turns: Its processes, in order of time; empty where it was not measured.
        summary: Figures over them; None without any.
        latency: Clock ("cpu", "wall", "call") → median of the per-process medians, in
            milliseconds; None where the clock is too coarse for a call.
        phases: Load, first call, second call, and the whole call once settled, in milliseconds.
        memory: Peak resident memory of the process, in megabytes; None where the system hides it.
        processes: Fresh processes behind the figures; 1 in a sustained run, whose turns are the
            periods of one process and give no interval over processes.
        passes: Pass → its checked document (`edgekit.passes`).
        standing: What the others of the run say about it; None where accuracy or latency is not
            known, or the interval of latency covers less than 95 %.
    """

    contender: Contender
    label: str
    proven: Proven
    turns: tuple[Turn, ...]
    summary: Summary | None
    latency: Mapping[str, Reading | None]
    phases: Mapping[str, Reading | None]
    memory: Reading | None
    processes: int
    passes: Mapping[str, Any] = field(default_factory=dict)
    standing: Standing | None = None

    @staticmethod
    def of(
        contender: Contender,
        label: str,
        proven: Proven,
        turns: tuple[Turn, ...],
        passes: Mapping[str, Any],
        *,
        sustained: bool,
    ) -> Row:
        """With all its figures, worked out once.

        Args:
            contender: As in the run.
            label: To show.
            proven: Its artifact.
            turns: Its turns.
            passes: Its checked documents.
            sustained: The turns are periods of one process.
        """
        every = [turn.measurement for turn in turns]
        found = [] if sustained else every
        peaks = [one.peak_rss_bytes for one in (every[-1:] if sustained else every)]
        latency = {clock: _latency(found, clock) for clock in ("cpu", "wall", "call")}
        return Row(
            contender=contender,
            label=label,
            proven=proven,
            turns=turns,
            summary=summarise(found) if found else None,
            latency=latency,
            phases={
                "load": Reading.of([one.load_ns / 1e6 for one in found]),
                "first call": Reading.of([one.first_ns / 1e6 for one in found]),
                "second call": Reading.of(
                    [one.warmup_ns[0] / 1e6 for one in found if one.warmup_ns]
                ),
                "steady state": latency["call"],
            },
            memory=Reading.of([peak / 1e6 for peak in peaks if peak is not None]),
            processes=min(len(every), 1) if sustained else len(every),
            passes=passes,
        )

    @property
    def ops(self) -> Ops | None:
        """The pass "ops"; None without it, or where it is unavailable."""
        found = self.passes.get("ops", {})
        if "ops" not in found:
            return None
        keys = ("name", "kind", "ms", "share")
        return Ops(
            ops=tuple(OpTime(**{key: op[key] for key in keys}) for op in found["ops"]),
            calls=found["calls"],
            call_ms=found["call_ms"],
            resolution_ms=found["resolution_ms"],
            evidence=found["evidence"],
        )

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """One per process, in order of time."""
        return tuple(turn.measurement for turn in self.turns)

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where the ops ran: one entry unless processes differ."""
        found: list[Placement] = []
        for one in self.measurements:
            if one.placement not in found:
                found.append(one.placement)
        return tuple(found)


def calls_ns(measurement: Measurement, clock: str) -> tuple[int, ...]:
    """Raw samples of one process by a clock: "cpu", "wall" or "call"."""
    if clock == "cpu":
        return measurement.cpu_ns
    return measurement.samples_ns if clock == "wall" else measurement.call_ns


def _latency(measurements: Sequence[Measurement], clock: str) -> Reading | None:
    reading = Reading.of([median(calls_ns(one, clock)) / 1e6 for one in measurements])
    # A clock that ticks more slowly than a call takes says 0, which is no measurement.
    return reading if reading is not None and reading.low > 0 else None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run, ready to be shown.

    Attributes:
        run: The run.
        number: Its number in the store; None where it came from a file.
        rows: Its contenders, those that are shown.
        clock: What latencies of this run are compared by: "cpu" or "wall".
        left_out: Contenders of the run that the page does not show.
        finished: Whether all its rounds were measured, as far as the store knows.
    """

    run: Run
    number: int | None
    rows: tuple[Row, ...]
    clock: str
    left_out: int = 0
    finished: bool = True

    @property
    def calls(self) -> int:
        """Timed calls in all."""
        return sum(len(one.samples_ns) for row in self.rows for one in row.measurements)


@dataclass(frozen=True, slots=True)
class Facts:
    """All of a report.

    Attributes:
        artifacts: Each once, by digest and name.
        runs: Newest first, sustained ones last.
    """

    artifacts: tuple[Proven, ...]
    runs: tuple[RunFacts, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, sorted."""
        return tuple(sorted({one.model for one in self.artifacts}))
