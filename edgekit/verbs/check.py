"""Check artifacts against the limits of a BUDGET.toml: latency, size, memory, accuracy.

Every gate is measured, even after one was missed; what could not be measured is told at the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgekit.checking.budget import DEFAULT_BUDGET_S, DEFAULT_DEVICE, Budget, read_budget
from edgekit.checking.drafting import Draft, draft
from edgekit.checking.github import to_summary
from edgekit.checking.judging import judge
from edgekit.checking.junit import to_junit
from edgekit.checking.measuring import Devices, Ready, Unready, measure, prepare
from edgekit.checking.outcome import CheckResult, GateResult
from edgekit.errors import EdgekitError, FileError, UsageError
from edgekit.files import check_place, write_atomic
from edgekit.measuring.contenders import Asked
from edgekit.progress import Report, silent
from edgekit.store import Store

__all__ = ["CheckResult", "Draft", "GateResult", "append_summary", "check", "init"]


def check(
    path: Path,
    *,
    only: Sequence[str] = (),
    budget_s: float | None = None,
    seed: int | None = None,
    junit: Path | None = None,
    report: Report = silent,
) -> CheckResult:
    """Measure what the gates of a budget need, and hold it against their limits.

    Args:
        path: The BUDGET.toml.
        only: Names of gates; by default all.
        budget_s: Seconds for the measuring of each gate; by default what the file says.
        seed: Of cores and orders; by default another one for each gate.
        junit: File for the outcome as JUnit XML.
        report: Told about progress.

    Raises:
        UsageError: The file is no budget, or a gate is wrong in itself; nothing was measured.
        FileError: The JUnit file cannot be written.
    """
    budget = _chosen(read_budget(path), only)
    if budget_s is not None:
        gates = tuple(replace(gate, budget_s=budget_s) for gate in budget.gates)
        budget = replace(budget, gates=gates)
    if junit is not None:
        check_place(junit, "--junit names a file")
    devices = Devices()
    with Store.open() as store:
        result = CheckResult(
            budget,
            tuple(
                _checked(
                    one, devices, store,
                    budget=budget, seed=_seed() if seed is None else seed, report=report,
                )
                for one in prepare(budget, store)
            ),
        )  # fmt: skip
    if junit is not None:
        write_atomic(junit, to_junit(result))
    return result


def init(
    asked: Sequence[Asked],
    out: Path,
    *,
    device: str | None = None,
    budget_s: float | None = None,
    seed: int | None = None,
    report: Report = silent,
) -> Draft:
    """Write a first BUDGET.toml, with limits that the artifacts keep today.

    Args:
        asked: Artifacts' folders, or folders that hold some.
        out: The file; it must not exist.
        device: Name or path of a device profile; by default this machine's processor.
        budget_s: Seconds for the measuring; by default thirty.
        seed: Of cores and orders; by default another one each time.
        report: Told about progress.

    Raises:
        UsageError: The file is there, or no artifact was named.
        EdgekitError: As `edgekit.verbs.profile.profile`.
    """
    if out.exists():
        raise UsageError(f"{out}: it is there already", hint="another place with -o, or remove it")
    check_place(out, "-o names a file")
    with Store.open() as store:
        made = draft(
            asked,
            folder=out.parent,
            device=device or DEFAULT_DEVICE,
            budget_s=budget_s or DEFAULT_BUDGET_S,
            seed=_seed() if seed is None else seed,
            store=store,
            report=report,
        )
    write_atomic(out, made.text)
    return made


def append_summary(result: CheckResult, file: Path) -> None:
    """Add the outcome as Markdown to the file that `GITHUB_STEP_SUMMARY` names.

    Raises:
        FileError: It cannot be written.
    """
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(to_summary(result))
    except OSError as error:
        raise FileError.from_os_error(error) from error


def _checked(
    ready: Ready | Unready,
    devices: Devices,
    store: Store,
    *,
    budget: Budget,
    seed: int,
    report: Report,
) -> GateResult:
    if isinstance(ready, Unready):
        return GateResult(ready.gate, error=ready.error)
    begun = time.monotonic()
    contender, _ = ready.one
    try:
        measured = measure(ready, devices, store, budget=budget, seed=seed, report=report)
    except EdgekitError as error:
        return GateResult(ready.gate, contender, error=error, seconds=time.monotonic() - begun)
    return GateResult(
        gate=ready.gate,
        contender=measured.figures.contender,
        findings=judge(ready.gate, measured.figures),
        measured=measured,
        seconds=time.monotonic() - begun,
    )


def _chosen(budget: Budget, only: Sequence[str]) -> Budget:
    from edgekit.registry import resolve

    if not only:
        return budget
    known = {gate.name: gate for gate in budget.gates}
    chosen = dict.fromkeys(resolve(name, known, what="gate") for name in only)
    return replace(budget, gates=tuple(known[name] for name in chosen))


def _seed() -> int:
    import secrets

    return secrets.randbelow(2**31)
