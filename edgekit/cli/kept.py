"""What the store holds, as tables: lists of runs and of evaluations, one run with its figures.

Prints what it is given; does not know the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import output

if TYPE_CHECKING:
    from edgekit.run import Contender, Run
    from edgekit.store import DamagedRun, KeptEvaluation, StoredRun
    from edgekit.summary import Summary
    from edgekit.verbs.history import EvaluationList, RunList, ShownRun

_FIGURES = (
    "contender", "MB", "{accuracy}", "median ms", "CPU ms", "call ms", "p90 ms", "first ms",
    "load ms", "peak MB", "processes", "placement",
)  # fmt: skip
_SHOWN_MODELS = 3
_RUNS = ("run", "started", "command", "device", "models", "contenders", "rounds", "")
_EVALUATIONS = ("eval", "started", "artifact", "sha256", "device", "data", "samples", "figure")


def print_runs(found: RunList) -> None:
    """Print a table of runs, newest first, damaged ones among them."""
    rows = {one.number: (one.run.started, _row(one)) for one in found.runs}
    rows |= {one.number: (one.started, _damaged_row(one)) for one in found.damaged}
    newest_first = sorted(rows, key=lambda number: (rows[number][0], number), reverse=True)
    output.print_table("", _RUNS, [rows[number][1] for number in newest_first])


def print_evaluations(found: EvaluationList) -> None:
    """Print a table of evaluations, newest first, with the numbers that `--against` takes."""
    rows = [_evaluation_row(number, one) for number, one in found.evaluations.items()]
    output.print_table("", _EVALUATIONS, rows)


def print_run(found: ShownRun) -> None:
    """Print a run: figures with intervals, rules and environment."""
    from edgekit.summary import ENOUGH_PROCESSES

    stored, run = found.stored, found.run
    heading, accuracies = output.accuracies([contender.metric for contender in run.contenders])
    rows = [
        (*_figures(contender, accuracy, figures), _placement(run, place))
        for place, (contender, accuracy, figures) in enumerate(
            zip(run.contenders, accuracies, found.summaries, strict=True)
        )
    ]
    title = f"run {stored.number}: {run.command} on {run.device}, {run.started}"
    state = _state(stored)
    columns = [column.format(accuracy=heading) for column in _FIGURES]
    output.print_table(f"{title}, {state}" if state else title, columns, rows)
    fewest = min((one.processes for one in found.summaries if one), default=0)
    of_median = "95 %" if fewest >= ENOUGH_PROCESSES else "the range only: too few processes"
    click.echo(f"in brackets the interval: accuracy 95 %, times {of_median}\n")
    output.print_facts("rules", {key: str(value) for key, value in run.rules.items()})
    output.print_facts("environment", {key: _fact(value) for key, value in run.environment.items()})
    if run.passes:
        done = {name: ", ".join(sorted(passes)) for name, passes in run.passes.items()}
        output.print_facts("further passes, in --json", done)


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


def _damaged_row(one: DamagedRun) -> tuple[Any, ...]:
    unknown = [None] * (len(_RUNS) - 3)
    return (one.number, _moment(one.started), *unknown, "damaged")


def _evaluation_row(number: int, one: KeptEvaluation) -> tuple[Any, ...]:
    metric = one.metric
    return (
        number,
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


def _figures(
    contender: Contender, accuracy: str | None, figures: Summary | None
) -> tuple[Any, ...]:
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
