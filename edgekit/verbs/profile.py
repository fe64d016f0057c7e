"""Measure artifacts on a device: latency, memory, placement, beside their proven accuracy.

All of them take part in every round (`edgekit.measuring.rounds`): any two can be compared later.
Every finished round is kept in the store at once; a run that was ended is gone on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.files import canonical_json, check_place, write_atomic
from edgekit.measure import Measurement
from edgekit.measuring.comparison import Comparison, compare
from edgekit.measuring.contenders import Asked, gather
from edgekit.measuring.passing import add_passes
from edgekit.measuring.rounds import RoundRules
from edgekit.measuring.running import Plan, carry_out, new_run
from edgekit.measuring.sustained import Drift, drifts, period_s, sustain
from edgekit.progress import Report, silent
from edgekit.run import Contender, Run
from edgekit.store import Store
from edgekit.summary import Summary, summarise

# Relative difference that `profile` calls none; `edgekit compare` has a choice.
MARGIN = 0.03


@dataclass(frozen=True, slots=True)
class Row:
    """One contender's figures.

    Attributes:
        contender: Who was measured.
        device: Name of the device profile.
        measurements: Of its processes, in order of time.
        summary: Their figures.
        against_first: Compared with the run's first contender; None for that one itself, and for
            one by another clock.
    """

    contender: Contender
    device: str
    measurements: tuple[Measurement, ...]
    summary: Summary
    against_first: Comparison | None

    def to_json(self) -> dict[str, Any]:
        one, figures = self.contender, self.summary
        return {
            "artifact": one.path,
            "name": one.name,
            "model": one.model,
            "target": one.target,
            "precision": one.precision,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "device": self.device,
            "runtime": one.runtime,
            "delegate": one.delegate,
            "threads": one.threads,
            **figures.to_json(),
            "against_first": self.against_first.to_json() if self.against_first else None,
            "samples_ns": [ns for turn in self.measurements for ns in turn.samples_ns],
            "call_ns": [ns for turn in self.measurements for ns in turn.call_ns],
            "cpu_ns": [ns for turn in self.measurements for ns in turn.cpu_ns],
            "calls_of_processes": [len(turn.samples_ns) for turn in self.measurements],
            "placement": self.measurements[-1].placement.to_json(),
            "kind": "measured",
            "metric": None if one.metric is None else dict(one.metric),
            "parity": dict(one.parity),
        }


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """All rows of one run.

    Attributes:
        rows: One per contender, in the order they were named.
        run: With every raw sample.
        number: Of the run in the store.
        resumed: Rounds that an ended run had left.
        drifts: One per row, of a sustained run; else empty.
    """

    rows: tuple[Row, ...]
    run: Run
    number: int
    resumed: int = 0
    drifts: tuple[Drift, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.number,
            "started": self.run.started,
            "resumed_rounds": self.resumed,
            "rows": [row.to_json() for row in self.rows],
            "drift": [drift.to_json() for drift in self.drifts] or None,
            "environment": dict(self.run.environment),
            "rules": dict(self.run.rules),
            "passes": {name: dict(found) for name, found in self.run.passes.items()},
        }


def profile(
    asked: Sequence[Asked],
    *,
    device: str = "local-cpu",
    runtime: str | None = None,
    threads: Sequence[int] = (),
    rounds: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    out: Path | None = None,
    fresh: bool = False,
    sustained_s: float | None = None,
    passes: Sequence[str] = (),
    report: Report = silent,
) -> ProfileResult:
    """Measure artifacts side by side.

    Args:
        asked: Artifact folders, or folders that hold some, with their settings.
        device: Name or path of a device profile.
        runtime: Runtime to use for all; by default the device's preference for each.
        threads: Overrides the profile's; several for a sweep.
        rounds: Fresh processes per contender; overrides the profile's.
        seconds: Timed calls in each; overrides the profile's.
        seed: Of the orders and the cores.
        out: File for the run with its raw samples, besides the store.
        fresh: Begin anew, even if a run of the same was ended before its last round.
        sustained_s: Instead of rounds, keep all of them computing in turns for so many seconds.
        passes: What else to find out after the rounds, in processes of its own (`edgekit.passes`).
        report: Told about progress.

    Raises:
        ArtifactError: A path holds no artifact, or one is damaged; nothing was measured.
        FileError: `out` cannot be written; nothing was measured.
        StoreError: The store cannot be written; nothing was measured.
        DeviceError: The device is absent, not what its profile says, or a delegate ran nothing.
        RuntimeFault: A runtime failed or crashed; the rounds before are kept.
    """
    from edgekit.transports.connect import connect, find_profile

    found = gather(asked, find_profile(device), runtime=runtime, threads=threads)
    if out is not None:
        check_place(out, "--out names the file for the raw samples")
    reached = connect(device)
    usual = reached.profile.timing
    rules = RoundRules(
        seconds=seconds or usual.seconds,
        warmup=usual.warmup,
        cooldown_s=usual.cooldown_s,
        seed=seed,
    )
    contenders, artifacts = (list(side) for side in zip(*found, strict=True))
    with Store.open() as store:
        if sustained_s is not None:
            told = {"sustained_s": sustained_s, "period_s": period_s(sustained_s)}
            run = new_run("sustained", reached, contenders, {**told, **rules.to_json()}, once=True)
            kept = sustain(
                run, artifacts, reached, rules, store, seconds=sustained_s, report=report
            )
        else:
            count = rounds or usual.rounds
            kept = carry_out(
                new_run(
                    "profile", reached, contenders, {"rounds": count, **rules.to_json()}, once=fresh
                ),
                artifacts,
                reached,
                rules,
                store,
                plan=lambda _seconds: Plan(count, rules.seconds),
                report=report,
                resumable=not fresh,
            )
        run = add_passes(
            passes, kept.run, artifacts, reached, keeper=store, number=kept.number, report=report
        )
    if out is not None:
        write_atomic(out, canonical_json(run.to_json()))
    return ProfileResult(
        rows=rows_of(run),
        run=run,
        number=kept.number,
        resumed=kept.resumed,
        drifts=drifts(run) if sustained_s is not None else (),
    )


def rows_of(run: Run) -> tuple[Row, ...]:
    """Figures of every contender of a run."""
    measured = [run.measurements_of(index) for index in range(len(run.contenders))]
    rows = []
    for index, one in enumerate(run.contenders):
        # Periods of one process are no rounds of fresh ones: they tell nothing of a difference.
        paired = run.rounds > 1 and run.command != "sustained"
        alike = index > 0 and paired and one.by_wall == run.contenders[0].by_wall
        rows.append(
            Row(
                contender=one,
                device=run.device,
                measurements=measured[index],
                summary=summarise(measured[index]),
                against_first=compare(
                    measured[0], measured[index], by_wall=one.by_wall, margin=MARGIN
                )
                if alike
                else None,
            )
        )
    return tuple(rows)
