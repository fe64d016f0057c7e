"""Carry out a run: measure contenders round by round and keep every round as soon as it is done.

Knows devices and what keeps runs. Does not decide who is measured, and draws no conclusion.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from edgekit.artifact import Artifact
from edgekit.environment import DECIDING
from edgekit.job import Job
from edgekit.measuring.contenders import job_of
from edgekit.measuring.rounds import RoundRules, measure_round
from edgekit.progress import Progress, Report
from edgekit.run import Contender, Run, Turn, run_key
from edgekit.transports.connect import Device


class Keeper(Protocol):
    """What keeps runs: the store."""

    def begin(self, run: Run) -> int: ...
    def load(self, number: int) -> Run: ...
    def add_round(self, number: int, turns: Sequence[Turn]) -> None: ...
    def finish(self, number: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A run and where it is kept.

    Attributes:
        number: In the store.
        run: With all its rounds.
        resumed: Rounds that were there already, from a run that was ended.
        seconds: What the others took.
    """

    number: int
    run: Run
    resumed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes on after its first round.

    Attributes:
        rounds: How many, the first one included.
        seconds: Timed calls of each contender in the rounds to come.
    """

    rounds: int
    seconds: float


def new_run(
    command: str,
    device: Device,
    contenders: Sequence[Contender],
    rules: Mapping[str, Any],
    *,
    once: bool = False,
) -> Run:
    """A run without a round.

    Args:
        command: One of `edgekit.run.COMMANDS`.
        device: Where it will be measured.
        contenders: Who.
        rules: How.
        once: It is never gone on with, should it be ended.

    Raises:
        DeviceError: No time is measured on that device.
    """
    device.transport.refuse_latency()
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {
        "rules": dict(rules),
        # What a run that goes on must find as it was.
        "machine": {key: device.environment.get(key) for key in (*DECIDING, "affinity")},
        "once": time.time_ns() if once else None,
    }
    return Run(
        key=run_key(command, device.profile.name, told, tuple(contenders)),
        command=command,
        device=device.profile.name,
        started=started,
        rules=dict(rules),
        environment=dict(device.environment),
        contenders=tuple(contenders),
    )


def carry_out(
    run: Run,
    artifacts: Sequence[Artifact],
    device: Device,
    rules: RoundRules,
    keeper: Keeper,
    *,
    plan: Callable[[float], Plan],
    report: Report,
    resumable: bool = False,
) -> Kept:
    """Measure the rounds of a run that are not there yet.

    Args:
        run: Without rounds.
        artifacts: Of its contenders.
        device: Where.
        rules: How a round goes.
        keeper: Keeps each finished round; an ended run of the same key is gone on with.
        plan: Seconds that the first round took → how to go on. It is asked once, before any figure
            is looked at.
        report: Told about progress.
        resumable: The same command would go on with it; for whoever interrupts it.

    Raises:
        EdgekitError: As `measure_round`; the rounds before are kept.
        KeyboardInterrupt: With a note on the rounds that are kept.
    """
    begun = time.monotonic()
    number = keeper.begin(run)
    run = keeper.load(number)
    resumed = run.rounds
    task = f"measuring {len(run.contenders)} artifact{'s' * (len(run.contenders) > 1)}"
    task += f" on {device.profile.name}"
    cores = device.environment.get("affinity")
    with tempfile.TemporaryDirectory(prefix="edgekit-run-") as scratch:
        jobs = jobs_of(run.contenders, artifacts, Path(scratch))
        done = {turn.round for turn in run.turns}
        # Of a run that goes on, the clock does too.
        since = time.monotonic() - max((turn.started_s for turn in run.turns), default=0.0)
        total: int | None = None
        if done:
            rules, total = _planned(rules, plan(0.0))
        note = f"{resumed} rounds were there" if resumed else ""
        report(Progress(task, len(done), total, note))
        at = 0
        try:
            while total is None or at < total:
                if at not in done:
                    round_begun = time.monotonic()
                    turns = measure_round(
                        device.transport, jobs, at, rules=rules, cores=cores, since=since
                    )
                    keeper.add_round(number, turns)
                    run = run.with_turns(*turns)
                    if total is None:
                        rules, total = _planned(rules, plan(time.monotonic() - round_begun))
                    report(Progress(task, run.rounds, total))
                at += 1
        except KeyboardInterrupt as error:
            error.add_note(_told_of_kept(run, number, resumable=resumable))
            raise
    keeper.finish(number)
    return Kept(number, run, resumed, time.monotonic() - begun)


def jobs_of(
    contenders: Sequence[Contender], artifacts: Sequence[Artifact], scratch: Path
) -> list[Job]:
    """The jobs of contenders, whose samples go to a folder each below `scratch`."""
    return [
        job_of(contender, artifact, scratch / str(index))
        for index, (contender, artifact) in enumerate(zip(contenders, artifacts, strict=True))
    ]


def _told_of_kept(run: Run, number: int, *, resumable: bool) -> str:
    told = f"{run.rounds} finished round{'s' * (run.rounds != 1)} kept as run {number}"
    return f"{told}; the same command goes on with it" if resumable else told


def _planned(rules: RoundRules, plan: Plan) -> tuple[RoundRules, int]:
    return replace(rules, seconds=plan.seconds), plan.rounds
