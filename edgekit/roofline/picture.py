"""A picture of the roofline: the machine's roofs, and where artifacts stand below them.

Knows matplotlib. Okabe and Ito's colours, which colour-blind people can tell apart; every format
has a mark of its own besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit.picture import steady, write_picture
from edgekit.roofline.limits import Limits, Machine, Rate
from edgekit.roofline.shares import Row

_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_ROOFS = {"int8": "#0072B2", "fp32": "#D55E00"}
_CACHE, _MEMORY = "#009E73", "#000000"
_NAMED_BITS = {"int8": "int8", "int16": "int8"}  # arithmetic → the roof it stands under
_MOST_POINTS = 40
_LONGEST = 40


def draw_roofline(machine: Machine, rows: Sequence[Row], path: Path) -> None:
    """Draw roofs and artifacts, both axes logarithmic.

    Args:
        machine: Its limits; drawn for the rows' number of threads, or for one.
        rows: The artifacts; those without a latency are left out.
        path: A `.png` or `.svg`; replaced whole.
    """
    from matplotlib.figure import Figure

    threads = rows[0].subject.limits.threads if rows else min(machine.limits)
    limits = machine.limits[threads]
    points = [row for row in rows if row.subject.limits.threads == threads][:_MOST_POINTS]
    with steady():
        figure = Figure(figsize=(9, 5.6), layout="constrained")
        axes = figure.subplots()
        left, right = _span(points, limits)
        for name, height, slope, colour, style in _roofs(limits):
            ridge = height / slope
            places = sorted({left, *([ridge] if left < ridge < right else []), right})
            heights = [min(height, slope * place) / 1e9 for place in places]
            axes.plot(places, heights, color=colour, linestyle=style, linewidth=1.6, label=name)
        for number, row in enumerate(points):
            _point(axes, number, row)
        cpu = machine.environment.get("cpu_model") or "unknown processor"
        # The name of a processor or model is text, not mathematics.
        title = f"{cpu}, {threads} thread{'s' * (threads > 1)}".replace("$", r"\$")
        axes.set(
            xscale="log",
            yscale="log",
            xlim=(left, right),
            xlabel="operations per byte moved",
            ylabel="billion operations a second",
            title=title,
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.grid(which="both", alpha=0.2)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    write_picture(figure, path)


def _roofs(limits: Limits) -> Iterator[tuple[str, float, float, str, str]]:
    """Name, height, slope, colour and style of each: full for the best cache, dashed for memory."""
    fastest = max(limits.bandwidth.values(), key=lambda rate: rate.per_s, default=None)
    slopes = (("cache", fastest, "-"), ("memory", limits.memory, "--"))
    for arithmetic, colour in _ROOFS.items():
        peak = limits.int8 if arithmetic == "int8" else limits.fp32
        if isinstance(peak, Rate):
            for source, rate, style in slopes:
                if isinstance(rate, Rate):
                    name = (
                        f"{arithmetic} {peak.per_s / 1e9:.0f} G/s, "
                        f"{source} {rate.per_s / 1e9:.0f} GB/s"
                    )
                    yield name, peak.per_s, rate.per_s, colour, style


def _span(rows: Sequence[Row], limits: Limits) -> tuple[float, float]:
    """Operations per byte from left to right: all points and all ridges are between."""
    found = [row.subject.counted.intensity or 1.0 for row in rows]
    found += [height / slope for _, height, slope, _, _ in _roofs(limits)]
    return min(found, default=1.0) / 4, max(found, default=1.0) * 4


def _point(axes: Any, number: int, row: Row) -> None:
    measured, intensity = row.subject.measured, row.subject.counted.intensity
    attained = row.attained_per_s
    if measured is None or not intensity or not attained:
        return
    from edgekit.roofline.shares import by_arithmetic

    arithmetic = next(iter(by_arithmetic(row.subject.counted)), "")
    roof = _NAMED_BITS.get(arithmetic, "fp32")
    share = f", {row.share.value:.0%}" if row.share else ""
    name = row.subject.name
    name = (name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…").replace("$", r"\$")
    low, high = (attained * measured.ms.value / bound / 1e9 for bound in reversed(measured.ms.ci95))
    height = attained / 1e9
    axes.errorbar(
        [intensity],
        [height],
        yerr=[[height - low], [high - height]],
        color=_ROOFS[roof],
        marker=_MARKS[number % len(_MARKS)],
        fillstyle="full" if number < len(_MARKS) else "none",
        markersize=7,
        capsize=2,
        linestyle="none",
        label=name + share,
    )
