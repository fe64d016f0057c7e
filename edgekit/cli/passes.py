"""Documents of passes (`edgekit.passes`) as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.passes import PHASES

TOP = 10
_BAR = 20  # characters of the longest op's bar

_STEP_WORDS = {
    "start": "interpreter and numpy",
    "import": "runtime imported",
    "load": "model loaded",
    "first": "first call",
}


@dataclass(frozen=True, slots=True)
class PassTable:
    """What `edgekit.cli.output.print_table` takes, and lines below it.

    Attributes:
        title: A line above.
        columns: Headings.
        rows: Cells.
        notes: Lines below.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()


def print_passes(passes: Mapping[str, Mapping[str, Any]]) -> None:
    """Print all tables of `Run.passes` to stdout."""
    import click

    from edgekit.cli import output

    for table in pass_tables(passes):
        click.echo()
        if table.rows:
            output.print_table(table.title, table.columns, table.rows)
        else:
            click.secho(table.title, bold=True)
        for note in table.notes:
            click.echo(note)


def pass_tables(passes: Mapping[str, Mapping[str, Any]], *, top: int = TOP) -> list[PassTable]:
    """Tables of `Run.passes`: one a contender for "ops", one in all for each other pass.

    Args:
        passes: Contender's name → pass → document.
        top: Ops that are shown.
    """
    tables: list[PassTable] = []
    for name, build in (
        ("memory", memory_table),
        ("phases", phases_table),
        ("energy", energy_table),
    ):
        found = {who: documents[name] for who, documents in passes.items() if name in documents}
        if found:
            tables.append(build(found))
    for who, documents in passes.items():
        if "ops" in documents:
            tables.append(ops_table(who, documents["ops"], top=top))
    return tables


def memory_table(found: Mapping[str, Mapping[str, Any]]) -> PassTable:
    """Resident megabytes after each step of each contender."""
    rows = []
    notes = _unavailable(found)
    calls = next((d["calls"] for d in found.values() if "calls" in d), 0)
    for who, document in found.items():
        if "steps" not in document:
            continue
        steps = {step["step"]: step for step in document["steps"]}
        last = steps["calls"]
        rows.append(
            (
                who,
                *(_megabytes(steps[name]["rss_bytes"]) for name in ("start", "import", "load")),
                _megabytes(steps["first"]["rss_bytes"]),
                _megabytes(last["rss_bytes"]),
                _megabytes(last["peak_rss_bytes"]),
                _megabytes(last["anonymous_bytes"]),
                _megabytes(last["file_bytes"]),
                _megabytes(document["model_bytes"]),
            )
        )
    columns = (
        "artifact",
        *_STEP_WORDS.values(),
        f"{calls} calls",
        "peak",
        "of it allocated",
        "mapped from files",
        "model file",
    )
    return PassTable("resident memory in MB after each step", columns, tuple(rows), notes)


def ops_table(who: str, document: Mapping[str, Any], *, top: int = TOP) -> PassTable:
    """The longest ops of one contender with a bar each, and the rest as one row."""
    if "ops" not in document:
        return PassTable(f"{who}: ops", (), (), _unavailable({who: document}))
    ops = document["ops"]
    longest = ops[0]["share"]
    rows: list[tuple[Any, ...]] = [
        (_short(op["name"]), op["kind"], *_figures(op["ms"], op["share"], longest))
        for op in ops[:top]
    ]
    if rest := ops[top:]:
        ms, share = (sum(op[key] for op in rest) for key in ("ms", "share"))
        rows.append((f"{len(rest)} more", "", *_figures(ms, share, None)))
    return PassTable(
        f"{who}: ops",
        ("op", "kind", "ms", "share %", ""),
        tuple(rows),
        (
            (
                f"{len(ops)} ops, {document['total_ms']:.3g} ms together; "
                f"a profiled call takes {document['call_ms']:.3g} ms; {document['calls']} calls"
            ),
            f"read from: {document['evidence']}",
        ),
    )


def phases_table(found: Mapping[str, Mapping[str, Any]]) -> PassTable:
    """Median milliseconds of each phase with its interval."""
    rows, notes = [], list(_unavailable(found))
    for who, document in found.items():
        if "phases" not in document:
            continue
        phases = document["phases"]
        cells = [_interval(phases[name]["median_ms"], phases[name]["ci95_ms"]) for name in PHASES]
        rows.append((who, *cells))
        before, after = (
            ", ".join(document["steps"][name]) or "nothing"
            for name in ("preprocess", "postprocess")
        )
        told = f"{document['sample']}; preprocess: {before}; postprocess: {after}"
        count = f"{document['processes']} processes of {document['repetitions']} repetitions"
        for line in (told, count, document["evidence"]):
            if line not in notes:
                notes.append(line)
    columns = ("artifact", *(f"{name} ms" for name in PHASES))
    return PassTable("phases", columns, tuple(rows), tuple(notes))


def energy_table(found: Mapping[str, Mapping[str, Any]]) -> PassTable:
    """Millijoules of an inference with their interval, and the power behind them."""
    rows, notes = [], list(_unavailable(found))
    for who, document in found.items():
        if "joules" not in document:
            continue
        low, high = document["joules"]["ci95"]
        heat = document["temperature_c"]
        rows.append(
            (
                who,
                _interval(1e3 * document["joules"]["median"], (1e3 * low, 1e3 * high)),
                f"{document['idle_watts']:.2f}",
                f"{document['active_watts']:.2f}",
                *(None if heat[when] is None else f"{heat[when]:.1f}" for when in heat),
            )
        )
        for line in (f"counter: {document['counter']}", document["evidence"]):
            if line not in notes:
                notes.append(line)
    columns = ("artifact", "mJ an inference", "idle W", "working W", "°C before", "°C after")
    return PassTable("energy", columns, tuple(rows), tuple(notes))


def _unavailable(found: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """One line for each reason, with the contenders that it holds for."""
    reasons: dict[str, list[str]] = {}
    for who, document in found.items():
        if "unavailable" in document:
            reasons.setdefault(document["unavailable"], []).append(who)
    everyone = len(found)
    return tuple(
        f"unavailable{'' if len(whose) == everyone else ' for ' + ', '.join(whose)}: {reason}"
        for reason, whose in reasons.items()
    )


def _figures(ms: float, share: float, longest: float | None) -> tuple[str, str, str]:
    bar = "" if longest is None else "█" * max(1, round(_BAR * share / longest)) if share else ""
    return f"{ms:.4f}", f"{100 * share:.1f}", bar


def _interval(middle: float, bounds: Sequence[float]) -> str:
    low, high = bounds
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def _megabytes(size: int | None) -> str | None:
    return None if size is None else f"{size / 1e6:.1f}"


def _short(name: str, longest: int = 48) -> str:
    """The end of a long name: its beginning is the model's."""
    return name if len(name) <= longest else "…" + name[1 - longest :]
