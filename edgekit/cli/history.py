"""`edgekit history`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import names, output
from edgekit.cli.groups import ListingGroup
from edgekit.cli.types import Since
from edgekit.errors import UsageError
from edgekit.run import COMMANDS

if TYPE_CHECKING:
    from edgekit.run import Contender, Run
    from edgekit.store import KeptEvaluation, StoredRun
    from edgekit.summary import Summary
    from edgekit.verbs.history import Filters, ShownRun

_FIGURES = (
    "contender", "MB", "accuracy %", "median ms", "CPU ms", "call ms", "p90 ms", "first ms",
    "load ms", "peak MB", "processes", "placement",
)  # fmt: skip
_SHOWN_MODELS = 3


def _filters(limit: int | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that choose runs; they arrive as one parameter, `filters`."""
    options = (
        click.option("--model", shell_complete=names.completing_stored("model")),
        click.option("--target", shell_complete=names.completing_stored("target")),
        click.option("--precision", shell_complete=names.completing_stored("precision")),
        click.option("--sha256", metavar="DIGEST", help="Of an artifact, or how it begins."),
        click.option("--device", shell_complete=names.completing_stored("device")),
        click.option("--command", type=click.Choice(COMMANDS)),
        click.option(
            "--since",
            type=Since(),
            metavar="WHEN",
            help="2026-11-21, 2026-11-21T08:00 (UTC) or 7d.",
        ),
        click.option(
            "--finished/--unfinished", default=None, help="Only those; both unless it is said."
        ),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            default=limit,
            show_default=limit is not None,
            help="At most so many, the newest.",
        ),
    )
    keys = ("model", "target", "precision", "sha256", "device", "command", "since", "finished")

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        from functools import wraps

        @wraps(command)
        def gathered(**given: Any) -> Any:
            from edgekit.verbs.history import Filters

            asked = {key: given.pop(key) for key in (*keys, "limit")}
            return command(filters=Filters(**asked), **given)

        wrapped: Callable[..., Any] = gathered
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return add


_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_yes = click.option("--yes", "-y", is_flag=True, help="Don't ask.")
_number = click.argument(
    "number", type=click.IntRange(min=1), shell_complete=names.completing_stored("run")
)
_numbers = click.argument(
    "numbers",
    metavar="NUMBER...",
    type=click.IntRange(min=1),
    nargs=-1,
    required=True,
    shell_complete=names.completing_stored("run"),
)


@click.group("history", cls=ListingGroup)
def command() -> None:
    """List, show and export what was measured.

    Every finished round of `profile` and `compare` is in the store, a file of yours. Without a
    command, runs are listed; so `edgekit history --model mobilenet` is `edgekit history list …`.
    """


@command.command("list")
@_filters(limit=20)
@_json
def list_command(filters: Filters, as_json: bool) -> None:
    """List runs, newest first."""
    from edgekit.verbs.history import list_runs

    found = list_runs(filters)
    if as_json:
        output.print_json(found.to_json())
    elif found.runs:
        columns = ("run", "started", "command", "device", "models", "contenders", "rounds", "")
        output.print_table("", columns, [_row(one) for one in found.runs])
    else:
        click.echo(f"no run fits, of {found.known}" if found.known else f"no runs in {found.place}")
        output.print_warnings(found.meant)


@command.command("evaluations")
@click.option("--model", shell_complete=names.completing_stored("model"))
@click.option("--dataset", help="Its name, or the path of its folder.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@_json
def evaluations_command(model: str | None, dataset: str | None, limit: int, as_json: bool) -> None:
    """List what `edgekit eval` found, newest first."""
    from edgekit.verbs.history import list_evaluations

    found = list_evaluations(model=model, dataset=dataset, limit=limit)
    if as_json:
        # Which of the samples were right is for a program that compares; it has the store.
        told = [{**one.to_json(), "hits": None} for one in found]
        output.print_json({"evaluations": told})
    elif found:
        columns = ("started", "artifact", "sha256", "device", "data", "samples", "figure")
        output.print_table("", columns, [_evaluation_row(one) for one in found])
    else:
        click.echo("no evaluation fits" if model or dataset else "no evaluations are kept")


@command.command("show")
@_number
@_json
def show_command(number: int, as_json: bool) -> None:
    """Show run NUMBER: figures with intervals, rules and environment.

    With --json all of it, raw samples too, as `history import` takes it.
    """
    from edgekit.verbs.history import show_run

    found = show_run(number)
    if as_json:
        output.print_json(found.to_json())
    else:
        _print_run(found)


@command.command("export")
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Ends in .csv or .parquet.",
)
@click.option("--samples", is_flag=True, help="A row per timed call, not per process.")
@_filters(limit=None)
@output.common_options
def export_command(
    filters: Filters, out: Path, samples: bool, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Write measurements as a table: a row per process, with its figures."""
    from edgekit.verbs.history import export_runs

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        done = export_runs(out, filters, samples=samples, report=report)
    if as_json:
        output.print_json(done.to_json())
    else:
        click.echo(f"{done.rows:,} rows of {done.runs:,} runs in {done.path}")


@command.command("delete")
@_numbers
@_yes
@click.pass_context
def delete_command(ctx: click.Context, numbers: tuple[int, ...], yes: bool) -> None:
    """Delete runs, all of them or none."""
    _delete(ctx, numbers, yes=yes)


@command.command("prune")
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Delete all but the newest N."
)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0, max=36_500),
    metavar="DAYS",
    help="Delete what began longer ago.",
)
@_yes
@click.pass_context
def prune_command(
    ctx: click.Context, keep: int | None, older_than: float | None, yes: bool
) -> None:
    """Delete old runs."""
    from edgekit.verbs.history import runs_to_prune

    found = runs_to_prune(keep=keep, older_than_days=older_than)
    _delete(ctx, [one.number for one in found.runs], yes=yes)


@command.command("import")
@click.argument(
    "files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True
)
def import_command(files: tuple[Path, ...]) -> None:
    """Keep runs that `history show --json` printed, here or on another machine."""
    from edgekit.verbs.history import import_runs

    for path, number, is_new in import_runs(files):
        click.echo(f"run {number}: {path}" if is_new else f"run {number} was here already: {path}")


@command.command("log")
@_number
@click.option(
    "--mlflow-uri",
    metavar="URI",
    envvar="MLFLOW_TRACKING_URI",
    required=True,
    help="MLflow's tracking server, like http://localhost:5000 (also: MLFLOW_TRACKING_URI).",
)
@click.option("--experiment", default="edgekit", show_default=True, help="Made if it is not there.")
def log_command(number: int, mlflow_uri: str, experiment: str) -> None:
    """Copy run NUMBER to MLflow: a nested run per contender, its JSON beside."""
    from edgekit.verbs.history import log_run

    click.echo(f"run {number} is {log_run(number, mlflow_uri, experiment)} in {mlflow_uri}")


@command.command("path")
def path_command() -> None:
    """Print where the store lies."""
    from edgekit.store import place_of_store

    click.echo(place_of_store())


def _delete(ctx: click.Context, numbers: tuple[int, ...] | list[int], *, yes: bool) -> None:
    from edgekit.verbs.history import delete_runs

    if not numbers:
        click.echo("nothing to delete")
        return
    what = f"{len(numbers):,} runs" if len(numbers) > 1 else f"run {numbers[0]}"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{what}: nobody to ask whether to delete", hint="--yes")
        if not click.confirm(f"delete {what}?", err=True):
            click.echo("nothing was deleted", err=True)
            ctx.exit(1)
    delete_runs(numbers)
    click.echo(f"deleted {what}")


def _row(stored: StoredRun) -> tuple[Any, ...]:
    run = stored.run
    models = sorted({contender.model for contender in run.contenders})
    more = len(models) - _SHOWN_MODELS
    return (
        stored.number,
        _moment(run.started),
        run.command,
        run.device,
        ", ".join(models[:_SHOWN_MODELS]) + (f" and {more} more" if more > 0 else ""),
        len(run.contenders),
        stored.rounds,
        _state(stored),
    )


def _evaluation_row(one: KeptEvaluation) -> tuple[Any, ...]:
    metric = one.metric
    return (
        _moment(one.started),
        f"{one.model} {one.target}-{one.precision}",
        one.sha256[:12],
        f"{one.device}, {one.runtime}",
        f"{one.dataset}, {one.split}",
        f"{one.samples:,}",
        f"{metric['name']} {_interval(metric['value'], metric['ci95'], '.2f')}",
    )


def _moment(started: str) -> str:
    return started.replace("T", " ").removesuffix("Z")


def _state(stored: StoredRun) -> str:
    if stored.finished:
        return ""
    return "being measured" if stored.is_running else "unfinished"


def _print_run(found: ShownRun) -> None:
    from edgekit.summary import ENOUGH_PROCESSES

    stored, run = found.stored, found.run
    rows = [
        (*_figures(contender, figures), _placement(run, place))
        for place, (contender, figures) in enumerate(
            zip(run.contenders, found.summaries, strict=True)
        )
    ]
    title = f"run {stored.number}: {run.command} on {run.device}, {run.started}"
    state = _state(stored)
    output.print_table(f"{title}, {state}" if state else title, _FIGURES, rows)
    fewest = min((one.processes for one in found.summaries if one), default=0)
    of_median = "95 %" if fewest >= ENOUGH_PROCESSES else "the range only: too few processes"
    click.echo(f"in brackets the interval: accuracy 95 %, times {of_median}\n")
    output.print_facts("rules", {key: str(value) for key, value in run.rules.items()})
    output.print_facts("environment", {key: _fact(value) for key, value in run.environment.items()})
    if run.passes:
        done = {name: ", ".join(sorted(passes)) for name, passes in run.passes.items()}
        output.print_facts("further passes, in --json", done)


def _figures(contender: Contender, figures: Summary | None) -> tuple[Any, ...]:
    metric = contender.metric
    accuracy = None if metric is None else _interval(metric["value"], metric["ci95"], ".2f")
    about = (contender.name, f"{contender.bytes / 1e6:.2f}", accuracy)
    if figures is None:
        return (*about, *[None] * (len(_FIGURES) - len(about) - 1))
    peak, tail = figures.peak_rss_bytes, figures.tails.get(90)
    return (
        *about,
        _interval(figures.median_ms, figures.ci95_ms),
        _interval(figures.cpu_median_ms, figures.cpu_ci95_ms),
        f"{figures.call_median_ms:.3g}",
        None if tail is None else _interval(tail.ms, tail.ci95_ms),
        f"{figures.first_ms:.3g}",
        f"{figures.load_ms:.3g}",
        None if peak is None else f"{peak / 1e6:.0f}",
        figures.processes,
    )


def _placement(run: Run, place: int) -> str | None:
    measured = run.measurements_of(place)
    return str(measured[-1].placement) if measured else None


def _interval(value: float, interval: Any, form: str = ".3g") -> str:
    low, high = interval
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def _fact(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, dict):  # runtimes: those that are installed
        found = {key: state.get("version") for key, state in value.items() if hasattr(state, "get")}
        return ", ".join(f"{key} {version}" for key, version in found.items() if version)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
