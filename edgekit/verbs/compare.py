"""Compare two artifacts' latencies: faster, slower, indistinguishable or inconclusive.

Measures both in rounds of fresh processes until the budget is spent, or compares two contenders of
runs that are in the store; `edgekit.measuring.comparison` says how.
"""

from __future__ import annotations

from dataclasses import replace

from edgekit.errors import UsageError
from edgekit.measuring.comparing import (
    SECONDS,
    CompareResult,
    find_kept,
    is_kept,
    of_one_run,
    of_two_runs,
    overrun,
    plan_within,
)
from edgekit.measuring.contenders import Asked, distinct, gather
from edgekit.measuring.rounds import RoundRules
from edgekit.measuring.running import carry_out, new_run
from edgekit.progress import Report, silent
from edgekit.store import Store

__all__ = [
    "DEFAULT_BUDGET_S", "DEFAULT_MARGIN", "SECONDS", "CompareResult", "compare_kept",
    "compare_live", "is_kept", "plan_within",
]  # fmt: skip

DEFAULT_BUDGET_S = 30.0
DEFAULT_MARGIN = 0.03


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
        budget_s: Seconds for the measuring; at least ten rounds are made, however long they take.
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
    result = of_one_run(kept.run, kept.number, 0, 1, margin)
    return replace(result, warnings=(*overrun(kept, budget_s), *result.warnings))


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
        a, b = (find_kept(store, text) for text in (first, second))
        if a.number is not None and a.number == b.number:
            return of_one_run(a.run, a.number, a.index, b.index, margin)
        return of_two_runs(store, a, b, margin)


def _seed() -> int:
    import secrets

    return secrets.randbelow(2**31)
