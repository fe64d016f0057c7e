"""Latency of every call: where the samples lie, and each process's median."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from edgekit.measure import Measurement
from edgekit.reporting import wording
from edgekit.reporting.charts import looks
from edgekit.reporting.drawing import COLOURS, Canvas, Chart
from edgekit.reporting.facts import Row, calls_ns
from edgekit.statistics import median, quantile

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_ROW_PX = 58
_BINS = 96
_SHOWN = 0.98  # of the samples; a few long waits would squeeze all else


def distributions(key: str, rows: Sequence[Row], clock: str) -> list[Chart]:
    """One row per contender, for wide and for narrow screens; empty where nothing was measured."""
    known = [row for row in rows if row.turns and row.latency[clock] is not None]
    if not known:
        return []
    low, high = _limits(known, clock)
    beyond = _beyond(known, clock, high)
    words = "Latency distributions. " + ". ".join(_words(row, clock) for row in known)
    caption = (
        f"{wording.sentence(wording.CLOCKS[clock])} of one call, ms. Shape: all timed calls, each "
        "process with equal weight. Dots: the median of each process, the first one on top. "
        f"Bar: interval of the median. {100 * beyond:.1f} % of the calls lie beyond the right edge."
    )
    return looks.both(
        key,
        (_ROW_PX * len(known) + 40,) * 2,
        partial(_paint, rows=known, clock=clock, limits=(low, high)),
        words=words,
        caption=caption,
    )


def _limits(rows: Sequence[Row], clock: str) -> tuple[float, float]:
    lows, highs = [], []
    for row in rows:
        for one in row.measurements:
            calls = calls_ns(one, clock)
            lows.append(quantile(calls, (1 - _SHOWN) / 2) / 1e6)
            highs.append(quantile(calls, (1 + _SHOWN) / 2) / 1e6)
    latencies = [latency for row in rows if (latency := row.latency[clock])]
    low = median(sorted(lows)[: max(1, len(lows) // 4)])
    # The slowest contender's usual process, not the one that was disturbed most.
    slowest = max(latencies, key=lambda one: one.value)
    tail = [
        quantile(calls_ns(one, clock), (1 + _SHOWN) / 2) / 1e6
        for row in rows
        if row.latency[clock] is slowest
        for one in row.measurements
    ]
    shown = [low, *(one.low for one in latencies)]
    return (
        max(min(shown), 1e-9),
        max(median(tail), *(one.high for one in latencies)),
    )


def _beyond(rows: Sequence[Row], clock: str, high: float) -> float:
    calls = [call for row in rows for one in row.measurements for call in calls_ns(one, clock)]
    return sum(call / 1e6 > high for call in calls) / len(calls)


def _paint(canvas: Canvas, *, rows: Sequence[Row], clock: str, limits: tuple[float, float]) -> None:
    axes = canvas.figure.add_subplot()
    looks.fill(axes, left=6, right=6, top=4, bottom=36)
    looks.bare_rows(axes, len(rows))
    looks.time_axis(axes, *limits, margin=0.03)
    axes.set_xlabel(f"{wording.CLOCKS[clock]}, ms")
    edges = _edges(axes.get_xlim(), logarithmic=axes.get_xscale() == "log")
    for number, row in enumerate(rows):
        latency = row.latency[clock]
        assert latency is not None
        name = wording.clipped(row.label, 26)
        figure = wording.reading(latency, "ms")
        looks.row_title(axes, number + 0.15, name, figure, row.contender)
        _draw_row(canvas, axes, number, row, clock=clock, edges=edges)


def _draw_row(
    canvas: Canvas, axes: Any, number: int, row: Row, *, clock: str, edges: Array
) -> None:
    import numpy as np

    latency = row.latency[clock]
    assert latency is not None
    colour = looks.colour(row.contender)
    middle, half = number + 0.62, 0.30
    density = _density(row.measurements, clock, edges)
    density = density / max(float(density.max()), 1e-12) * half
    centres = (edges[:-1] + edges[1:]) / 2
    shape = {"color": colour, "alpha": 0.22, "linewidth": 0, "gid": canvas.tip(_words(row, clock))}
    axes.fill_between(centres, middle - density, middle + density, **shape)
    medians = [median(calls_ns(one, clock)) / 1e6 for one in row.measurements]
    order = np.linspace(-half * 0.75, half * 0.75, len(medians)) if len(medians) > 1 else [0.0]
    axes.plot(
        medians, middle + np.asarray(order), linestyle="", marker="o", markersize=3.4,
        color=colour, markeredgecolor=COLOURS["paper"], markeredgewidth=0.6,
    )  # fmt: skip
    axes.plot([latency.low, latency.high], [middle] * 2, color=COLOURS["ink"], linewidth=2.2)
    axes.plot(
        [latency.value] * 2, [middle - 0.14, middle + 0.14], color=COLOURS["ink"], linewidth=2.2
    )


def _edges(limits: tuple[float, float], *, logarithmic: bool) -> Array:
    import numpy as np

    if logarithmic:
        return np.geomspace(*limits, _BINS + 1)
    return np.linspace(*limits, _BINS + 1)


def _density(measurements: Sequence[Measurement], clock: str, edges: Array) -> Array:
    """Share of the calls per bin, each process with equal weight; smoothed over three bins."""
    import numpy as np

    total = np.zeros(len(edges) - 1)
    for one in measurements:
        calls = np.asarray(calls_ns(one, clock)) / 1e6
        total += np.histogram(calls, edges)[0] / len(calls) / len(measurements)
    return np.convolve(total, (0.25, 0.5, 0.25), mode="same")


def _words(row: Row, clock: str) -> str:
    latency = row.latency[clock]
    calls = sum(len(one.samples_ns) for one in row.measurements)
    medians = [median(calls_ns(one, clock)) / 1e6 for one in row.measurements]
    return (
        f"{row.label}: {wording.reading(latency, 'ms')}, process medians from {min(medians):.3g} "
        f"to {max(medians):.3g} ms, {wording.processes(len(medians))}, {calls:,} calls"
    )
