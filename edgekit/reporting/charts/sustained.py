"""Latency over the minutes of a sustained run: drift, and who is ahead at either end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgekit.reporting import wording
from edgekit.reporting.charts import looks
from edgekit.reporting.drawing import Canvas, Chart
from edgekit.reporting.facts import Row, calls_ns
from edgekit.statistics import median

_STYLES = {"o": "-", "s": (0, (6, 2)), "^": (0, (3, 1.5)), "D": (0, (1, 1)), "v": "-.", "P": "--"}


def course(row: Row, clock: str) -> list[tuple[float, float]]:
    """Minutes since the run began, and the median of the period that began then, in ms."""
    return [
        (turn.started_s / 60, median(calls_ns(turn.measurement, clock)) / 1e6) for turn in row.turns
    ]


def sustained(key: str, rows: Sequence[Row], clock: str) -> list[Chart]:
    """The course twice: for wide screens and for small ones; nothing where nothing was measured."""
    known = [row for row in rows if len(row.turns) > 1]
    if not known:
        return []
    words = "Latency over time. " + ". ".join(_words(row, clock) for row in known)
    caption = (
        f"Median {wording.CLOCKS[clock]} of one call in each period, over the minutes of the "
        f"run. {wording.sentence(looks.legend([row.contender for row in known]))}."
    )
    return looks.both(
        key,
        (380, 340),
        partial(_paint, rows=known, clock=clock),
        words=words,
        caption=caption,
    )


def _paint(canvas: Canvas, *, rows: Sequence[Row], clock: str) -> None:
    axes = canvas.figure.add_subplot()
    looks.fill(axes, left=50, right=10, top=26, bottom=44)
    axes.grid(visible=True)
    for row in rows:
        points = course(row, clock)
        mark = looks.marker(row.contender)
        axes.plot(
            [minute for minute, _ in points], [ms for _, ms in points],
            color=looks.colour(row.contender), linestyle=_STYLES.get(mark, ":"), marker=mark,
            markersize=3.6, gid=canvas.tip(_words(row, clock)),
            label=wording.clipped(row.label, 26),
        )  # fmt: skip
    values = [ms for row in rows for _, ms in course(row, clock)]
    if max(values) > 3 * min(values) > 0:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes since the run began")
    axes.set_ylabel(f"{wording.CLOCKS[clock]}, ms")
    axes.figure.legend(
        loc="upper left", bbox_to_anchor=(0, 1), ncols=2 if len(rows) < 7 else 3,
        borderaxespad=0, handlelength=2.4, columnspacing=1,
    )  # fmt: skip


def _words(row: Row, clock: str) -> str:
    points = course(row, clock)
    return (
        f"{row.label}: {points[0][1]:.3g} ms in the first period, {points[-1][1]:.3g} ms in the "
        f"last of {len(points)}, which began after {points[-1][0]:.1f} minutes"
    )
