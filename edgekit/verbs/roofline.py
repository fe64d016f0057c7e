"""Say how near artifacts are to what this machine can do at most.

Measures the machine (or takes what is known of it), counts each artifact's work in its file, and
takes its latency from a run that is kept, or measures it. The work itself is `edgekit.roofline`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.environment import unlike
from edgekit.errors import DeviceError, UsageError
from edgekit.measuring.contenders import Asked, gather
from edgekit.measuring.rounds import RoundRules
from edgekit.measuring.running import Plan, carry_out, new_run
from edgekit.process import available_cores
from edgekit.progress import Progress, Report, silent
from edgekit.roofline.counting.folding import count_file
from edgekit.roofline.limits import Machine
from edgekit.roofline.probing.measuring import USUAL, Effort, measure_machine
from edgekit.roofline.shares import Figure, Measured, Row, Subject, roofline_rows
from edgekit.run import Contender, Run, read_run
from edgekit.store import Store
from edgekit.summary import ENOUGH_PROCESSES, summarise

DEVICE = "local-cpu"  # the limits are of the machine edgekit runs on
ROUNDS = 9

_ON_CPU = (None, "none", "xnnpack")


@dataclass(frozen=True, slots=True)
class RooflineResult:
    """The machine, and every artifact against it.

    Attributes:
        machine: Its limits.
        rows: One per artifact and setting, in the order they were named.
    """

    machine: Machine
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "machine": {**self.machine.to_json(), "notes": list(self.machine.notes)},
            "rows": [row.to_json() for row in self.rows],
        }


def roofline(
    asked: Sequence[Asked],
    *,
    runtime: str | None = None,
    threads: int | None = None,
    run: Path | None = None,
    anew: bool = False,
    fresh: bool = False,
    rounds: int = ROUNDS,
    effort: Effort = USUAL,
    report: Report = silent,
) -> RooflineResult:
    """Artifacts' shares of this machine's limits; without artifacts, the limits alone.

    Args:
        asked: Artifact folders, or folders that hold some, with their settings.
        runtime: Runtime to use for all that name none.
        threads: Threads for all that name none. The machine is measured with one thread, with all
            cores and with these.
        run: File of a run (`edgekit profile --out`) to take latencies from, instead of the newest
            of the store.
        anew: Measure latencies even where a run is kept.
        fresh: Measure the machine even if its limits are known.
        rounds: Fresh processes per artifact, where its latency is measured.
        effort: How much of the machine is measured.
        report: Told about progress.

    Raises:
        UsageError: A target whose files cannot be counted, or a delegate that is no CPU.
        ArtifactError: A path holds no artifact, or a damaged one.
        DeviceError: The run is of another machine or lacks an artifact, or a runtime is missing.
        FileError: The run or the cache cannot be read or written.
        RuntimeFault: A runtime failed or crashed.
    """
    from edgekit.transports.connect import find_profile

    profile = find_profile(DEVICE)
    counts = [threads] if threads else []
    found = gather(asked, profile, runtime=runtime, threads=counts) if asked else []
    for contender, _ in found:
        if contender.delegate not in _ON_CPU:
            raise UsageError(
                f"{contender.name}: the delegate {contender.delegate} is no CPU; the limits are "
                "those of the CPU"
            )
    kept = (read_run(run), str(run)) if run else None
    counted = []
    for number, (_, artifact) in enumerate(found):
        report(Progress("counting work", number, len(found), artifact.label))
        counted.append(count_file(artifact.model_path, artifact.target))
    if found:
        report(Progress("counting work", len(found), len(found)))
    wanted = {1, available_cores(), *counts, *(contender.threads for contender, _ in found)}
    machine = measure_machine(sorted(wanted), effort=effort, fresh=fresh, report=report)
    latencies = _latencies(found, machine, kept, anew=anew, rounds=rounds, report=report)
    subjects = [
        Subject(
            name=contender.name,
            sha256=contender.sha256,
            counted=work,
            limits=machine.limits[contender.threads],
            measured=latency,
        )
        for (contender, _), work, latency in zip(found, counted, latencies, strict=True)
    ]
    return RooflineResult(machine, roofline_rows(subjects))


def _latencies(
    found: Sequence[tuple[Contender, Artifact]],
    machine: Machine,
    kept: tuple[Run, str] | None,
    *,
    anew: bool,
    rounds: int,
    report: Report,
) -> list[Measured]:
    """Of every contender: from the file, from the store, else measured now, side by side."""
    if not found:
        return []
    if kept is not None:
        run, source = kept
        differences = unlike(run.environment, machine.environment)
        if differences:
            raise DeviceError(
                f"{source}: measured in another environment than this machine's limits",
                *map(str, differences[:5]),
                hint="leave --run out, and the artifacts are measured here",
            )
        taken = [_of_run(run, contender, source) for contender, _ in found]
        for (contender, _), one in zip(found, taken, strict=True):
            if one is None:
                raise DeviceError(
                    f"{source}: holds no finished round of {contender.name} "
                    f"({contender.runtime}, {contender.threads} threads, {contender.sha256[:12]})",
                    hint="edgekit profile --out FILE writes a run that does",
                )
        return [one for one in taken if one is not None]
    with Store.open() as store:
        known = {
            index: latency
            for index, (contender, _) in enumerate(found)
            if not anew
            and (latency := _of_store(store, contender, machine.environment, processes=rounds))
        }
        missing = [index for index in range(len(found)) if index not in known]
        if missing:
            known |= _measure(store, found, missing, rounds, report)
    return [known[index] for index in range(len(found))]


def _of_store(
    store: Store, contender: Contender, environment: Mapping[str, Any], *, processes: int
) -> Measured | None:
    """The newest run of an artifact with these settings on this machine that has an interval.

    A run with fewer processes than that will do where no more would be measured now.
    """
    for stored in store.find(sha256=contender.sha256):
        if not unlike(stored.run.environment, environment) and _index(stored.run, contender) >= 0:
            source = f"run {stored.number} of {stored.run.started}"
            latency = _of_run(store.load(stored.number), contender, source)
            if latency and latency.processes >= min(processes, ENOUGH_PROCESSES):
                return latency
    return None


def _measure(
    store: Store,
    found: Sequence[tuple[Contender, Artifact]],
    missing: Sequence[int],
    rounds: int,
    report: Report,
) -> dict[int, Measured]:
    """Measure some contenders side by side; the run is kept like any other."""
    from edgekit.transports.connect import connect

    device = connect(DEVICE)
    timing = device.profile.timing
    rules = RoundRules(seconds=timing.seconds, warmup=timing.warmup, cooldown_s=timing.cooldown_s)
    contenders = [found[index][0] for index in missing]
    asked = {"rounds": rounds, **rules.to_json()}
    kept = carry_out(
        new_run("profile", device, contenders, asked, once=True),
        [found[index][1] for index in missing],
        device,
        rules,
        store,
        plan=lambda _seconds: Plan(rounds, rules.seconds),
        report=report,
    )
    source = f"run {kept.number}, measured now"
    return {
        index: latency
        for index in missing
        if (latency := _of_run(kept.run, found[index][0], source))
    }


def _index(run: Run, contender: Contender) -> int:
    """Place in a run of the same file with the same settings; -1 if it has none."""
    told = ("sha256", "runtime", "delegate", "threads")
    wanted = [getattr(contender, key) for key in told]
    for index, other in enumerate(run.contenders):
        if [getattr(other, key) for key in told] == wanted:
            return index
    return -1


def _of_run(run: Run, contender: Contender, source: str) -> Measured | None:
    """A contender's latency in a run: by CPU time with one thread, if that clock is fine enough."""
    index = _index(run, contender)
    measurements = run.measurements_of(index) if index >= 0 else ()
    if not measurements:
        return None
    figures = summarise(measurements)
    by_wall = contender.by_wall or not figures.cpu_ci95_ms[0]
    ms = (
        Figure(figures.median_ms, figures.ci95_ms)
        if by_wall
        else Figure(figures.cpu_median_ms, figures.cpu_ci95_ms)
    )
    return Measured(
        ms=ms,
        clock="wall" if by_wall else "cpu",
        processes=figures.processes,
        calls=figures.calls,
        source=source,
    )
