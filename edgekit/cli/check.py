"""`edgekit check`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import names, output
from edgekit.cli.types import Duration
from edgekit.errors import EdgekitError, FileError, UsageError

if TYPE_CHECKING:
    from edgekit.progress import Report
    from edgekit.verbs.check import CheckResult, GateResult

_COLUMNS = ("gate", "limit", "measured", "wanted", "verdict", "by")
_HINT = "edgekit check BUDGET.toml, or edgekit check --init ARTIFACT -o BUDGET.toml"


@click.command("check")
@click.argument("paths", nargs=-1, metavar="BUDGET.toml | --init ARTIFACT…")
@click.option("--gate", "only", multiple=True, metavar="NAME", help="This gate only; repeatable.")
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    help="Time for the measuring of each gate, instead of what the file says.",
)
@click.option("--seed", type=int, help="Of the order and the cores.")
@click.option("--junit", type=click.Path(path_type=Path), help="File for the outcome as JUnit XML.")
@click.option(
    "--annotations",
    type=click.Choice(["auto", "github", "none"]),
    default="auto",
    show_default=True,
    help="Mark the limits' lines for a code host; auto: GitHub's where its runner runs this.",
)
@click.option("--init", is_flag=True, help="Write a first BUDGET.toml from what is measured now.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="With --init: the file.  [budget.toml]"
)
@click.option(
    "--device",
    shell_complete=names.complete_devices,
    help="With --init: profile name, or path to a TOML file.  [local-cpu]",
)
@output.common_options
def command(
    *,
    paths: tuple[str, ...],
    only: tuple[str, ...],
    budget_s: float | None,
    seed: int | None,
    junit: Path | None,
    annotations: str,
    init: bool,
    out: Path | None,
    device: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Check artifacts against the limits of BUDGET.toml.

    The exit status is 0 where all limits are kept, 1 where one is broken or could not be measured,
    2 where the command line or the file is wrong, 3 where what was measured does not decide.
    """
    _refuse_mixed(
        init=init,
        of_check={"--gate": only, "--junit": junit},
        of_init={"--out": out, "--device": device},
    )
    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        if init:
            _init(paths, out, device, budget_s=budget_s, seed=seed, as_json=as_json, report=report)
            return
        if len(paths) != 1:
            told = "no budget was named" if not paths else f"{len(paths)} budgets were named"
            raise UsageError(f"{told}; a check takes one", hint=_HINT)
        from edgekit.checking.github import annotation_of_error, is_github
        from edgekit.verbs.check import check

        marks = annotations == "github" or (annotations == "auto" and is_github(os.environ))
        try:
            result = check(
                Path(paths[0]), only=only, budget_s=budget_s, seed=seed, junit=junit, report=report
            )
        except EdgekitError as error:
            if marks:
                click.echo(annotation_of_error(error), err=as_json)
            raise
    if as_json:
        output.print_json(result.to_json())
    else:
        _print(result)
    if marks:
        _annotate(result, err=as_json)
    if (summary := os.environ.get("GITHUB_STEP_SUMMARY")) and annotations != "none":
        _summarise(result, Path(summary))
    if (ending := result.error) is not None:
        raise ending


def _init(
    paths: tuple[str, ...],
    out: Path | None,
    device: str | None,
    *,
    budget_s: float | None,
    seed: int | None,
    as_json: bool,
    report: Report,
) -> None:
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.check import init

    place = out or Path("budget.toml")
    asked = [parse(path) for path in paths]
    made = init(asked, place, device=device, budget_s=budget_s, seed=seed, report=report)
    if as_json:
        output.print_json({"file": str(place), "gates": list(made.gates), "run": made.number})
    else:
        click.echo(
            f"{place}: {len(made.gates)} gate{'s' * (len(made.gates) != 1)}; run {made.number}"
        )


def _refuse_mixed(*, init: bool, of_check: dict[str, object], of_init: dict[str, object]) -> None:
    """An option without effect is a misunderstanding."""
    for option, value in (of_check if init else of_init).items():
        if value:
            raise UsageError(f"{option} goes {'without' if init else 'with'} --init", hint=_HINT)


def _print(result: CheckResult) -> None:
    output.print_table(
        f"{result.budget.path}: {result.verdict}",
        _COLUMNS,
        [row for gate in result.gates for row in _rows(gate)],
    )
    for gate in result.gates:
        if gate.measured is not None and gate.measured.source:
            click.echo(f"{gate.gate.name}: {gate.measured.source}; {gate.measured.placement}")
    for gate in result.gates:
        if gate.measured is not None:
            output.print_warnings(f"{gate.gate.name}: {one}" for one in gate.measured.warnings)


def _rows(result: GateResult) -> list[tuple[str, ...]]:
    name = result.gate.name
    if result.error is not None:
        return [(name, "", "", "", result.verdict, result.error.message)]
    return [
        ("" if at else name, one.limit, one.figure(), one.wanted(), one.verdict, one.basis())
        for at, one in enumerate(result.findings)
    ]


def _annotate(result: CheckResult, *, err: bool) -> None:
    """Commands for GitHub's runner, which reads both streams."""
    from edgekit.checking.github import to_annotations

    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    for line in to_annotations(result, root):
        click.echo(line, err=err)


def _summarise(result: CheckResult, place: Path) -> None:
    from edgekit.verbs.check import append_summary

    try:
        append_summary(result, place)
    except FileError as error:
        output.print_warnings([f"no summary: {error.message}"])
