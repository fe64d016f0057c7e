"""Say how two contenders' latencies compare, from runs: of one run, or of two that are kept.

Of one run, they are compared pair by pair. Of two, through an artifact that took part in both;
without one, by how far runs of these artifacts are known to lie apart on this machine. Reads the
store. Measures nothing.
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
from edgekit.measuring.running import Kept, Plan
from edgekit.run import Contender, Run
from edgekit.store import Store

# Timed calls of each contender in a round, at least. On an idle machine, starting the processes
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
        runs: Numbers in the store of A's run and B's; None for one from a file.
        device: Name of the device profile.
        environment: What the device said about itself.
        placements: Where the ops of A and of B ran.
        warnings: What makes it doubtful.
    """

    first: Contender
    second: Contender
    comparison: Comparison
    source: str
    runs: tuple[int | None, int | None]
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


def plan_within(budget_s: float, round_s: float, contenders: int = 2) -> Plan:
    """How many rounds a budget pays for, and how long each contender is timed in those to come.

    Starting processes is paid for in every round: where it takes long, the round is timed longer.

    Args:
        budget_s: For all rounds.
        round_s: What the first round took, with `SECONDS` of timed calls of each contender.
        contenders: Of the run.
    """
    start_s = max(0.0, round_s - contenders * SECONDS)
    affordable = (budget_s / LEAST_ROUNDS - start_s) / contenders
    seconds = max(SECONDS, min(start_s / contenders, affordable, _MOST_SECONDS))
    left = budget_s - round_s
    rounds = 1 + int(left / (start_s + contenders * seconds)) if left > 0 else 1
    return Plan(max(LEAST_ROUNDS, rounds - rounds % 2), seconds)


def overrun(kept: Kept, budget_s: float) -> tuple[str, ...]:
    """A warning where the least number of rounds took far longer than the budget."""
    if kept.run.rounds > LEAST_ROUNDS or kept.seconds <= 1.25 * budget_s:
        return ()
    least = f"{LEAST_ROUNDS} rounds, which are the least,"
    return (f"{least} took {kept.seconds:.0f} s of a budget of {budget_s:g} s",)


@dataclass(frozen=True, slots=True)
class Side:
    """A contender of a run that was measured before.

    Attributes:
        where: The run, for people: "run 12", or the name of its file.
        run: With its turns.
        index: Of the contender.
        number: Of the run in the store; None for one from a file.
    """

    where: str
    run: Run
    index: int
    number: int | None = None

    @property
    def contender(self) -> Contender:
        return self.run.contenders[self.index]

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return self.run.measurements_of(self.index)


def is_kept(text: str) -> bool:
    """Whether `text` names a contender of a run in the store: `run:12/2`."""
    return text.startswith(_KEPT)


def find_kept(store: Store, text: str) -> Side:
    """The contender that `run:12/2`, `run:12/NAME` or `run:12` means.

    Raises:
        UsageError: `text` is none of these, or the run has no such contender.
        StoreError: No such run.
    """
    named, _, chosen = text.removeprefix(_KEPT).partition("/")
    if not is_kept(text) or not named.isdecimal():
        raise UsageError(
            f"{text}: a kept run is compared with a kept run",
            hint="run:12/2 for the second contender of run 12; edgekit history lists them",
        )
    run = store.load(int(named))
    index = chosen_of(run, chosen, f"{_KEPT}{named}")
    return Side(f"run {named}", run, index, int(named))


def chosen_of(run: Run, chosen: str, where: str) -> int:
    """Index of the contender with this name or number, or of the only one.

    Args:
        run: Whose contenders.
        chosen: Name, number from 1 on, or "" where there is only one.
        where: The run, as the person wrote it.

    Raises:
        UsageError: No such contender.
    """
    names = [one.name for one in run.contenders]
    if chosen in names:
        return names.index(chosen)
    if not chosen and len(names) == 1:
        return 0
    if chosen.isdecimal() and 1 <= int(chosen) <= len(names):
        return int(chosen) - 1
    told = ", ".join(f"{where}/{at} {name}" for at, name in enumerate(names, 1))
    meant = f"{where}/{chosen}" if chosen else where
    raise UsageError(f"{meant} names no contender of the run", hint=f"one of: {told}")


def of_one_run(run: Run, number: int, first: int, second: int, margin: float) -> CompareResult:
    """Compare two contenders of one run, pair by pair.

    Raises:
        UsageError: The run has fewer than two rounds.
    """
    if first == second:
        raise UsageError(
            f"A and B are the same contender of run {number}: {run.contenders[first].name}",
            hint="edgekit compare ARTIFACT ARTIFACT measures a file against itself",
        )
    if run.rounds < 2:
        raise UsageError(
            f"the run has {run.rounds} finished round{'s' * (run.rounds != 1)}: nothing to compare",
            hint="edgekit profile --rounds 10",
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


def of_two_runs(
    store: Store, first: Side, second: Side, margin: float, *, by_wall: bool | None = None
) -> CompareResult:
    """Compare contenders of two runs of one machine.

    Args:
        store: Knows other runs, which tell how far two runs lie apart.
        first: A.
        second: B.
        margin: Relative difference that does not matter, in 0–1.
        by_wall: By wall time; by default where the contenders need it.

    Raises:
        UsageError: Nothing took part in both runs, and too few others are known; or one of them
            has fewer than two rounds.
        DeviceError: The runs are of unlike machines.
    """
    refuse_unlike(first.run, second.run)
    for side in (first, second):
        if side.run.rounds < 2:
            raise UsageError(
                f"{side.where} has {side.run.rounds} finished round"
                f"{'s' * (side.run.rounds != 1)}: nothing to compare",
                hint="edgekit profile --rounds 10",
            )
    a, b = first.contender, second.contender
    if by_wall is None:
        by_wall = a.by_wall or b.by_wall
    mine, theirs = first.measurements, second.measurements
    warnings: tuple[str, ...] = ()
    common = _common(first, second)
    both = f"{first.where} and {second.where}"
    found: Comparison | None
    if common is not None:
        here, there = common
        source = f"{both}, through {first.run.contenders[here].name}"
        found = compare_through(
            mine,
            first.run.measurements_of(here),
            theirs,
            second.run.measurements_of(there),
            by_wall=by_wall,
            margin=margin,
        )
    else:
        runs = _others(store, first.run, a)
        source = f"{both}, and {len(runs)} runs of {a.name}"
        found = compare_apart(mine, theirs, runs, by_wall=by_wall, margin=margin)
        if found is None:
            raise UsageError(
                f"{both} have no other artifact in common, and {len(runs)} run"
                f"{'s' * (len(runs) != 1)} of {a.name} on this machine are too few to know how "
                "far two runs lie apart",
                hint="edgekit compare A B measures both side by side; or profile each with a "
                "third artifact, or often",
            )
        told = f"{len(runs)} runs of {a.name} lie apart"
        warnings = (f"no artifact took part in both runs: the interval rests on how far {told}",)
    return CompareResult(
        first=a,
        second=b,
        comparison=found,
        source=source,
        runs=(first.number, second.number),
        device=first.run.device,
        environment=first.run.environment,
        placements=(mine[-1].placement, theirs[-1].placement),
        warnings=warnings,
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


def _common(first: Side, second: Side) -> tuple[int, int] | None:
    """Indices of a contender that took part in both runs and is neither of the two compared.

    Against itself either of the two would show no difference at all, and no doubt.
    """
    compared = (_identity(first.contender), _identity(second.contender))
    theirs = {_identity(one): at for at, one in enumerate(second.run.contenders)}
    for at, one in enumerate(first.run.contenders):
        if _identity(one) in theirs and _identity(one) not in compared:
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
