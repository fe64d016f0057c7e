"""How long a model takes until it has settled: load, first call, second call, steady state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from edgekit.reporting import wording
from edgekit.reporting.charts import looks
from edgekit.reporting.drawing import COLOURS, Canvas, Chart
from edgekit.reporting.facts import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_PX = 44
_LOOKS = {
    "load": ("s", COLOURS["c3"]),
    "first call": ("^", COLOURS["c1"]),
    "second call": ("D", COLOURS["c2"]),
    "steady state": ("o", COLOURS["c0"]),
}


def phases(key: str, rows: Sequence[Row]) -> list[Chart]:
    """One row per contender, a mark per phase, for wide and for narrow screens."""
    known = [row for row in rows if row.turns]
    if not known:
        return []
    words = "Phases. " + ". ".join(
        f"{row.label}: " + ", ".join(_words(name, row) for name in _LOOKS) for row in known
    )
    return looks.both(
        key,
        (_ROW_PX * len(known) + 66,) * 2,
        partial(_paint, rows=known),
        words=words,
        caption=(
            "Wall time, ms: from the file to a session that can be called (load, without the "
            "import of the runtime), the first whole call, the second one, and the whole call "
            "once warmed up. Lines are intervals of the medians over processes."
        ),
    )


def _paint(canvas: Canvas, *, rows: Sequence[Row]) -> None:
    axes = canvas.figure.add_subplot()
    looks.fill(axes, left=6, right=6, top=30, bottom=36)
    looks.bare_rows(axes, len(rows))
    found = [one for row in rows for one in row.phases.values() if one is not None]
    lowest = min(max(one.low, 1e-6) for one in found)
    looks.time_axis(axes, lowest, max(one.high for one in found))
    axes.set_xlabel("wall time, ms")
    for number, row in enumerate(rows):
        looks.row_title(axes, number + 0.22, wording.clipped(row.label, 40), "", row.contender)
        middle = number + 0.66
        axes.axhline(middle, color=COLOURS["line"], linewidth=0.7)
        for name, (marker, colour) in _LOOKS.items():
            reading = row.phases[name]
            if reading is None:
                continue
            axes.plot([reading.low, reading.high], [middle] * 2, color=colour, linewidth=2.6)
            axes.plot(
                [reading.value], [middle], linestyle="", marker=marker, markersize=8,
                color=colour, markeredgecolor=COLOURS["paper"], markeredgewidth=1,
                gid=canvas.tip(f"{row.label}: {_words(name, row)}"),
            )  # fmt: skip
    _legend(axes)


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    axes.figure.legend(
        handles=[
            Line2D([], [], linestyle="", marker=marker, color=colour, markersize=7, label=name)
            for name, (marker, colour) in _LOOKS.items()
        ],
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=len(_LOOKS),
        borderaxespad=0,
        handletextpad=0.2,
        columnspacing=0.9,
    )


def _words(name: str, row: Row) -> str:
    return f"{name} {wording.reading(row.phases[name], 'ms')}"
