"""What all charts share: a colour for the target, a marker for the precision, axes.

Colour is never the only sign: the marker and the name beside it say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.reporting.drawing import COLOURS, Canvas, Chart, draw
from edgekit.run import Contender

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Two columns stand side by side on a wide screen; one fits a phone without being made smaller.
NARROW, WIDE = 372, 840

_TARGETS = {"tflite": "c0", "onnx": "c1", "openvino": "c2"}
_PRECISIONS = {"fp32": "o", "fp16": "s", "dynamic": "^", "int8": "D", "int4": "v", "16x8": "P"}
_MARKERS = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond", "v": "wedge",
            "P": "cross", "X": "star"}  # fmt: skip
# Highest over lowest value of a logarithmic axis → where its ticks stand in every decade.
_SUBS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (6, (1, 1.5, 2, 3, 4, 6, 8)),
    (12, (1, 2, 3, 5)),
    (300, (1, 2, 5)),
    (float("inf"), (1,)),
)
_OTHER_TARGET, _OTHER_PRECISION = "c3", "X"


def both(
    key: str,
    heights: tuple[int, int],
    paint: Callable[[Canvas], None],
    *,
    words: str,
    caption: str,
) -> list[Chart]:
    """A chart twice, for wide screens and for narrow ones: text is not scaled.

    Args:
        key: Unique on its page.
        heights: For wide screens, for narrow ones, in pixels.
        paint: Draws onto a canvas of either size.
        words: As for `draw`.
        caption: As for `draw`.
    """
    return [
        draw(
            f"{key}-{screens}",
            (width, height),
            paint,
            words=words,
            caption=caption,
            screens=screens,
        )
        for screens, width, height in zip(("wide", "narrow"), (WIDE, NARROW), heights, strict=True)
    ]


def colour(contender: Contender) -> str:
    """matplotlib's colour for its target."""
    return COLOURS[_TARGETS.get(contender.target, _OTHER_TARGET)]


def marker(contender: Contender) -> str:
    """matplotlib's marker for its precision."""
    return _PRECISIONS.get(contender.precision, _OTHER_PRECISION)


def legend(contenders: Sequence[Contender]) -> str:
    """Which shape stands for which precision, in words."""
    found = {contender.precision: _MARKERS[marker(contender)] for contender in contenders}
    return ", ".join(f"{shape} {precision}" for precision, shape in found.items())


def span(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Limits of a linear axis around values."""
    low, high = min(values), max(values)
    room = (high - low or abs(high) or 1.0) * margin
    return low - room, high + room


def time_axis(axes: Axes, low: float, high: float, margin: float = 0.06) -> None:
    """Set up the axis of milliseconds: logarithmic where it spans more than a factor of three.

    Args:
        axes: Whose x axis.
        low: Smallest value shown, above 0.
        high: Largest.
        margin: Room at either end, as a share of the span.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if high > 3 * low > 0:
        axes.set_xscale("log")
        room = (high / low) ** margin
        axes.set_xlim(low / room, high * room)
        subs = next(subs for most, subs in _SUBS if high < most * low)
        axes.xaxis.set_major_locator(LogLocator(subs=subs))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_minor_locator(LogLocator(subs=()))
    else:
        axes.set_xlim(*span((low, high), margin))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.grid(visible=True, axis="x")


def bare_rows(axes: Axes, count: int) -> None:
    """Take away what a chart of labelled rows does not need: row 0 is on top."""
    axes.set_ylim(count, 0)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)


def fill(axes: Axes, *, left: float, right: float, top: float, bottom: float) -> None:
    """Place axes by margins in pixels of the page."""
    box = axes.figure.bbox
    width, height = box.width, box.height
    axes.set_position(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - top - bottom) / height,
        )
    )


def row_title(axes: Axes, row: float, left: str, right: str, mark: Contender | None = None) -> None:
    """A line of text above a row: who on the left, the figure on the right."""
    blend = axes.get_yaxis_transform()
    start = 0.0
    if mark is not None:
        style: dict[str, Any] = {"marker": marker(mark), "color": colour(mark), "markersize": 6}
        axes.plot(
            [6 / axes.get_window_extent().width],
            [row],
            transform=blend,
            clip_on=False,
            linestyle="",
            **style,
        )
        start = 18 / axes.get_window_extent().width
    text: dict[str, Any] = {"transform": blend, "va": "center", "clip_on": False}
    axes.text(start, row, left, ha="left", weight="bold", **text)
    axes.text(1.0, row, right, ha="right", color=COLOURS["soft"], **text)


def _plain(value: float, _position: int) -> str:
    return f"{value:,.10g}" if abs(value) < 1e6 else f"{value:.1e}"
