"""`edgekit data`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli import names, output

if TYPE_CHECKING:
    from edgekit.datasets.base import Issue
    from edgekit.verbs.data import CheckedDataset, DatasetEntry, DatasetInfo

_SHOWN = 20  # issues of a kind; --json has them all
_MOST_CLASSES = 40
_PLACES = {
    "folder": "in EDGEKIT_DATA",
    "archive": "in EDGEKIT_DATA, packed",
    "cache": "in the cache",
}


@click.group("data")
def command() -> None:
    """List, fetch, describe, check and convert data sets."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(as_json: bool) -> None:
    """List the data sets that edgekit knows, and whether each is on this machine."""
    from edgekit.verbs.data import list_datasets

    found = list_datasets()
    if as_json:
        output.print_json(found.to_json())
        return
    columns = ("data set", "task", "train", "validation", "test", "licence", "here")
    output.print_table("", columns, [_row(entry) for entry in found.datasets])
    output.print_warnings(found.broken)


@command.command("info")
@click.argument("dataset", metavar="NAME|PATH", shell_complete=names.complete_datasets)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def info_command(dataset: str, as_json: bool) -> None:
    """Describe one data set: its classes, splits, licence and source."""
    from edgekit.verbs.data import describe_dataset

    found = describe_dataset(dataset)
    if as_json:
        output.print_json(found.to_json())
    else:
        _print_info(found)


@command.command("fetch")
@click.argument("dataset", metavar="NAME", shell_complete=names.complete_datasets)
@output.common_options
def fetch_command(dataset: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Download a known data set into the cache, and check its content."""
    from edgekit.verbs.data import fetch_dataset

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = fetch_dataset(dataset, report=report)
    if as_json:
        output.print_json(found.to_json())
    elif found.place is None:
        click.echo(f"{found.name} needs no files")
    else:
        verb = "is here" if found.was_here else "fetched"
        click.echo(f"{found.name} {verb}: {found.place.path}")


@command.command("check")
@click.argument("dataset", metavar="NAME|PATH", shell_complete=names.complete_datasets)
@output.common_options
@click.pass_context
def check_command(
    ctx: click.Context, dataset: str, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Look for what is wrong with a data set; exit with 1 if there are errors.

    Unreadable files, degenerate boxes, the same or nearly the same sample in two splits, classes
    without samples or with far fewer than others.
    """
    from edgekit.verbs.data import check_dataset

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = check_dataset(dataset, report=report)
    if as_json:
        output.print_json(found.to_json())
    else:
        _print_check(found)
    if found.inspection.errors:
        ctx.exit(1)


@command.command("convert")
@click.argument("dataset", metavar="NAME|PATH", shell_complete=names.complete_datasets)
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder to write; TFRecords in it are replaced.",
)
@click.option("--gzip", "compress", is_flag=True, help="Compress: texts shrink, pictures don't.")
@click.option(
    "--shards",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Files a split.",
)
@click.option("--samples", type=click.IntRange(min=1), help="Of each split at most.")
@click.option(
    "--size",
    type=click.IntRange(1, 8192),
    metavar="PIXELS",
    help="Shrink pictures to this shorter side; draw generated ones in it.",
)
@output.common_options
def convert_command(
    dataset: str,
    out: Path,
    compress: bool,
    shards: int,
    samples: int | None,
    size: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Write a data set as TFRecords, which --data takes as well.

    Pictures keep the bytes of their files unless --size is given; order and splits stay. The folder
    appears whole or not at all.
    """
    from edgekit.verbs.convert import convert_dataset

    with output.progress(quiet=quiet, as_json=as_json, verbose=verbose) as report:
        found = convert_dataset(
            dataset,
            out,
            compress=compress,
            shards=shards,
            samples=samples,
            pixels=size,
            report=report,
        )
    if as_json:
        output.print_json(found.to_json())
        return
    written = found.written
    rows = [
        (split, f"{count:,}", output.megabytes(written.bytes[split]))
        for split, count in written.samples.items()
    ]
    output.print_table(f"{found.name} as TFRecords", ("split", "samples", "size"), rows)
    output.print_facts("", {"folder": str(written.folder), "files": f"{written.files:,}"})


def _row(entry: DatasetEntry) -> tuple[str | None, ...]:
    where = "needs no files" if entry.archive is None else f"no: edgekit data fetch {entry.name}"
    if entry.place is not None:
        where = _PLACES[entry.place.kind]
    counts = (entry.samples.get(split) for split in ("train", "validation", "test"))
    return (
        entry.name,
        entry.task,
        *(None if count is None else f"{count:,}" for count in counts),
        entry.licence or None,
        where,
    )


def _print_info(found: DatasetInfo) -> None:
    dataset = found.dataset
    samples = ", ".join(f"{split} {size:,}" for split, size in found.samples.items())
    facts = {
        "task": dataset.task,
        "samples": samples,
        "splits": dataset.split_rule,
        "classes": f"{len(dataset.classes):,}" if dataset.classes else "",
        **dataset.facts(),
        "licence": dataset.licence,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint()[:16],
    }
    output.print_facts(dataset.name, {label: fact for label, fact in facts.items() if fact})
    if not found.class_counts:
        return
    click.echo()
    columns = ("class", *found.class_counts)
    rows = [
        (name, *(f"{counts[label]:,}" for counts in found.class_counts.values()))
        for label, name in enumerate(dataset.classes)
    ]
    output.print_table("", columns, rows[:_MOST_CLASSES])
    if len(rows) > _MOST_CLASSES:
        click.echo(f"and {len(rows) - _MOST_CLASSES:,} more: --json lists them")


def _print_check(found: CheckedDataset) -> None:
    inspection = found.inspection
    kinds: dict[tuple[bool, str], list[Issue]] = {}
    for issue in inspection.issues:
        kinds.setdefault((issue.is_error, issue.kind), []).append(issue)
    for (is_error, kind), issues in kinds.items():
        title = f"{'error' if is_error else 'warning'}: {kind}, {len(issues):,}"
        output.print_table(title, ("where", "problem"), _cells(issues))
        if len(issues) > _SHOWN:
            click.echo(f"and {len(issues) - _SHOWN:,} more: --json lists them")
        click.echo()
    read = ", ".join(f"{split} {count:,}" for split, count in inspection.samples.items())
    warnings = len(inspection.issues) - inspection.errors
    facts = {
        "read": read,
        "errors": f"{inspection.errors:,}",
        "warnings": f"{warnings:,}",
        "note": "; ".join(inspection.notes),
    }
    output.print_facts(found.name, {label: fact for label, fact in facts.items() if fact})


def _cells(issues: Sequence[Issue]) -> list[tuple[str, str]]:
    return [(issue.where, issue.problem) for issue in issues[:_SHOWN]]
