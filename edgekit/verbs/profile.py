"""Measure artifacts on a device: latency, memory, placement, beside their proven accuracy.

Every round starts one fresh process per artifact, in random order, on one core that the round has
chosen, so that what the machine does meanwhile falls on all artifacts alike. Raw samples are kept.
Compares nothing: two rows whose intervals overlap may still differ.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact, is_artifact
from edgekit.errors import ArtifactError, FileError, UsageError
from edgekit.feeding import golden_sample
from edgekit.files import canonical_json, digest_json, write_atomic
from edgekit.job import Job, Timing
from edgekit.measure import Measurement, Summary, summarise
from edgekit.progress import Progress, Report, silent

if TYPE_CHECKING:
    from edgekit.transports.connect import Device

FOLDER = Path("build") / "profile"

# History of the file: 1 (0.1.0) the first.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Turn:
    """One fresh process.

    Attributes:
        round: Counted from 0.
        position: Place in the round's order, counted from 0.
        cpu: Core it was pinned to; None if it was free.
        measurement: What it measured.
    """

    round: int
    position: int
    cpu: int | None
    measurement: Measurement

    def to_json(self) -> dict[str, Any]:
        found = self.measurement.to_json()
        # Placement is the row's; samples lie in the row one turn after the other.
        for key in ("samples_ns", "call_ns", "cpu_ns", "placement"):
            del found[key]
        calls = len(self.measurement.samples_ns)
        return {
            "round": self.round,
            "position": self.position,
            "cpu": self.cpu,
            "calls": calls,
            **found,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One artifact's figures.

    Attributes:
        artifact: What was measured.
        runtime: Runtime that ran it.
        delegate: Delegate that was asked for.
        threads: Threads the runtime could use.
        device: Name of the device profile.
        turns: Its processes, in order of time.
        summary: Their figures.
    """

    artifact: Artifact
    runtime: str
    delegate: str | None
    threads: int
    device: str
    turns: tuple[Turn, ...]
    summary: Summary

    def to_json(self) -> dict[str, Any]:
        manifest, figures = self.artifact.manifest, self.summary
        measured = [turn.measurement for turn in self.turns]
        placement = measured[-1].placement
        return {
            "artifact": str(self.artifact.path),
            "model": manifest.model,
            "target": manifest.target,
            "precision": manifest.precision,
            "bytes": self.artifact.bytes,
            "sha256": self.artifact.sha256,
            "device": self.device,
            "runtime": self.runtime,
            "delegate": self.delegate,
            "threads": self.threads,
            "median_ms": round(figures.median_ms, 6),
            "ci95_ms": [round(bound, 6) for bound in figures.ci95_ms],
            "cpu_median_ms": round(figures.cpu_median_ms, 6),
            "call_median_ms": round(figures.call_median_ms, 6),
            "p90_ms": None if figures.p90_ms is None else round(figures.p90_ms, 6),
            "first_ms": round(figures.first_ms, 6),
            "load_ms": round(figures.load_ms, 6),
            "peak_rss_bytes": figures.peak_rss_bytes,
            "samples_ns": [ns for one in measured for ns in one.samples_ns],
            "call_ns": [ns for one in measured for ns in one.call_ns],
            "cpu_ns": [ns for one in measured for ns in one.cpu_ns],
            "turns": [turn.to_json() for turn in self.turns],
            "placement": placement.to_json(),
            "kind": "measured",
            "metric": None if manifest.metric is None else dict(manifest.metric),
            "parity": manifest.parity.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """All rows of one run.

    Attributes:
        rows: One per artifact, in the order they were named.
        environment: What the device said about itself before the run.
        rules: Rounds, seconds, warm-up and seed.
        file: Where the raw samples were written.
    """

    rows: tuple[Row, ...]
    environment: Mapping[str, Any]
    rules: Mapping[str, Any]
    file: Path

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rows": [row.to_json() for row in self.rows],
            "environment": dict(self.environment),
            "rules": dict(self.rules),
            "file": str(self.file),
        }


def profile(
    paths: Sequence[Path],
    *,
    device: str = "local-cpu",
    runtime: str | None = None,
    threads: int | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    out: Path | None = None,
    report: Report = silent,
) -> ProfileResult:
    """Measure artifacts side by side.

    Args:
        paths: Artifact folders, or folders that hold some.
        device: Name or path of a device profile.
        runtime: Runtime to use for all; by default the device's preference for each.
        threads: Overrides the profile's.
        rounds: Fresh processes per artifact; overrides the profile's.
        seconds: Timed calls in each; overrides the profile's.
        seed: Of the order and the cores.
        out: File for the raw samples; by default `build/profile/<digest>.json`.
        report: Told about progress.

    Raises:
        ArtifactError: A path holds no artifact, or one is damaged; nothing was measured.
        FileError: The raw samples could not be kept; nothing was measured.
        DeviceError: The device is absent, not what its profile says, or a delegate ran nothing.
        RuntimeFault: A runtime failed or crashed.
    """
    from edgekit.transports.connect import connect

    artifacts = [Artifact.open(path) for path in expand(paths)]
    _check_place(out)
    reached = connect(device)
    rules = reached.profile.timing
    rounds = rounds or rules.rounds
    timing = Timing(warmup_calls=rules.warmup, seconds=seconds or rules.seconds)
    with tempfile.TemporaryDirectory(prefix="edgekit-profile-") as scratch:
        jobs = [
            Job(
                action="measure",
                runtime=reached.profile.runtime_for(artifact.target, runtime),
                model=str(artifact.model_path),
                threads=threads or reached.profile.threads,
                delegate=reached.profile.delegate,
                inputs=golden_sample(artifact, Path(scratch) / str(number)),
                timing=timing,
            )
            for number, artifact in enumerate(artifacts)
        ]
        labels = [artifact.label for artifact in artifacts]
        turns = _measure(jobs, labels, reached, schedule(len(jobs), rounds, seed, reached), report)
    rows = tuple(
        Row(
            artifact=artifact,
            runtime=job.runtime,
            delegate=job.delegate,
            threads=job.threads,
            device=reached.profile.name,
            turns=tuple(own),
            summary=summarise([turn.measurement for turn in own]),
        )
        for artifact, job, own in zip(artifacts, jobs, turns, strict=True)
    )
    used = {
        "rounds": rounds,
        "seconds": timing.seconds,
        "warmup_calls": timing.warmup_calls,
        "min_calls": timing.min_calls,
        "cooldown_s": rules.cooldown_s,
        "seed": seed,
    }
    return _kept(ProfileResult(rows, reached.environment, used, out or FOLDER), out)


def expand(paths: Sequence[Path]) -> list[Path]:
    """Artifact folders among `paths`, and those one or two levels below the other folders.

    Raises:
        UsageError: No paths.
        ArtifactError: A path neither is an artifact nor holds one.
    """
    if not paths:
        raise UsageError("no artifact was named", hint="edgekit profile build/MODEL")
    found: list[Path] = []
    for path in paths:
        if is_artifact(path):
            held = [path]
        else:
            manifests = (*path.glob("*/manifest.json"), *path.glob("*/*/manifest.json"))
            held = sorted(manifest.parent for manifest in manifests)
        if not held:
            what = "holds no artifact" if path.is_dir() else "no such artifact"
            raise ArtifactError(f"{path}: {what}", hint="edgekit export MODEL makes artifacts")
        found += [folder for folder in held if folder not in found]
    return found


def schedule(count: int, rounds: int, seed: int, device: Device) -> list[tuple[Any, list[int]]]:
    """Per round, the core and the order of `count` artifacts; drawn before anything is measured."""
    chance = random.Random(seed)
    cores = device.environment.get("affinity") or [None]
    return [(chance.choice(cores), chance.sample(range(count), count)) for _ in range(rounds)]


def _measure(
    jobs: Sequence[Job],
    labels: Sequence[str],
    device: Device,
    plan: Sequence[tuple[Any, list[int]]],
    report: Report,
) -> list[list[Turn]]:
    """All turns by artifact."""
    turns: list[list[Turn]] = [[] for _ in jobs]
    task = f"measuring {len(jobs)} artifact{'s' * (len(jobs) > 1)} on {device.profile.name}"
    total = len(plan) * len(jobs)
    report(Progress(task, 0, total))
    for number, (core, order) in enumerate(plan):
        for position, index in enumerate(order):
            if device.profile.timing.cooldown_s:
                time.sleep(device.profile.timing.cooldown_s)
            # Several threads need several cores: only a single one is pinned.
            cpu = core if jobs[index].threads == 1 else None
            measurement = device.transport.run(replace(jobs[index], cpu=cpu)).measurement
            assert measurement is not None  # the transport checked
            turns[index].append(Turn(number, position, cpu, measurement))
            report(Progress(task, number * len(jobs) + position + 1, total, labels[index]))
    return turns


def _check_place(out: Path | None) -> None:
    """Find out before the measuring, not after it, that the samples cannot be kept.

    Raises:
        FileError: The folder cannot be made or written.
        UsageError: The file is a folder.
    """
    if out is not None and out.is_dir():
        raise UsageError(f"{out}: a folder; --out names the file for the raw samples")
    folder = out.parent if out else FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise FileError.from_os_error(error) from error


def _kept(result: ProfileResult, out: Path | None) -> ProfileResult:
    """Write the raw samples, by default under a name made of their content."""
    content = result.to_json()
    del content["file"]
    file = out or FOLDER / f"{digest_json(content)[:16]}.json"
    write_atomic(file, canonical_json(content))
    return replace(result, file=file)
