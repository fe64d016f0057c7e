"""`edgekit compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edgekit.cli import output
from edgekit.cli.types import Duration, FiniteFloat, device_option

if TYPE_CHECKING:
    from edgekit.measuring.comparison import Ratio
    from edgekit.verbs.compare import CompareResult

_CLOCKS = {"cpu": "CPU time", "wall": "wall time"}


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--budget",
    "budget_s",
    type=Duration(least=1.0),
    default="30s",
    show_default=True,
    help="Time for the measuring; ten rounds are made at least, however long they take.",
)
@click.option(
    "--margin",
    type=FiniteFloat(0.01, 100),
    default=3.0,
    show_default=True,
    help="Difference in % that does not matter.",
)
@device_option
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads of the runtime.")
@click.option("--seed", type=int, help="Of the order and the cores.")
@output.common_options
def command(
    *,
    a: str,
    b: str,
    budget_s: float,
    margin: float,
    device: str,
    runtime: str | None,
    threads: int | None,
    seed: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Say whether B is faster than A, slower, or neither.

    A and B are artifacts' folders, with settings of their own if they are to differ in these:
    build/m/tflite-int8@threads=2,runtime=litert,delegate=none. Or they are contenders of runs that
    are kept: run:12/2 is the second one of run 12 (edgekit history).
    """
    from edgekit.measuring.contenders import parse
    from edgekit.verbs.compare import compare_kept, compare_live, is_kept

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        if is_kept(a) or is_kept(b):
            result = compare_kept(a, b, margin=margin / 100)
        else:
            result = compare_live(
                parse(a),
                parse(b),
                device=device,
                runtime=runtime,
                threads=threads,
                budget_s=budget_s,
                margin=margin / 100,
                seed=seed,
                report=report,
            )
    if as_json:
        output.print_json(result.to_json())
    else:
        _print(result)


def _print(result: CompareResult) -> None:
    found = result.comparison
    unit = _CLOCKS[found.primary.clock]
    facts = {
        "verdict": f"B is {_verdict(result)}",
        "B / A": f"{_shown(found.primary)} by {unit}",
        "besides": f"{_shown(found.other)} by {_CLOCKS[found.other.clock]}" if found.other else "",
        "A": f"{found.median_ms[0]:.4g} ms  {result.first.name}: {result.placements[0]}",
        "B": f"{found.median_ms[1]:.4g} ms  {result.second.name}: {result.placements[1]}",
        "seen would be": f"a difference of {100 * found.primary.detectable:.2g} %, 9 times in 10",
        "from": result.source,
    }
    cpu = result.environment.get("cpu_model") or "unknown processor"
    output.print_facts(
        f"{result.second.name} (B) against {result.first.name} (A) on {result.device}: {cpu}",
        {label: fact for label, fact in facts.items() if fact},
    )
    output.print_warnings(result.warnings)


def _verdict(result: CompareResult) -> str:
    found = result.comparison
    margin = f"{100 * found.margin:g} %"
    low, high = found.primary.ci95
    most = 100 * max(abs(1 - low), abs(high - 1))
    return {
        "faster": f"faster, by {100 * (1 - found.primary.ratio):.2g} %",
        "slower": f"slower, by {100 * (found.primary.ratio - 1):.2g} %",
        "indistinguishable": f"indistinguishable from A: no difference beyond {most:.2g} %",
        "inconclusive": f"faster or slower by at most {most:.2g} %: inconclusive, as the margin is "
        f"{margin}; try a longer --budget",
    }[found.verdict]


def _shown(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    low, high = ratio.ci95
    return f"{ratio.ratio:.4f} [{low:.4f}, {high:.4f}] (95 %)"
