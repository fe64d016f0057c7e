"""Which charts stand in which section of a run."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.reporting.building import comparable
from edgekit.reporting.charts.distributions import distributions
from edgekit.reporting.charts.ops import ops
from edgekit.reporting.charts.pareto import pareto
from edgekit.reporting.charts.phases import phases
from edgekit.reporting.charts.sustained import sustained
from edgekit.reporting.drawing import Chart
from edgekit.reporting.facts import Row, RunFacts

_MOST_DRAWN = 24  # contenders in a chart; the tables have all


def run_charts(key: str, one: RunFacts) -> dict[str, tuple[Chart, ...]]:
    """Key of a section → its charts.

    Args:
        key: The run's.
        one: The run.
    """
    if one.run.command == "sustained":
        shown = [row for row in one.rows if row.turns][:_MOST_DRAWN]
        course = sustained(f"{key}-course", shown, one.clock)
        return {f"{key}-sustained": tuple(course), f"{key}-ops": _bars(key, shown)}
    shown = quickest(one.rows, one.clock)
    planes = [
        chart
        for number, members in enumerate(comparable(one.rows, one.clock))
        for chart in pareto(
            f"{key}-plane{number}",
            quickest([one.rows[index] for index in members], one.clock),
            one.rows,
            one.clock,
        )
    ]
    return {
        f"{key}-plane": tuple(planes),
        f"{key}-latency": tuple(distributions(f"{key}-distributions", shown, one.clock)),
        f"{key}-phase": tuple(phases(f"{key}-marks", shown)),
        f"{key}-ops": _bars(key, shown),
    }


def _bars(key: str, rows: Sequence[Row]) -> tuple[Chart, ...]:
    drawn = [ops(f"{key}-bars{number}", row) for number, row in enumerate(rows)]
    return tuple(chart for chart in drawn if chart)


def quickest(rows: Sequence[Row], clock: str) -> list[Row]:
    """Those with a latency, in their order; the quickest of them where there are too many."""
    known = [(reading.value, row) for row in rows if (reading := row.latency[clock])]
    if len(known) > _MOST_DRAWN:
        limit = sorted(value for value, _ in known)[_MOST_DRAWN - 1]
        known = [(value, row) for value, row in known if value <= limit][:_MOST_DRAWN]
    return [row for _, row in known]
