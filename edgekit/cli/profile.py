"""`edgekit profile`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import output
from edgekit.cli.estimate import print_estimates
from edgekit.cli.passes import print_passes
from edgekit.cli.types import Duration, FiniteFloat, devices_option, numbers
from edgekit.errors import UsageError
from edgekit.summary import ENOUGH_PROCESSES

if TYPE_CHECKING:
    from edgekit.verbs.profile import ProfileResult, Row

_COLUMNS = (
    "artifact", "MB", "{accuracy}", "drop", "median ms", "× first", "peak MB", "placement",
)  # fmt: skip

_OF_RUNS = ("runtime", "threads", "rounds", "seconds", "seed", "sustained_s", "passes", "fresh")


@click.command("profile")
@click.argument("artifact", nargs=-1, required=True)
@devices_option
@click.option("--threads", metavar="N[,N…]", help="Threads of the runtime; several for a sweep.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Fresh processes per artifact.")
@click.option("--seconds", type=FiniteFloat(0.01, 600), help="Timed calls in each process.")
@click.option("--seed", default=0, show_default=True, help="Of the order and the cores.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="File for the run with its raw samples; of estimates, file or folder for layers as CSV.",
)
@click.option(
    "--sustained",
    "sustained_s",
    type=Duration(least=1.0),
    metavar="TIME",
    help="Instead of rounds, keep all computing in turns for 30m, say, and show the drift.",
)
@click.option(
    "--passes",
    metavar="NAME[,NAME…]",
    help="Found out after the rounds, each in a process of its own: memory, ops, phases, energy; "
    "all or none. Without it: memory and ops, kept and not printed.",
)
@click.option("--fresh", is_flag=True, help="Begin anew, even if a run of the same was ended.")
@output.common_options
def command(
    *,
    artifact: tuple[str, ...],
    device: tuple[str, ...],
    runtime: str | None,
    threads: str | None,
    rounds: int | None,
    seconds: float | None,
    seed: int,
    out: Path | None,
    sustained_s: float | None,
    passes: str | None,
    fresh: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Measure latency, memory and accuracy of ARTIFACTs on a device.

    ARTIFACT is an artifact's folder, or a folder that holds some, like build/mobilenet; with
    settings of its own as build/mobilenet/tflite-int8@threads=2,runtime=litert,delegate=none.
    All take part in every round, so that any two can be compared. Every finished round is kept: the
    same call goes on with a run that was ended.

    On devices that estimate, as 'ethos-u*', nothing is measured: a table says what their compiler
    expects.
    """
    from edgekit.measuring.contenders import parse
    from edgekit.passes import DEFAULT, chosen
    from edgekit.verbs.estimate import devices_meant, estimate, estimating
    from edgekit.verbs.profile import profile

    devices = devices_meant(device)
    if estimating(devices):
        _refuse_of_runs()
        with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
            estimates = estimate(
                [parse(one) for one in artifact], devices=devices, out=out, report=report
            )
        if as_json:
            output.print_json(estimates.to_json())
        else:
            print_estimates(estimates)
        output.raise_failures(estimates.failures, len(estimates.rows), "estimated")
        return

    counts = numbers("--threads", threads, int) if threads else ()

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        result = profile(
            [parse(one) for one in artifact],
            device=devices[0],
            runtime=runtime,
            threads=counts,
            rounds=rounds,
            seconds=seconds,
            seed=seed,
            out=out,
            sustained_s=sustained_s,
            fresh=fresh,
            passes=DEFAULT if passes is None else chosen(passes),
            report=report,
        )
    if as_json:
        output.print_json(result.to_json())
    elif result.drifts:
        _print_drift(result)
    else:
        _print(result)
    if passes is not None and not as_json:
        print_passes(result.run.passes)


def _refuse_of_runs() -> None:
    """Refuse options that say how something is run: an estimate runs nothing.

    Raises:
        UsageError: One of them was given.
    """
    context = click.get_current_context()
    for name in _OF_RUNS:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = "--" + name.removesuffix("_s")
            raise UsageError(f"{option}: an estimate runs nothing", hint="leave it out")


def _print(result: ProfileResult) -> None:
    rows = result.rows
    figures = rows[0].summary
    models = {row.contender.model for row in rows}
    threads = {row.contender.threads for row in rows}
    facts = result.run.environment
    cpu = facts.get("cpu_model") or facts.get("browser") or "unknown processor"
    title = f"{rows[0].device}: {cpu}, batch 1"
    if len(threads) == 1:
        count = threads.pop()
        title += f", {count} thread{'s' * (count > 1)}"
    heading, accuracies = output.accuracies([row.contender.metric for row in rows])
    output.print_table(
        f"{next(iter(models))} on {title}" if len(models) == 1 else title,
        [column.format(accuracy=heading) for column in _COLUMNS],
        [
            _cells(row, one, named=len(models) > 1)
            for row, one in zip(rows, accuracies, strict=True)
        ],
    )
    of_median = "95 %" if figures.processes >= ENOUGH_PROCESSES else "range only: too few processes"
    click.echo(
        f"in brackets the interval: accuracy 95 %, median {of_median}\n"
        f"{_of_ratios(result)}"
        f"kept as run {result.number}: edgekit report run:{result.number}"
    )


def _of_ratios(result: ProfileResult) -> str:
    """What the column of ratios holds, and what it leaves out; a line or nothing."""
    compared = [row.against_first for row in result.rows[1:]]
    known = [one for one in compared if one is not None]
    if not known:
        return ""
    clock = "CPU time" if known[0].primary.clock == "cpu" else "wall time"
    said = (
        f"× first: {clock} divided by the first row's, ± reaches the 95 % interval, from "
        f"{known[0].rounds} rounds\n"
    )
    if len(known) < len(compared):
        said += (
            "  — where one of the two has several threads: edgekit compare "
            f"run:{result.number}/1 run:{result.number}/2\n"
        )
    return said


def _print_drift(result: ProfileResult) -> None:
    first, last = result.rows[0].measurements[0], result.rows[0].measurements[-1]
    rows = []
    for row, drift in zip(result.rows, result.drifts, strict=True):
        low, high = drift.ci95
        rows.append(
            (
                row.contender.name,
                f"{drift.first_ms:.3g}",
                f"{drift.last_ms:.3g}",
                f"{drift.ratio:.3f} [{low:.3f}, {high:.3f}]",
                f"{drift.rank[0]}, then {drift.rank[1]}",
                _then(drift.temperature_c),
                _then(tuple(None if khz is None else khz / 1000 for khz in drift.cpu_khz)),
            )
        )
    rules = result.run.rules
    output.print_table(
        f"{rules['sustained_s']:g} s without a pause on {result.run.device}: "
        f"the first {rules['period_s']:g} s and the last",
        ("artifact", "first ms", "last ms", "last / first", "rank", "°C", "MHz"),
        rows,
    )
    click.echo(
        "in brackets the 95 % interval, by batch means; °C and MHz: unavailable where —\n"
        f"{len(first.samples_ns):,} calls of the first artifact in the first period, "
        f"{len(last.samples_ns):,} in the last\n"
        f"kept as run {result.number}: edgekit report run:{result.number}"
    )


def _then(pair: tuple[float | None, ...]) -> str | None:
    first, last = pair
    return None if first is None or last is None else f"{first:.0f}, then {last:.0f}"


def _cells(row: Row, accuracy: str | None, *, named: bool) -> tuple[str | None, ...]:
    one, figures = row.contender, row.summary
    low, high = figures.ci95_ms
    peak = figures.peak_rss_bytes
    return (
        one.name if named else one.name.removeprefix(f"{one.model} "),
        f"{one.bytes / 1e6:.2f}",
        accuracy,
        _drop(row.contender.metric),
        f"{figures.median_ms:.3g} [{low:.3g}, {high:.3g}]",
        _ratio(row),
        f"{peak / 1e6:.0f}" if peak is not None else None,
        str(row.measurements[-1].placement),
    )


def _ratio(row: Row) -> str | None:
    if row.against_first is None:
        return None
    found = row.against_first.primary
    low, high = found.ci95
    return f"{found.ratio:.3f} ± {max(found.ratio - low, high - found.ratio):.3f}"


def _drop(metric: Mapping[str, Any] | None) -> str | None:
    """What was lost against the source model."""
    return None if metric is None or metric["drop"] is None else f"{metric['drop']:.2f}"
