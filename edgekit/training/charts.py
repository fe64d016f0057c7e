"""Curves and confusion matrices as SVG, in the colours of the page they stand in.

Knows numbers and names. Colours are the page's CSS variables: --one, --two, --line, and --good and
--bad as red, green, blue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WIDTH, _HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 40, 24
_MOST_NUMBERED = 16  # classes whose cells show their counts
_COLOURS = ("var(--one)", "var(--two)")


def curves(title: str, epochs: Sequence[int], series: Mapping[str, Sequence[float | None]]) -> str:
    """A chart of lines over epochs.

    Args:
        title: Stands above it.
        epochs: Numbers of the epochs, rising.
        series: At most two, by name: a value an epoch, None where there is none.
    """
    known = [value for values in series.values() for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    high = high if high > low else low + 1
    first, last = (epochs[0], epochs[-1]) if epochs else (0, 1)
    across = (_WIDTH - _LEFT - _RIGHT) / max(last - first, 1)
    down = (_HEIGHT - _TOP - _BOTTOM) / (high - low)

    def place(epoch: int, value: float) -> tuple[float, float]:
        return _LEFT + (epoch - first) * across, _TOP + (high - value) * down

    parts = [f'<text x="0" y="12">{escape(title)}</text>']
    for level in (low, (low + high) / 2, high):
        _, y = place(first, level)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="var(--line)"/><text x="{_LEFT - 6}" y="{y + 4:.1f}" '
            f'text-anchor="end">{level:.4g}</text>'
        )
    for epoch, anchor in ((first, "start"), (last, "end")):
        x, _ = place(epoch, low)
        parts.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">epoch {epoch}</text>'
        )
    for number, (name, values) in enumerate(series.items()):
        points = [(e, v) for e, v in zip(epochs, values, strict=True) if v is not None]
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(e, v) for e, v in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for epoch, value in points:
            x, y = place(epoch, value)
            about = escape(f"{name or title}, epoch {epoch}: {value:.5g}")
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{about}</title>'
                "</circle>"
            )
        if name:
            x = _LEFT + number * 90
            parts.append(
                f'<rect x="{x}" y="20" width="10" height="10" fill="{colour}"/>'
                f'<text x="{x + 14}" y="29">{escape(name)}</text>'
            )
    return _svg(_WIDTH, _HEIGHT, title, parts)


def confusion(counts: Array, names: Sequence[str]) -> str:
    """A confusion matrix; the more of its row a cell holds, the stronger its colour.

    Args:
        counts: int [classes, classes]; rows are the truth.
        names: Of the classes.
    """
    classes = len(names)
    cell = 30 if classes <= _MOST_NUMBERED else 14 if classes <= 60 else 5
    labelled = cell >= 14
    margin = (8 + 6 * min(max(map(len, names), default=1), 16)) if labelled else 4
    size = margin + classes * cell + 4
    totals = counts.sum(axis=1)
    parts = []
    for row in range(classes):
        if labelled:
            name = names[row] if len(names[row]) <= 16 else names[row][:15] + "…"
            at = margin + (row + 0.5) * cell
            parts.append(
                f'<text x="{margin - 4}" y="{at + 4:.1f}" text-anchor="end">{escape(name)}</text>'
                f'<text transform="translate({at + 4:.1f},{margin - 4}) rotate(-90)">'
                f"{escape(name)}</text>"
            )
        for column in counts[row].nonzero()[0].tolist():
            count, colour = int(counts[row, column]), "--good" if row == column else "--bad"
            share = count / int(totals[row])
            x, y = margin + column * cell, margin + row * cell
            about = f"{names[row]} taken for {names[column]}: {count} of {int(totals[row])}"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" '
                f'fill="rgba(var({colour}), {0.12 + 0.8 * share:.2f})">'
                f"<title>{escape(about)}</title></rect>"
            )
            if classes <= _MOST_NUMBERED:
                parts.append(
                    f'<text x="{x + cell / 2}" y="{y + cell / 2 + 4}" text-anchor="middle" '
                    f'style="fill: var(--ink); pointer-events: none">{count}</text>'
                )
    edge = classes * cell
    parts.append(
        f'<rect x="{margin}" y="{margin}" width="{edge}" height="{edge}" fill="none" '
        'stroke="var(--line)"/>'
    )
    return _svg(size, size, "confusion matrix", parts)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
