"""`edgekit history`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import kept, names, output
from edgekit.cli.groups import ListingGroup
from edgekit.cli.types import Since
from edgekit.errors import UsageError
from edgekit.run import COMMANDS

if TYPE_CHECKING:
    from edgekit.verbs.history import Filters


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
@output.common_options
def list_command(filters: Filters, as_json: bool, **_: bool) -> None:
    """List runs, newest first."""
    from edgekit.verbs.history import list_runs

    found = list_runs(filters)
    if as_json:
        output.print_json(found.to_json())
    elif found.runs or found.damaged:
        kept.print_runs(found)
    else:
        click.echo(f"no run fits, of {found.known}" if found.known else f"no runs in {found.place}")
        output.print_warnings(found.meant)
    output.print_warnings(found.damaged)


@command.command("evaluations")
@click.option("--model", shell_complete=names.completing_stored("model"))
@click.option("--dataset", help="Its name, or the path of its folder.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@output.common_options
def evaluations_command(
    model: str | None, dataset: str | None, limit: int, as_json: bool, **_: bool
) -> None:
    """List what `edgekit eval` found, newest first.

    The number in front is the one that `edgekit eval --against eval:NUMBER` takes.
    """
    from edgekit.verbs.history import list_evaluations

    found = list_evaluations(model=model, dataset=dataset, limit=limit)
    if as_json:
        output.print_json(found.to_json())
    elif found.evaluations:
        kept.print_evaluations(found)
    else:
        click.echo("no evaluation fits" if model or dataset else "no evaluations are kept")
    output.print_warnings(found.warnings)


@command.command("show")
@_number
@output.common_options
def show_command(number: int, as_json: bool, **_: bool) -> None:
    """Show run NUMBER: figures with intervals, rules and environment.

    With --json all of it, raw samples too, as `history import` takes it.
    """
    from edgekit.verbs.history import show_run

    found = show_run(number)
    if as_json:
        output.print_json(found.to_json())
    else:
        kept.print_run(found)


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
    output.print_warnings(done.warnings)
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
    output.print_warnings(found.damaged)
    damaged = [one.number for one in found.damaged]
    _delete(ctx, [*(one.number for one in found.runs), *damaged], yes=yes)


@command.command("import")
@click.argument(
    "files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True
)
@output.common_options
def import_command(files: tuple[Path, ...], as_json: bool, **_: bool) -> None:
    """Keep runs that `history show --json` printed, here or on another machine.

    Of a run that is here already, the rounds that are missing are added.
    """
    from edgekit.verbs.history import import_runs

    done = import_runs(files)
    if as_json:
        output.print_json({"runs": [one.to_json() for one in done]})
        return
    for one in done:
        rounds = f"{one.rounds_added:,} round{'s' * (one.rounds_added != 1)}"
        if one.is_new:
            click.echo(f"run {one.number}: {one.path}")
        elif one.rounds_added:
            click.echo(f"run {one.number} was here already, without {rounds} of {one.path}: added")
        else:
            click.echo(f"run {one.number} was here already: {one.path}")


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
