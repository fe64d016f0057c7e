"""Get the figures that a gate's limits are held against.

What is wrong in the budget is refused before anything is measured (`prepare`); a gate is one run,
in which its artifact and its baseline take part in every round. Every run is kept in the store.
Judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.checking.budget import (
    MACHINE,
    OF_METRIC,
    OF_RUN,
    PERCENTILES,
    SLOWER,
    Budget,
    Gate,
    refuse_beyond,
)
from edgekit.checking.judging import Figures
from edgekit.device import DeviceProfile
from edgekit.errors import (
    ArtifactError,
    DeviceError,
    EdgekitError,
    FileError,
    UsageError,
)
from edgekit.evaluating import Evaluation, terms_for, to_keep
from edgekit.evaluating import judge as evaluate
from edgekit.measuring.comparing import (
    SECONDS,
    CompareResult,
    Side,
    chosen_of,
    find_kept,
    is_kept,
    of_one_run,
    of_two_runs,
    overrun,
    plan_within,
    refuse_unlike,
)
from edgekit.measuring.contenders import Asked, distinct, gather
from edgekit.measuring.rounds import RoundRules
from edgekit.measuring.running import carry_out, new_run
from edgekit.metrics import METRICS, MetricValue
from edgekit.metrics.differences import MARGIN
from edgekit.progress import Report
from edgekit.run import Contender, Run, read_run
from edgekit.store import Store
from edgekit.transports.connect import Device, connect, find_profile

Entry = tuple[Contender, Artifact]


@dataclass(frozen=True, slots=True)
class Ready:
    """A gate whose artifacts are there and whole.

    Attributes:
        gate: The gate.
        one: What is judged.
        beside: What is measured beside it: the baseline, or what the baseline's run had, too.
        stored: The contender of a run from before that is the baseline.
    """

    gate: Gate
    one: Entry
    beside: Entry | None = None
    stored: Side | None = None

    @property
    def is_run(self) -> bool:
        """Whether its limits need a run."""
        return any(limit in OF_RUN for limit in self.gate.limits)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found out for a gate.

    Attributes:
        figures: What its limits are held against.
        baseline: What it was compared with.
        number: Of the run in the store; None where no limit needed one.
        environment: What the device said about itself; empty where nothing ran on it.
        source: What latencies are from, in words; empty without any.
        placement: Where the ops ran, in words; empty where nothing ran.
        warnings: What makes the figures doubtful.
    """

    figures: Figures
    baseline: Contender | None = None
    number: int | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    placement: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unready:
    """A gate that cannot be measured: its artifact, say, is missing or damaged.

    Attributes:
        gate: The gate.
        error: Why.
    """

    gate: Gate
    error: EdgekitError


def prepare(budget: Budget, store: Store) -> list[Ready | Unready]:
    """Open what the gates name, before anything is measured.

    Raises:
        UsageError: The budget is wrong: a path stands for several artifacts, a run has no such
            contender, or a limit in milliseconds names no machine.
    """
    return [_prepared(budget, gate, store) for gate in budget.gates]


class Devices:
    """The devices of a budget, each reached once, when it is needed.

    Args:
        reach: Opens one by name or path.
    """

    def __init__(self, reach: Callable[[str], Device] = connect) -> None:
        self._reach = reach
        self._found: dict[str, Device] = {}

    def __getitem__(self, name: str) -> Device:
        if name not in self._found:
            self._found[name] = self._reach(name)
        return self._found[name]


def measure(
    ready: Ready, devices: Devices, store: Store, *, budget: Budget, seed: int, report: Report
) -> Measured:
    """Find out what a gate's limits need.

    Args:
        ready: The gate.
        devices: Those reached so far.
        store: Keeps the run.
        budget: Which the gate is of.
        seed: Of cores and orders.
        report: Told about progress.

    Raises:
        DeviceError: The device is absent, or not the one that the budget requires; a delegate ran
            nothing.
        RuntimeFault: The runtime failed or crashed.
        EdgekitError: As these say.
    """
    gate = ready.gate
    metric, evaluation = _metric(ready, devices, store, report)
    contender, _ = ready.one
    if not ready.is_run:
        return Measured(
            Figures(contender, metric=metric, drop_unknown=_drop_unknown(evaluation)),
            environment=devices[gate.device].environment if evaluation else {},
            placement=str(evaluation.placement) if evaluation else "",
        )
    device = devices[gate.device]
    _require(gate, device, budget)
    entries = [entry for entry in (ready.beside, ready.one) if entry is not None]
    named = distinct([found for found, _ in entries])
    rules = RoundRules(
        seconds=SECONDS,
        warmup=device.profile.timing.warmup,
        cooldown_s=device.profile.timing.cooldown_s,
        seed=seed,
    )
    asked_for = {"budget_s": gate.budget_s, "gate": gate.name, **rules.to_json()}
    command = "compare" if len(named) > 1 else "profile"
    planned = new_run(command, device, named, asked_for, once=True)
    if ready.stored is not None:
        refuse_unlike(ready.stored.run, planned)
    kept = carry_out(
        planned,
        [artifact for _, artifact in entries],
        device,
        rules,
        store,
        plan=lambda seconds: plan_within(gate.budget_s, seconds, len(named)),
        report=report,
    )
    index = len(named) - 1
    compared = _compared(ready, kept.run, kept.number, index, store)
    last = kept.run.measurements_of(index)[-1]
    source = f"{kept.run.rounds} rounds of fresh processes; run {kept.number}"
    return Measured(
        figures=Figures(
            contender=named[index],
            run=kept.run,
            index=index,
            comparison=compared.comparison if compared else None,
            metric=metric,
            drop_unknown=_drop_unknown(evaluation),
        ),
        baseline=compared.first if compared else None,
        number=kept.number,
        environment=kept.run.environment,
        source=compared.source if compared else source,
        placement=str(last.placement),
        warnings=(*overrun(kept, gate.budget_s), *(compared.warnings if compared else ())),
    )


def _compared(
    ready: Ready, run: Run, number: int, index: int, store: Store
) -> CompareResult | None:
    if SLOWER not in ready.gate.limits:
        return None
    if ready.stored is None:
        return of_one_run(run, number, 0, index, 0.0)
    clock = ready.gate.clock
    return of_two_runs(
        store,
        ready.stored,
        Side(f"run {number}", run, index, number),
        0.0,
        by_wall=None if clock is None else clock == "wall",
    )


def _prepared(budget: Budget, gate: Gate, store: Store) -> Ready | Unready:
    try:
        return _ready(budget, gate, store)
    except UsageError:
        raise
    except EdgekitError as error:
        return Unready(gate, error)


def _ready(budget: Budget, gate: Gate, store: Store) -> Ready:
    where = f"{budget.path}: gate.{gate.name}"
    profile = find_profile(gate.device)
    one = _only(gate.artifact, profile, f"{where}: artifact")
    beside = gate.baseline or gate.common
    label = "baseline" if gate.baseline else "common"
    stored = None
    if gate.baseline_run is not None:
        try:
            stored = _stored(gate.baseline_run, store)
        except UsageError as error:  # the budget may be right, and last night's run is lost
            raise DeviceError(f"baseline_run: {error.message}", hint=error.hint) from error
    absolute = [limit for limit in gate.limits if limit in PERCENTILES]
    if absolute and not {*MACHINE} & ({*gate.require} | {*profile.require}):
        raise UsageError(
            f"{where}: {absolute[0]}: a limit in milliseconds holds for one machine, and none is "
            "required",
            hint='[require] cpu_model = "…", as edgekit check --init writes it; or a baseline and '
            f"{SLOWER}",
        )
    if not gate.evaluate and any(limit in OF_METRIC for limit in gate.limits):
        _proven(one[1], where)
    known = one[1].manifest.metric or {}
    refuse_beyond(gate, METRICS[str(known.get("name", "top1"))], where)
    other = _only(beside, profile, f"{where}: {label}") if beside else None
    if gate.common is not None and stored is not None and other is not None:
        _took_part(other[0], stored)
    return Ready(gate=gate, one=one, beside=other, stored=stored)


def _took_part(common: Contender, stored: Side) -> None:
    """Refuse a yardstick that says nothing of the baseline's run.

    Raises:
        DeviceError: It took no part in it.
    """
    if common.sha256 not in {one.sha256 for one in stored.run.contenders}:
        raise DeviceError(
            f"common: {common.name} took no part in {stored.where}: nothing to compare through",
            hint=f"one of: {', '.join(one.path for one in stored.run.contenders)}",
        )


def _only(asked: Asked, profile: DeviceProfile, where: str) -> Entry:
    found = gather([asked], profile)
    if len(found) != 1:
        raise UsageError(
            f"{where}: {asked.path} holds {len(found)} artifacts; a gate takes one",
            hint="name one of them, and write a gate for each",
        )
    return found[0]


def _proven(artifact: Artifact, where: str) -> MetricValue:
    if artifact.manifest.metric is None:
        raise ArtifactError(
            f"{where}: {artifact.path} was made without labelled data: its accuracy is not known",
            hint="evaluate = true with a dataset, or export it with data",
        )
    return MetricValue.from_json(artifact.manifest.metric)


def _metric(
    ready: Ready, devices: Devices, store: Store, report: Report
) -> tuple[MetricValue | None, Evaluation | None]:
    """The artifact's accuracy, and the evaluation that gave it where it was measured now."""
    gate, (contender, artifact) = ready.gate, ready.one
    if not any(limit in OF_METRIC for limit in gate.limits):
        return None, None
    if not gate.evaluate:
        return _proven(artifact, gate.name), None
    device = devices[gate.device]
    terms = terms_for([artifact], device, dataset=gate.dataset, samples=gate.samples, margin=MARGIN)
    found = evaluate(contender, artifact, terms, report=report)
    store.add_evaluation(to_keep(found))
    return found.evaluation.metric, found.evaluation


def _drop_unknown(evaluation: Evaluation | None) -> str | None:
    return evaluation.drop_unknown if evaluation else None


def _stored(text: str, store: Store) -> Side:
    """The contender of a run in the store, or in a file: `PATH`, `PATH/2` or `PATH/NAME`.

    Raises:
        UsageError: No such file, not a run, or no such contender.
        StoreError: No such run in the store.
    """
    if is_kept(text):
        return find_kept(store, text)
    path, chosen = Path(text), ""
    if not path.is_file():
        path, chosen = path.parent, path.name
    if not path.is_file():
        raise UsageError(
            f"{text}: no such run",
            hint="run:12/2 of the store, or the file that edgekit profile --out wrote",
        )
    try:
        run = read_run(path)
    except (DeviceError, FileError) as error:
        raise UsageError(error.message, hint="a file that edgekit profile --out wrote") from error
    return Side(path.name, run, chosen_of(run, chosen, str(path)))


def _require(gate: Gate, device: Device, budget: Budget) -> None:
    """Refuse a machine that the budget was not written for.

    Raises:
        DeviceError: A required fact differs, or the device does not say.
    """
    for key, wanted in gate.require.items():
        found = device.environment.get(key)
        if str(found).lower() != wanted.lower():
            raise DeviceError(
                f"{device.profile.name} is not what {budget.path.name} was written for: {key} is "
                f"{'unavailable' if found is None else found}, required {wanted}",
                limit=f"require.{key} in {budget.path}",
                hint="run it on that machine, or measure against a baseline, which holds on any: "
                f'baseline = "…" and {SLOWER} = "3 %"',
            )
