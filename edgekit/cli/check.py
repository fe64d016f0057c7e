"""`edgekit check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import output
from edgekit.cli.types import Duration

if TYPE_CHECKING:
    from edgekit.verbs.check import CheckResult, GateResult

_COLUMNS = ("gate", "limit", "measured", "allowed", "verdict", "by")


@click.command("check")
@click.argument("budget", type=click.Path(path_type=Path), metavar="BUDGET.toml")
@click.option("--gate", "only", multiple=True, metavar="NAME", help="This gate only; repeatable.")
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    help="Time for the measuring of each gate, instead of what the file says.",
)
@click.option("--seed", type=int, help="Of the order and the cores.")
@output.common_options
def command(
    *,
    budget: Path,
    only: tuple[str, ...],
    budget_s: float | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Check artifacts against the limits of BUDGET.toml.

    The exit status is 0 where all limits are kept, 1 where one is broken or could not be measured,
    2 where the command line or the file is wrong, 3 where what was measured does not say.
    """
    from edgekit.verbs.check import check

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = check(budget, only=only, budget_s=budget_s, seed=seed, report=report)
    if as_json:
        output.print_json(result.to_json())
    else:
        _print(result)
    if (error := result.error) is not None:
        raise error


def _print(result: CheckResult) -> None:
    output.print_table(
        f"{result.budget.path}: {result.verdict}",
        _COLUMNS,
        [row for gate in result.gates for row in _rows(gate)],
    )
    for gate in result.gates:
        if gate.measured is not None:
            output.print_warnings(f"{gate.gate.name}: {one}" for one in gate.measured.warnings)


def _rows(result: GateResult) -> list[tuple[str, ...]]:
    name = result.gate.name
    if result.error is not None:
        return [(name, "", "", "", result.verdict, result.error.message)]
    rows: list[tuple[str, ...]] = []
    for at, one in enumerate(result.findings):
        word = "at least" if one.limit.startswith("min") else "at most"
        counted = f"{one.count:,} {one.counted}" if one.count else ""
        by = ", ".join(part for part in (one.note, counted) if part)
        bound = f"{word} {one.bound:g} {one.unit}"
        rows.append(("" if at else name, one.limit, one.figure(), bound, one.verdict, by))
    return rows
