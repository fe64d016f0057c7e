"""What the passes of a profile found out: ops, memory by step, pre- and postprocessing, energy."""

from __future__ import annotations

from typing import Any

from edgekit.passes import PHASES
from edgekit.reporting import wording
from edgekit.reporting.facts import Row, RunFacts
from edgekit.reporting.page import Cell, Section, Table, table

_MOST_OPS = 12  # of a contender, in the table


def pass_sections(key: str, one: RunFacts) -> tuple[Section, ...]:
    """A section for each pass that any contender has.

    Args:
        key: The run's.
        one: The run.
    """
    makers = {"phases": _phases, "memory": _memory, "energy": _energy}
    found = []
    if any("ops" in row.passes for row in one.rows):
        tables = tuple(
            made for number, row in enumerate(one.rows) if (made := _ops(f"{key}-op{number}", row))
        )
        found.append(
            Section(
                f"{key}-ops",
                "Operators",
                3,
                paragraphs=(
                    (
                        "By the runtimes' own profilers, in a process apart from the timed ones: a "
                        "profiler costs time, and what one process says has no interval."
                    ),
                    *_refusals(one, "ops"),
                ),
                tables=tables,
            )
        )
    for name, make in makers.items():
        rows = [row for row in one.rows if name in row.passes]
        if rows:
            known = [row for row in rows if "unavailable" not in row.passes[name]]
            made = make(f"{key}-{name}-pass", known) if known else None
            found.append(
                Section(
                    f"{key}-{name}",
                    {
                        "phases": "Preprocessing, inference, postprocessing",
                        "memory": "Memory by step",
                        "energy": "Energy",
                    }[name],
                    3,
                    paragraphs=_refusals(one, name),
                    tables=(made,) if made else (),
                )
            )
    return tuple(found)


def _refusals(one: RunFacts, name: str) -> tuple[str, ...]:
    """Why a pass could not be had, and for whom."""
    reasons: dict[str, list[str]] = {}
    for row in one.rows:
        document = row.passes.get(name, {})
        if "unavailable" in document:
            reasons.setdefault(document["unavailable"], []).append(row.label)
    return tuple(
        f"Unavailable for {'all' if len(who) == len(one.rows) else ', '.join(who)}: {reason}."
        for reason, who in reasons.items()
    )


def _ops(key: str, row: Row) -> Table | None:
    if row.ops is None:
        return None
    shown = row.ops.ops[:_MOST_OPS]
    return table(
        key,
        f"{row.label} (sha256 {wording.digest(row.contender.sha256)}): the "
        f"{wording.plural(len(shown), 'longest op')} of {len(row.ops.ops)}, time "
        f"in one inference over {wording.plural(row.ops.calls, 'profiled call')} of one process, "
        "without an interval",
        ("op", "kind", "ms", "share"),
        [
            [
                Cell(wording.clipped(op.name, 80), code=True),
                wording.clipped(op.kind, 60),
                wording.op_ms(op.ms, row.ops.resolution_ms),
                f"{100 * op.share:.1f} %",
            ]
            for op in shown
        ],
        folded=f"{row.label}: the {wording.plural(len(shown), 'longest op')}",
    )


def _phases(key: str, rows: list[Row]) -> Table:
    cells: list[list[Cell | str]] = []
    for row in rows:
        document = row.passes["phases"]
        cells.append(
            [
                row.label,
                *(_median(document["phases"][name], "median_ms", "ci95_ms") for name in PHASES),
                document["sample"],
                f"{document['processes']:,}",
                wording.sha_cell(row.contender.sha256),
            ]
        )
    return table(
        key,
        "From a raw sample to an answer, in edgekit's own code on the host, ms, with 95 % "
        "intervals over processes",
        ("contender", *PHASES, "sample", "processes", "sha256"),
        cells,
    )


def _memory(key: str, rows: list[Row]) -> Table:
    steps = [step["step"] for step in rows[0].passes["memory"]["steps"]]
    cells: list[list[Cell | str]] = []
    for row in rows:
        found = {step["step"]: step["rss_bytes"] for step in row.passes["memory"]["steps"]}
        cells.append(
            [
                row.label,
                *(
                    Cell(wording.UNAVAILABLE, weak=True)
                    if found.get(step) is None
                    else f"{found[step] / 1e6:.1f}"
                    for step in steps
                ),
                wording.sha_cell(row.contender.sha256),
            ]
        )
    return table(
        key,
        "Resident memory after each step, MB, in one process: the interpreter and the agent, the "
        "runtime imported, the model loaded, the first call, and further calls; no interval",
        ("contender", *steps, "sha256"),
        cells,
    )


def _energy(key: str, rows: list[Row]) -> Table:
    cells: list[list[Cell | str]] = []
    for row in rows:
        document = row.passes["energy"]
        cells.append(
            [
                row.label,
                _median(
                    {name: _thousandfold(value) for name, value in document["joules"].items()},
                    "median",
                    "ci95",
                ),
                f"{document['idle_watts']:.2f}",
                f"{document['active_watts']:.2f}",
                f"{document['repetitions']:,}",
                f"{document['calls']:,}",
                wording.clipped(document["counter"], 60),
                wording.sha_cell(row.contender.sha256),
            ]
        )
    return table(
        key,
        "Energy of one inference with idle power subtracted, mJ, with its 95 % interval",
        ("contender", "mJ", "idle, W", "active, W", "repetitions", "calls", "counter", "sha256"),
        cells,
    )


def _thousandfold(value: Any) -> Any:
    return [1000 * one for one in value] if isinstance(value, list) else 1000 * value


def _median(document: dict[str, Any], name: str, interval: str) -> Cell:
    return Cell(*wording.shown(document[name], *document[interval]))
