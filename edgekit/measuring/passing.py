"""Run the passes of a profile: memory, ops, phases, energy, each in processes of its own.

They come before or after the timed rounds, never among them. A pass that fails is told in its
document and stops no other: a profiler that crashes is no reason to lose a measurement. Decides
nothing from what it finds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from edgekit.artifact import Artifact
from edgekit.errors import DeviceLostError, EdgekitError
from edgekit.feeding import golden_sample
from edgekit.job import Job, Timing
from edgekit.measuring.phases import PROCESSES, REPETITIONS, measure_phases
from edgekit.passes import Document, unavailable
from edgekit.progress import Progress, Report, silent
from edgekit.run import Run
from edgekit.transports.base import Transport
from edgekit.transports.connect import Device
from edgekit.transports.local import LocalTransport

MEMORY_CALLS = 50
OPS_CALLS = 100
WARMUP_CALLS = 20
ENERGY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Passing:
    """One contender's way through the passes.

    Attributes:
        name: The contender's name.
        artifact: What it is; None leaves out "phases".
        job: Runtime, model, threads, delegate and core; action and timing are filled in here.
    """

    name: str
    artifact: Artifact | None
    job: Job


class Keeper(Protocol):
    """What keeps documents: the store."""

    def add_pass(
        self, number: int, contender: int, name: str, document: Mapping[str, Any]
    ) -> None: ...


def add_passes(
    names: Sequence[str],
    run: Run,
    artifacts: Sequence[Artifact],
    device: Device,
    *,
    keeper: Keeper,
    number: int,
    report: Report = silent,
) -> Run:
    """Run the passes that a run has not yet, and keep each document as soon as it is there.

    Args:
        names: Of `edgekit.passes.PASSES`.
        run: Measured.
        artifacts: Of its contenders.
        device: Where it was measured.
        keeper: Keeps the documents.
        number: Of the run there.
        report: Told about progress.

    Returns:
        The run with the documents it had and the new ones.
    """
    cores = device.environment.get("affinity") or [None]
    found = {who: dict(documents) for who, documents in run.passes.items()}
    for index, (one, artifact) in enumerate(zip(run.contenders, artifacts, strict=True)):
        job = Job(
            action="measure",
            runtime=one.runtime,
            model=str(artifact.model_path.resolve()),
            threads=one.threads,
            delegate=one.delegate,
            options=one.options,
            # Several threads need several cores: only a single one is pinned.
            cpu=cores[0] if one.threads == 1 else None,
        )
        new = run_passes(
            [name for name in names if name not in found.get(one.name, {})],
            [Passing(one.name, artifact, job)],
            device.transport,
            report=report,
            keep=lambda _who, name, document, at=index: keeper.add_pass(  # type: ignore[misc]
                number, at, name, document
            ),
        )
        found[one.name] = {**found.get(one.name, {}), **new[one.name]}
    return replace(run, passes={who: documents for who, documents in found.items() if documents})


def run_passes(
    names: Sequence[str],
    contenders: Sequence[Passing],
    transport: Transport,
    *,
    energy_seconds: float = ENERGY_SECONDS,
    phase_processes: int = PROCESSES,
    phase_repetitions: int = REPETITIONS,
    report: Report = silent,
    keep: Callable[[str, str, Document], object] = lambda _contender, _name, _document: None,
) -> dict[str, dict[str, Document]]:
    """Run passes for contenders, one after the other.

    Args:
        names: Of `edgekit.passes.PASSES`.
        contenders: In the order they are run.
        transport: The way to the device.
        energy_seconds: Of each stretch of rest and of work.
        phase_processes: Fresh processes of "phases".
        phase_repetitions: Repetitions in each.
        report: Told about progress.
        keep: Told contender, pass and document as soon as there is one, to store it.

    Returns:
        Contender's name → pass → document, as in `edgekit.run.Run.passes`.
    """
    found: dict[str, dict[str, Document]] = {one.name: {} for one in contenders}
    total = len(names)
    for one in contenders:
        with tempfile.TemporaryDirectory(prefix="edgekit-passes-") as scratch:
            job = _with_sample(one, Path(scratch))
            for done, name in enumerate(names):
                report(Progress(f"passes of {one.name}", done, total, name))
                try:
                    if name == "phases":
                        document = _phases(one, transport, phase_processes, phase_repetitions)
                    else:
                        document = _on_device(name, job, transport, energy_seconds)
                except DeviceLostError:
                    raise  # says nothing of the pass: the next call runs it
                except EdgekitError as error:
                    document = unavailable(error.message)
                found[one.name][name] = document
                keep(one.name, name, document)
            if names:
                report(Progress(f"passes of {one.name}", total, total))
    return found


def _with_sample(one: Passing, scratch: Path) -> Job:
    if one.artifact is None or one.job.inputs:
        return one.job
    return replace(one.job, inputs=golden_sample(one.artifact, scratch / "sample"))


def _on_device(name: str, job: Job, transport: Transport, energy_seconds: float) -> Document:
    calls = {"memory": MEMORY_CALLS, "ops": OPS_CALLS}.get(name, 1)
    timing = Timing(warmup_calls=WARMUP_CALLS, seconds=energy_seconds, min_calls=calls)
    documents: Mapping[str, Document] = transport.run(
        replace(job, action=name, timing=timing)
    ).documents
    return documents[name]


def _phases(one: Passing, transport: Transport, processes: int, repetitions: int) -> Document:
    if one.artifact is None:
        return unavailable("only an artifact says how a sample becomes a tensor")
    if not isinstance(transport, LocalTransport):
        return unavailable("phases are edgekit's Python code on this machine, not on the device")
    return measure_phases(
        one.artifact,
        runtime=one.job.runtime,
        threads=one.job.threads,
        delegate=one.job.delegate,
        options=one.job.options,
        cpu=one.job.cpu,
        processes=processes,
        repetitions=repetitions,
    )
