"""Accuracy against latency, both with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from edgekit.metrics import MetricValue
from edgekit.reporting import wording
from edgekit.reporting.charts import labels, looks
from edgekit.reporting.drawing import COLOURS, TEXT_PX, Canvas, Chart
from edgekit.reporting.facts import Reading, Row

_LONGEST_NAME = 28
_MARK = 5.5  # pixels from the centre of a marker to its edge


def pareto(key: str, rows: Sequence[Row], everyone: tuple[Row, ...], clock: str) -> list[Chart]:
    """The plane twice: for wide screens and for small ones.

    Args:
        key: Unique on its page.
        rows: Contenders with accuracy and latency, comparable with each other.
        everyone: All rows of the run, which standings refer to.
        clock: "cpu" or "wall".
    """
    known = [
        (row, latency, row.proven.metric)
        for row in rows
        if (latency := row.latency[clock]) and row.proven.metric
    ]
    words = "Accuracy against latency. " + ". ".join(
        _tip(row, latency, metric, everyone) for row, latency, metric in known
    )
    caption = (
        f"Up is more accurate, left is faster ({wording.CLOCKS[clock]} of one call). Bars are "
        f"95 % intervals. {wording.sentence(looks.legend([row.contender for row in rows]))}. "
        "Filled: not ruled out. Pale: outpaced. Hollow: dominated."
    )
    return looks.both(
        key,
        (430, 380),
        partial(_paint, known=known, everyone=everyone, clock=clock),
        words=words,
        caption=caption,
    )


def _paint(
    canvas: Canvas,
    *,
    known: Sequence[tuple[Row, Reading, MetricValue]],
    everyone: tuple[Row, ...],
    clock: str,
) -> None:
    axes = canvas.figure.add_subplot()
    looks.fill(axes, left=60, right=10, top=12, bottom=44)
    looks.time_axis(
        axes,
        min(latency.low for _, latency, _ in known),
        max(latency.high for _, latency, _ in known),
        margin=0.12,
    )
    axes.set_ylim(
        *looks.span([bound for _, _, metric in known for bound in metric.ci95], margin=0.10)
    )
    axes.grid(visible=True, axis="y")
    axes.set_xlabel(f"{wording.CLOCKS[clock]}, ms")
    axes.set_ylabel(f"{known[0][2].name}, {known[0][2].scale.symbol}".rstrip(", "))
    for row, latency, metric in known:
        tip = canvas.tip(_tip(row, latency, metric, everyone))
        _draw_point(axes, row, latency, metric, gid=tip)
    _draw_names(axes, known)


def _draw_point(axes: Any, row: Row, latency: Reading, metric: MetricValue, *, gid: str) -> None:
    colour = looks.colour(row.contender)
    x, y = latency.value, metric.value
    axes.plot([latency.low, latency.high], [y, y], color=colour, linewidth=1.4, alpha=0.75)
    axes.plot([x, x], metric.ci95, color=colour, linewidth=1.4, alpha=0.75)
    standing = row.standing
    inside: dict[str, Any] = {"markerfacecolor": colour}
    if standing and standing.dominated_by is not None:
        inside = {"markerfacecolor": COLOURS["paper"]}
    elif standing and standing.outpaced_by is not None:
        # Paper below, so that the interval does not shine through the pale marker.
        _mark(axes, x, y, row, markerfacecolor=COLOURS["paper"], markeredgecolor="none")
        axes.plot(
            [x], [y], linestyle="", marker=looks.marker(row.contender), markersize=2 * _MARK,
            color=colour, alpha=0.3, markeredgecolor="none",
        )  # fmt: skip
        inside = {"markerfacecolor": "none"}
    _mark(axes, x, y, row, markeredgecolor=colour, gid=gid, **inside)


def _mark(axes: Any, x: float, y: float, row: Row, **look: Any) -> None:
    marker = looks.marker(row.contender)
    axes.plot(
        [x], [y], linestyle="", marker=marker, markersize=2 * _MARK, markeredgewidth=1.8, **look
    )


def _draw_names(axes: Any, known: Sequence[tuple[Row, Reading, MetricValue]]) -> None:
    width, height = (inches * 72 for inches in axes.figure.get_size_inches())
    points, obstacles = [], []
    for _, latency, metric in known:
        x, y = axes.transData.transform((latency.value, metric.value))
        left, _ = axes.transData.transform((latency.low, metric.value))
        right, _ = axes.transData.transform((latency.high, metric.value))
        _, bottom = axes.transData.transform((latency.value, metric.ci95[0]))
        _, top = axes.transData.transform((latency.value, metric.ci95[1]))
        points.append((x, y))
        mark = _MARK + 2
        obstacles += [
            labels.Box(x - mark, y - mark, x + mark, y + mark),
            labels.Box(left, y - 1.5, right, y + 1.5),
            labels.Box(x - 1.5, bottom, x + 1.5, top),
        ]
    names = [wording.clipped(row.label, _LONGEST_NAME) for row, _, _ in known]
    sizes = [(TEXT_PX * wording.width_em(name) + 4, TEXT_PX + 4) for name in names]
    frame = labels.Box(62, 46, width - 4, height - 6)
    boxes = labels.place(points, sizes, obstacles, frame)
    for name, box, point in zip(names, boxes, points, strict=True):
        middle = (box.bottom + box.top) / 2
        near = min(max(point[0], box.left), box.right), middle
        if max(abs(near[0] - point[0]), abs(near[1] - point[1])) > 16:
            axes.plot(
                [point[0], near[0]], [point[1], near[1]],
                transform=None, color=COLOURS["soft"], linewidth=0.7, zorder=1,
            )  # fmt: skip
        axes.text(box.left + 2, middle, name, transform=None, va="center", ha="left")


def _tip(row: Row, latency: Reading, metric: MetricValue, everyone: tuple[Row, ...]) -> str:
    return (
        f"{row.label}: {metric.name} {wording.metric(metric)} on "
        f"{wording.plural(metric.samples, 'sample')}, {wording.reading(latency, 'ms')} over "
        f"{wording.processes(latency.count)}, {wording.standing(row, everyone)}"
    )
