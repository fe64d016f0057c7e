"""Compare two artifacts' latencies: faster, slower, indistinguishable or inconclusive.

Measures both in rounds of fresh processes until the budget is spent, or compares two contenders of
runs that are in the store; `edgekit.measuring.comparison` says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.environment import unlike
from edgekit.errors import DeviceError, UsageError
from edgekit.measure import Measurement, Placement
from edgekit.measuring.comparison import (
    LEAST_ROUNDS,
    Comparison,
    compare,
    compare_apart,
    compare_through,
)
from edgekit.measuring.contenders import Asked, distinct, gather
from edgekit.measuring.rounds import RoundRules
from edgekit.measuring.running import Plan, carry_out, new_run
from edgekit.progress import Report, silent
from edgekit.run import Contender, Run
from edgekit.store import Store

DEFAULT_BUDGET_S = 30.0
DEFAULT_MARGIN = 0.03

# Timed calls of each of the two in a round, at least. On an idle machine, starting the processes
# takes about as long.
SECONDS = 0.25
_MOST_SECONDS = 1.5

_KEPT = "run:"


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What was compared, and what came out.

    Attributes:
        first: A.
        second: B.
        comparison: B against A.
        source: What the figures are from, in words.
        runs: Numbers in the store of A's run and B's.
        device: Name of the device profile.
        environment: What the device said about itself.
        placements: Where the ops of A and of B ran.
        warnings: What makes it doubtful.
    """

    first: Contender
    second: Contender
    comparison: Comparison
    source: str
    runs: tuple[int, int]
    device: str
    environment: Mapping[str, Any]
    placements: tuple[Placement, Placement]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "a": _told(self.first),
            "b": _told(self.second),
            "device": self.device,
            **self.comparison.to_json(),
            "source": self.source,
            "runs": list(self.runs),
            "placement": {
                name: found.to_json() for name, found in zip("ab", self.placements, strict=True)
            },
            "environment": dict(self.environment),
            "warnings": list(self.warnings),
        }


def compare_live(
    first: Asked,
    second: Asked,
    *,
    device: str = "local-cpu",
    runtime: str | None = None,
    threads: int | None = None,
    budget_s: float = DEFAULT_BUDGET_S,
    margin: float = DEFAULT_MARGIN,
    seed: int | None = None,
    report: Report = silent,
) -> CompareResult:
    """Measure two artifacts side by side and compare them.

    Args:
        first: A.
        second: B.
        device: Name or path of a device profile.
        runtime: For whichever names none.
        threads: For whichever names none.
        budget_s: Seconds for the measuring; at least nine rounds are made, however long they take.
            How many is settled by the time the first round takes, never by its figures.
        margin: Relative difference that does not matter, in 0–1.
        seed: Of cores and orders; by default another one each time.
        report: Told about progress.

    Raises:
        UsageError: A or B names several artifacts, or they are measured by different clocks.
        EdgekitError: As `edgekit.verbs.profile.profile`.
    """
    from edgekit.transports.connect import connect, find_profile

    profile = find_profile(device)
    counts = [threads] if threads else []
    pair = []
    for one in (first, second):
        found = gather([one], profile, runtime=runtime, threads=counts)
        if len(found) != 1:
            raise UsageError(
                f"{one.path}: {len(found)} artifacts; a comparison takes one on either side",
                hint="edgekit profile measures many, and compares each with the first",
            )
        pair += found
    named = distinct([contender for contender, _ in pair])
    reached = connect(device)
    rules = RoundRules(
        seconds=SECONDS,
        warmup=profile.timing.warmup,
        cooldown_s=profile.timing.cooldown_s,
        seed=_seed() if seed is None else seed,
    )
    asked_for = {"budget_s": budget_s, "margin": margin, **rules.to_json()}
    with Store.open() as store:
        kept = carry_out(
            new_run("compare", reached, named, asked_for, once=True),
            [artifact for _, artifact in pair],
            reached,
            rules,
            store,
            plan=lambda seconds: plan_within(budget_s, seconds),
            report=report,
        )
    return of_one_run(kept.run, kept.number, 0, 1, margin)


def plan_within(budget_s: float, round_s: float) -> Plan:
    """How many rounds a budget pays for, and how long each contender is timed in those to come.

    Starting processes is paid for in every round: where it takes long, the round is timed longer.

    Args:
        budget_s: For all rounds.
        round_s: What the first round took, with `SECONDS` of timed calls of each contender.
    """
    start_s = max(0.0, round_s - 2 * SECONDS)
    affordable = (budget_s / LEAST_ROUNDS - start_s) / 2
    seconds = max(SECONDS, min(start_s / 2, affordable, _MOST_SECONDS))
    left = budget_s - round_s
    rounds = 1 + int(left / (start_s + 2 * seconds)) if left > 0 else 1
    return Plan(max(LEAST_ROUNDS, rounds), seconds)


def is_kept(text: str) -> bool:
    """Whether `text` names a contender of a run in the store: `run:12/2`."""
    return text.startswith(_KEPT)


def compare_kept(first: str, second: str, *, margin: float = DEFAULT_MARGIN) -> CompareResult:
    """Compare contenders of runs that are in the store; nothing is measured.

    Of one run, they are compared pair by pair. Of two, through an artifact that took part in both;
    without one, by how far runs of these artifacts are known to lie apart on this machine.

    Args:
        first: A, as `run:12/2` (the second contender), `run:12/NAME`, or `run:12` of one contender.
        second: B, likewise.
        margin: Relative difference that does not matter, in 0–1.

    Raises:
        UsageError: No such contender, or only one of A and B is of a run.
        StoreError: No such run.
        DeviceError: The runs are of unlike machines.
    """
    with Store.open() as store:
        (number, run, index), (other_number, other, other_index) = (
            _found(store, text) for text in (first, second)
        )
        if number == other_number:
            return of_one_run(run, number, index, other_index, margin)
        refuse_unlike(run, other)
        a, b = run.contenders[index], other.contenders[other_index]
        by_wall = a.by_wall or b.by_wall
        mine, theirs = run.measurements_of(index), other.measurements_of(other_index)
        warnings: tuple[str, ...] = ()
        common = _common(run, other)
        found: Comparison | None
        if common is not None:
            here, there = common
            source = f"runs {number} and {other_number}, through {run.contenders[here].name}"
            found = compare_through(
                mine,
                run.measurements_of(here),
                theirs,
                other.measurements_of(there),
                by_wall=by_wall,
                margin=margin,
            )
        else:
            runs = _others(store, run, a)
            source = f"runs {number} and {other_number}, and {len(runs)} runs of {a.name}"
            found = compare_apart(mine, theirs, runs, by_wall=by_wall, margin=margin)
            if found is None:
                raise UsageError(
                    f"{first} and {second} have no artifact in common, and {len(runs)} run"
                    f"{'s' * (len(runs) != 1)} of {a.name} on this machine are too few to know how "
                    "far two runs lie apart",
                    hint="edgekit compare A B measures both side by side; or profile each with a "
                    "third artifact, or often",
                )
            told = f"{len(runs)} runs of {a.name} lie apart"
            warnings = (
                f"no artifact took part in both runs: the interval rests on how far {told}",
            )
    return CompareResult(
        first=a,
        second=b,
        comparison=found,
        source=source,
        runs=(number, other_number),
        device=run.device,
        environment=run.environment,
        placements=(mine[-1].placement, theirs[-1].placement),
        warnings=warnings,
    )


def of_one_run(run: Run, number: int, first: int, second: int, margin: float) -> CompareResult:
    """Compare two contenders of one run, pair by pair.

    Raises:
        UsageError: The run has fewer than two rounds.
    """
    if run.rounds < 2:
        raise UsageError(
            f"the run has {run.rounds} finished round{'s' * (run.rounds != 1)}: nothing to compare",
            hint="edgekit profile --rounds 9",
        )
    a, b = run.contenders[first], run.contenders[second]
    mine, theirs = run.measurements_of(first), run.measurements_of(second)
    found = compare(mine, theirs, by_wall=a.by_wall or b.by_wall, margin=margin)
    warnings = []
    if found.clocks_disagree:
        warnings.append(
            "CPU time and wall time disagree: one of the two waits, or spins, more than the other"
        )
    if found.rounds < LEAST_ROUNDS:
        warnings.append(f"{found.rounds} rounds: the interval is rough below {LEAST_ROUNDS}")
    return CompareResult(
        first=a,
        second=b,
        comparison=found,
        source=(
            f"{found.rounds} rounds of fresh processes, {found.pairs} pairs of blocks; run {number}"
        ),
        runs=(number, number),
        device=run.device,
        environment=run.environment,
        placements=(mine[-1].placement, theirs[-1].placement),
        warnings=tuple(warnings),
    )


def refuse_unlike(run: Run, other: Run) -> None:
    """Refuse to compare runs of unlike machines.

    Raises:
        DeviceError: They differ in what decides latencies.
    """
    found = unlike(run.environment, other.environment)
    if found:
        raise DeviceError(
            "the two runs were measured on unlike machines",
            *map(str, found),
            hint="edgekit compare A B measures both on one machine",
        )


def _found(store: Store, text: str) -> tuple[int, Run, int]:
    """The number of a run, the run, and the index of the contender that is meant."""
    named, _, chosen = text.removeprefix(_KEPT).partition("/")
    if not is_kept(text) or not named.isdecimal():
        raise UsageError(
            f"{text}: a kept run is compared with a kept run",
            hint="run:12/2 for the second contender of run 12; edgekit history lists them",
        )
    run = store.load(int(named))
    names = [one.name for one in run.contenders]
    if chosen in names:
        return int(named), run, names.index(chosen)
    if not chosen and len(names) == 1:
        return int(named), run, 0
    if chosen.isdecimal() and 1 <= int(chosen) <= len(names):
        return int(named), run, int(chosen) - 1
    told = ", ".join(f"run:{named}/{at} {name}" for at, name in enumerate(names, 1))
    raise UsageError(f"{text} names no contender of the run", hint=f"one of: {told}")


def _common(run: Run, other: Run) -> tuple[int, int] | None:
    """Indices of a contender that took part in both runs."""
    theirs = {_identity(one): at for at, one in enumerate(other.contenders)}
    for at, one in enumerate(run.contenders):
        if _identity(one) in theirs:
            return at, theirs[_identity(one)]
    return None


def _others(store: Store, run: Run, contender: Contender) -> list[tuple[Measurement, ...]]:
    """Measurements of all runs of a contender on a machine like the run's."""
    found = []
    for stored in store.find(sha256=contender.sha256, device=run.device):
        if not unlike(run.environment, stored.run.environment):
            other = store.load(stored.number)
            found += [
                other.measurements_of(at)
                for at, one in enumerate(other.contenders)
                if _identity(one) == _identity(contender) and other.rounds > 1
            ][:1]
    return found


def _identity(contender: Contender) -> tuple[Any, ...]:
    return contender.sha256, contender.runtime, contender.delegate, contender.threads


def _told(contender: Contender) -> dict[str, Any]:
    keys = ("name", "path", "sha256", "target", "precision", "runtime", "delegate", "threads")
    return {key: getattr(contender, key) for key in keys}


def _seed() -> int:
    import secrets

    return secrets.randbelow(2**31)
