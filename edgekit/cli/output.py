"""What commands print: tables and JSON on stdout, progress on stderr.

The only module besides the error boundary that writes to the terminal. rich is imported when
something is drawn with it, not before.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.errors import EdgekitError
from edgekit.progress import Progress, Report, noticed_by, silent

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

_LINE_EVERY_S = 10.0


def common_options(command: F) -> F:
    """Add `--json`, `--quiet` and `--verbose`: parameters `as_json`, `quiet` and `verbose`."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option("--quiet", "-q", is_flag=True, help="No progress, only the result."),
        click.option("--verbose", "-v", is_flag=True, help="A line for every step, with its time."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def progress(*, quiet: bool, as_json: bool, verbose: bool = False) -> Iterator[Report]:
    """A `Report` that shows bars on a terminal and plain lines elsewhere, on stderr.

    Args:
        quiet: Show nothing.
        as_json: A program reads the result: without a terminal nobody reads the lines.
        verbose: A line for every step even on a terminal, with the time since the start.
    """
    on_terminal = sys.stderr.isatty()
    if quiet or (as_json and not on_terminal and not verbose):
        with noticed_by(_say):
            yield silent
    elif on_terminal and not verbose:
        with _bars() as report:
            yield report
    else:
        with noticed_by(_say):
            yield _Lines(every_step=verbose)


def raise_failures(failures: Mapping[str, EdgekitError], made: int, what: str = "made") -> None:
    """Raise what kept artifacts from being made: the error of one, or a summary of several."""
    found = list(failures.values())
    if len(found) == 1:
        raise found[0]
    if found:
        raise EdgekitError(
            f"{len(found)} of {made + len(found)} artifacts were not {what}",
            *(error.message for error in found),
            hint=next((error.hint for error in found if error.hint), None),
        )


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document to stdout. NaN is refused: it is not JSON."""
    import json

    click.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table to stdout, numbers on the right; no cell is cut or broken.

    A table that is wider than the terminal is printed as a block of labelled lines for each row.

    Args:
        title: A line above; empty for none.
        columns: Headings.
        rows: Cells, as many a row as there are columns; None prints as an em dash.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, heading in enumerate(columns):
        numeric = all(_is_figure(row[index]) for row in rows)
        table.add_column(Text(heading), justify="right" if numeric and rows else "left")
    for row in rows:
        # Text, not str: a name with [brackets] is no markup.
        table.add_row(*(Text(_shown(cell)) for cell in row))
    if title:
        click.secho(title, bold=True)
    console = _console()
    with console.capture() as drawn:
        console.print(table)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    if sys.stdout.isatty() and max(map(len, lines)) > shutil.get_terminal_size().columns:
        lines = _stacked(columns, rows)
    for line in lines:
        click.echo(line)


def print_facts(title: str, facts: Mapping[str, str]) -> None:
    """Print labelled facts to stdout, one a line, below a title."""
    click.secho(title, bold=True)
    width = max((len(label) for label in facts), default=0)
    for label, fact in facts.items():
        click.echo(f"  {label:<{width}}  {fact}")


def print_warnings(warnings: Iterable[object]) -> None:
    """Print what is wrong but stops nothing, to stderr, one `warning:` line each."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def megabytes(size: int) -> str:
    """A size in bytes for people: `2.61 MB`."""
    return f"{size / 1e6:.2f} MB"


def figure(metric: Mapping[str, Any], value: float) -> str:
    """A value of a metric, as its JSON has it, in its unit: `97.17 %`."""
    from edgekit.metrics import SCALES

    return SCALES[metric.get("unit", "points")].text(value)


def accuracies(metrics: Sequence[Mapping[str, Any] | None]) -> tuple[str, list[str | None]]:
    """A column's title and its cells: figures with their intervals, None where there is none.

    Percents say so in the title, if there is nothing else.
    """
    known = [one for one in metrics if one is not None]
    percents = all("unit" not in one for one in known)
    cells: list[str | None] = []
    for one in metrics:
        if one is None:
            cells.append(None)
            continue
        value = f"{one['value']:.2f}" if percents else figure(one, one["value"])
        cells.append("{} [{:.2f}, {:.2f}]".format(value, *one["ci95"]))
    return "accuracy %" if percents else "accuracy", cells


def _stacked(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    width = max(map(len, columns[1:]), default=0)
    lines = []
    for row in rows:
        lines.append(_shown(row[0]))
        lines += [
            f"  {heading:<{width}}  {_shown(cell)}"
            for heading, cell in zip(columns[1:], row[1:], strict=True)
            if cell != ""
        ]
    return lines


def _shown(cell: Any) -> str:
    return "—" if cell is None else str(cell)


def _is_figure(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float)) or str(cell)[:1] in "0123456789-+±"


def _console() -> Console:
    from rich.console import Console

    # Wider than any table: none is cut, and whether it fits is asked of what was drawn.
    return Console(file=sys.stdout, highlight=False, width=4096)


def _say(text: str) -> None:
    """A notice: work waits for whoever reads it, so that even --quiet keeps it."""
    click.echo(text, err=True)


@contextmanager
def _bars() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    known: dict[str, Any] = {}
    lock = threading.Lock()

    def report(step: Progress) -> None:
        with lock:
            if step.task not in known:
                known[step.task] = bars.add_task(step.task, total=step.total, note=step.note)
        bars.update(known[step.task], completed=step.done, total=step.total, note=step.note)

    def say(text: str) -> None:
        # Printed by the bars, which stand below it then.
        bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    with bars, noticed_by(say):
        yield report


class _Lines:
    """Progress as lines: one when a task begins, one when it ends, and one now and then."""

    def __init__(self, *, every_step: bool) -> None:
        self._every_step = every_step
        self._start = time.monotonic()
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, step: Progress) -> None:
        now = time.monotonic()
        finished = step.total is not None and step.done >= step.total
        with self._lock:
            last = self._last.get(step.task)
            if last is not None and not (
                finished or self._every_step or now - last >= _LINE_EVERY_S
            ):
                return
            self._last[step.task] = now
            click.echo(self._line(step, now - self._start, finished=finished), err=True)

    def _line(self, step: Progress, elapsed_s: float, *, finished: bool) -> str:
        parts = [step.task]
        if finished and step.total:
            parts.append("done")
        elif step.total:
            parts.append(f"{100 * step.done / step.total:.0f} %")
        if step.note:
            parts.append(step.note)
        line = "  ".join(parts)
        return f"{elapsed_s:7.1f} s  {line}" if self._every_step else line
