"""One run: who can be ruled out, latencies, phases, ops, memory and placement, environment."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.reporting import wording
from edgekit.reporting.building import comparable
from edgekit.reporting.comparing import drifts_of, ratio
from edgekit.reporting.dominance import RULE
from edgekit.reporting.facts import Reading, Row, RunFacts
from edgekit.reporting.page import Cell, Section, Table, table
from edgekit.reporting.sections.environment import environment_section
from edgekit.reporting.sections.passes import pass_sections
from edgekit.summary import CALLS_NEEDED, ENOUGH_PROCESSES

_FLOAT = ("fp32", "fp16")


def run_sections(key: str, one: RunFacts) -> tuple[Section, ...]:
    """A part of the page for a run, and its parts.

    Args:
        key: Unique on the page.
        one: The run.
    """
    measured = any(row.turns for row in one.rows)
    head = Section(key, wording.run_title(one), paragraphs=_facts(one))
    if not measured:
        nothing = Section(f"{key}-latency", "Latency", 3, paragraphs=("No round was finished.",))
        return head, nothing, environment_section(key, one)
    if one.run.command == "sustained":
        figures: tuple[Section, ...] = (_sustained(key, one),)
    else:
        figures = (*_plane(key, one), _latency(key, one), _phases(key, one))
    return (
        head,
        *figures,
        *pass_sections(key, one),
        _placement(key, one),
        environment_section(key, one),
    )


def _facts(one: RunFacts) -> tuple[str, ...]:
    contenders = wording.plural(len(one.rows), "contender")
    rounds = wording.plural(one.run.rounds, "round")
    if one.run.command == "sustained":
        told = (
            f"{contenders}, each in one process that computed without a pause; {one.calls:,} timed "
            f"calls in {wording.plural(one.run.rounds, 'period')}. Periods of one process are not "
            "independent: there is no interval over processes, and nobody is ruled out here."
        )
    else:
        told = (
            f"{contenders} in {rounds} of fresh processes, {one.calls:,} timed calls. Latencies "
            f"are judged by {wording.CLOCKS[one.clock]}."
        )
    parts = [told]
    if not one.finished:
        parts.append("The run was not finished: this is what was measured until then.")
    if one.left_out:
        parts.append(
            f"The run had {wording.plural(one.left_out, 'further contender')} that "
            f"{'is' if one.left_out == 1 else 'are'} not asked for here."
        )
    return tuple(parts)


def _plane(key: str, one: RunFacts) -> tuple[Section, ...]:
    if not comparable(one.rows, one.clock):
        why = (
            "Not drawn: no contender has both an accuracy and a latency with a 95 % interval, "
            "which needs six processes."
        )
        return (Section(f"{key}-plane", "Accuracy against latency", 3, paragraphs=(why,)),)
    verdicts = table(
        f"{key}-verdicts",
        "What can be said of each contender",
        ("contender", "accuracy", one_clock(one), "verdict", "placement", "sha256"),
        [
            (
                row.label,
                _metric_cell(row),
                reading_cell(row.latency[one.clock]),
                wording.standing(row, one.rows),
                wording.placement(row.placements),
                wording.sha_cell(row.contender.sha256),
            )
            for row in one.rows
        ],
    )
    return (
        Section(
            f"{key}-plane",
            "Accuracy against latency",
            3,
            paragraphs=(RULE,),
            tables=(verdicts,),
        ),
    )


def _latency(key: str, one: RunFacts) -> Section:
    percents = [
        percent
        for percent in CALLS_NEEDED
        if any(row.summary and percent in row.summary.tails for row in one.rows)
    ]
    rows: list[list[Cell | str]] = []
    for row in one.rows:
        cells = [reading_cell(row.latency[clock]) for clock in ("cpu", "wall", "call")]
        tails = [_tail(row, percent) for percent in percents]
        rows.append(
            [row.label, *cells, *tails, *_counts(row), wording.sha_cell(row.contender.sha256)]
        )
    latencies = table(
        f"{key}-latencies",
        f"Latency of one call, ms, with {intervals(one)}: invoke alone by CPU time and by wall "
        "time, the whole call with inputs set and outputs read, and percentiles of invoke by "
        "wall time",
        (
            "contender", "CPU time", "wall time", "whole call", *(f"p{one}" for one in percents),
            "processes", "calls", "sha256",
        ),
        rows,
    )  # fmt: skip
    ratios = _ratios(key, one)
    return Section(
        f"{key}-latency",
        "Latency",
        3,
        tables=(latencies, *((ratios,) if ratios else ())),
    )


def _ratios(key: str, one: RunFacts) -> Table | None:
    """Every contender against the one with the lowest latency; for two, B against A as named."""
    known = [row for row in one.rows if row.latency[one.clock]]
    if len(known) < 2:
        return None
    if one.run.command == "compare":
        base = known[0]
    else:
        base = min(known, key=lambda row: getattr(row.latency[one.clock], "value", 0.0))
    rows: list[list[Cell | str]] = []
    for row in known:
        found = None if row is base else ratio(base, row, one.clock)
        if found is None:
            continue
        low, high = found.ci95
        says = "faster" if high < 1 else "slower" if low > 1 else "not told apart"
        value, interval = wording.shown(found.ratio, low, high)
        rows.append(
            [
                row.label,
                Cell(value, interval),
                says,
                f"{100 * found.detectable:.2f} %",
                wording.sha_cell(row.contender.sha256),
            ]
        )
    if not rows:
        return None
    return table(
        f"{key}-ratios",
        f"Latency divided by that of {base.label} (sha256 "
        f"{wording.digest(base.contender.sha256)}), by {wording.CLOCKS[one.clock]}, paired by "
        f"{wording.plural(one.run.rounds, 'round')}, with 95 % intervals; and the smallest "
        "difference that as many rounds find in 9 of 10 tries",
        ("contender", f"× {base.label}", "verdict", "smallest difference", "sha256"),
        rows,
    )


def _phases(key: str, one: RunFacts) -> Section:
    names = list(one.rows[0].phases)
    return Section(
        f"{key}-phase",
        "Phases",
        3,
        tables=(
            table(
                f"{key}-phase-table",
                f"Wall time of each phase, ms: medians over processes with {intervals(one)}",
                ("contender", *names, "processes", "sha256"),
                [
                    [
                        row.label,
                        *(reading_cell(row.phases[name]) for name in names),
                        _counts(row)[0],
                        wording.sha_cell(row.contender.sha256),
                    ]
                    for row in one.rows
                ],
            ),
        ),
    )


def _sustained(key: str, one: RunFacts) -> Section:
    found = drifts_of(one.run)
    if not found:
        return Section(
            f"{key}-sustained", "Over time", 3, ("Fewer than two periods were finished.",)
        )
    rows: list[list[Cell | str]] = []
    for row in one.rows:
        drift = found[row.contender.name]
        value, interval = wording.shown(drift.ratio, *drift.ci95)
        khz = [None if one is None else one / 1000 for one in drift.cpu_khz]
        rows.append(
            [
                row.label,
                f"{drift.first_ms:.3g}",
                f"{drift.last_ms:.3g}",
                Cell(value, interval),
                f"{drift.rank[0]}, then {drift.rank[1]}",
                _ends(drift.temperature_c),
                _ends(khz),
                _counts(row)[1],
                wording.sha_cell(row.contender.sha256),
            ]
        )
    drift_table = table(
        f"{key}-drift",
        "Wall time of one call, ms, in the first period and in the last; the last divided by the "
        "first with its 95 % interval, by batch means; place among the contenders; temperature "
        "and clock after both",
        (
            "contender", "first", "last", "last / first", "rank", "°C", "MHz", "calls", "sha256",
        ),
        rows,
    )  # fmt: skip
    return Section(f"{key}-sustained", "Over time", 3, tables=(drift_table,))


def _ends(values: Sequence[float | None]) -> Cell:
    if None in values:
        return Cell(wording.UNAVAILABLE, weak=True)
    return Cell(", then ".join(f"{value:.4g}" for value in values))


def _placement(key: str, one: RunFacts) -> Section:
    rows: list[list[Cell | str]] = []
    for row in one.rows:
        found = row.placements
        memory: Cell | str = Cell(wording.UNAVAILABLE, weak=True)
        if row.memory is not None:
            memory = reading_cell(row.memory)
        rows.append(
            [
                row.label,
                f"{row.contender.runtime}, {wording.plural(row.contender.threads, 'thread')}",
                Cell(wording.placement(found), found[0].evidence if found else ""),
                _left_out(row),
                memory,
                _counts(row)[0],
                wording.sha_cell(row.contender.sha256),
            ]
        )
    return Section(
        f"{key}-placement",
        "Placement and memory",
        3,
        tables=(
            table(
                f"{key}-placement-table",
                "Where the ops ran, as read from the runtime; ops that the delegate left to "
                "others, or that a quantized file computes in float; and the highest resident "
                "memory of the process, MB",
                (
                    "contender", "runtime", "placement", "left out", "peak memory", "processes",
                    "sha256",
                ),
                rows,
            ),
        ),
    )  # fmt: skip


def _left_out(row: Row) -> Cell | str:
    """Ops that did not run where they should; a float file without a delegate has no such place."""
    found = row.placements
    if not found:
        return Cell(wording.NOT_MEASURED, weak=True)
    delegated = bool(found[0].delegated or found[0].partitions)
    if row.contender.precision in _FLOAT and not delegated:
        return Cell("does not apply", weak=True)
    left = found[0].left_out
    return ", ".join(f"{kind} {count}" for kind, count in sorted(left.items())) or "none"


def _counts(row: Row) -> tuple[Cell | str, Cell | str]:
    if not row.turns:
        absent = Cell(wording.NOT_MEASURED, weak=True)
        return absent, absent
    calls = sum(len(one.samples_ns) for one in row.measurements)
    return f"{row.processes:,}", f"{calls:,}"


def _tail(row: Row, percent: int) -> Cell:
    if row.summary is None or percent not in row.summary.tails:
        return Cell("too few calls", weak=True)
    tail = row.summary.tails[percent]
    return reading_cell(Reading(tail.ms, *tail.ci95_ms, row.summary.processes))


def _metric_cell(row: Row) -> Cell:
    metric = row.proven.metric
    if metric is None:
        return Cell(wording.UNAVAILABLE, "no labelled data", weak=True)
    low, high = metric.ci95
    return Cell(
        metric.scale.text(metric.value),
        f"[{low:.2f}, {high:.2f}], {wording.plural(metric.samples, 'sample')}",
    )


def intervals(one: RunFacts) -> str:
    """What stands in the brackets of a run's latencies."""
    if all(row.processes >= ENOUGH_PROCESSES for row in one.rows if row.turns):
        return "95 % intervals"
    return f"95 % intervals, or the range of fewer than {ENOUGH_PROCESSES} processes"


def one_clock(one: RunFacts) -> str:
    """Heading of the column of the latency that decides."""
    return f"{wording.CLOCKS[one.clock]}, ms"


def reading_cell(one: Reading | None) -> Cell:
    """A reading as a cell, its interval below it."""
    if one is None:
        return Cell(wording.UNAVAILABLE, weak=True)
    value, interval = wording.shown(one.value, one.low, one.high)
    if one.count == 1:
        return Cell(value, "one process")
    return Cell(value, interval if one.covers else f"range {interval}")
