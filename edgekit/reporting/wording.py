"""Figures as text: as many digits as their interval carries, never one without the other."""

from __future__ import annotations

import math
import re
import unicodedata

from edgekit.measure import Placement
from edgekit.metrics import MetricValue
from edgekit.reporting.facts import Reading, Row, RunFacts
from edgekit.reporting.page import Cell

CLOCKS = {"cpu": "CPU time", "wall": "wall time", "call": "whole call"}
_COMMANDS = {"profile": "Profile", "compare": "Comparison", "sustained": "Sustained run"}
UNAVAILABLE = "unavailable"
NOT_MEASURED = "not measured"


def decimals(low: float, high: float, value: float) -> int:
    """Digits after the point that show two significant ones of the interval's half width."""
    half = (high - low) / 2
    size = half if half > 0 else abs(value) / 100
    if size <= 0 or not math.isfinite(size):
        return 2
    return min(9, max(0, 1 - math.floor(math.log10(size))))


def shown(value: float, low: float, high: float) -> tuple[str, str]:
    """A figure and its interval, with as many digits as the interval allows."""
    places = decimals(low, high, value)
    return f"{value:,.{places}f}", f"[{low:,.{places}f}, {high:,.{places}f}]"


def reading(one: Reading | None, unit: str, absent: str = NOT_MEASURED) -> str:
    """`0.632 ms [0.610, 0.655]`; a range of too few processes is called one."""
    if one is None:
        return absent
    value, interval = shown(one.value, one.low, one.high)
    return f"{value} {unit} {interval if one.covers else f'range {interval}'}"


def op_ms(ms: float, resolution_ms: float) -> str:
    """Milliseconds of ops; what a profiler's clock could not tell from 0 is not 0."""
    return f"{ms:.3g}" if ms > 0 else f"each below {resolution_ms:g}"


def metric(one: MetricValue | None) -> str:
    """`98.12 % [97.43, 98.63]`."""
    if one is None:
        return "no labels"
    return f"{one.scale.text(one.value)} [{one.ci95[0]:.2f}, {one.ci95[1]:.2f}]"


def apart(text: str) -> tuple[str, str]:
    """A figure and its interval, from both in one."""
    figure, bracket, interval = text.partition(" [")
    return figure, bracket.strip() + interval


def plural(count: int, one: str, several: str | None = None) -> str:
    """`1 process`, `7 processes`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def processes(count: int) -> str:
    """`7 processes`."""
    return plural(count, "process", "processes")


def digest(sha256: str) -> str:
    """The first twelve characters of a digest: enough to tell files apart by eye."""
    return sha256[:12]


def placement(placements: tuple[Placement, ...]) -> str:
    """Where the ops ran."""
    if not placements:
        return NOT_MEASURED
    text = str(placements[0])
    return text if len(placements) == 1 else f"{text}; other processes differ"


def standing(row: Row, rows: tuple[Row, ...]) -> str:
    """What the others say about a contender, in words."""
    found = row.standing
    if found is None:
        return "not judged"
    if found.dominated_by is not None:
        return f"dominated by {rows[found.dominated_by].label}"
    if found.outpaced_by is not None:
        return f"outpaced by {rows[found.outpaced_by].label}"
    return "not ruled out"


def sentence(text: str) -> str:
    """The text with a capital letter in front."""
    return text[:1].upper() + text[1:]


def clipped(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def width_em(text: str) -> float:
    """About how wide a text is in the fonts of systems, in its own size."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in text)


def calls(row: Row) -> str:
    """`1,234 calls`."""
    return plural(row.summary.calls if row.summary else 0, "call")


def megabytes(size: int) -> str:
    """`2.61 MB`."""
    return f"{size / 1e6:.2f} MB"


def sha_cell(sha256: str) -> Cell:
    """A digest, shortened."""
    return Cell(digest(sha256), code=True)


def run_title(one: RunFacts) -> str:
    """`Profile of 2026-11-21 23:17 UTC on local-cpu, run 12`."""
    started = re.sub(r"T(\d\d:\d\d):\d\dZ$", r" \1 UTC", one.run.started)
    number = f", run {one.number}" if one.number is not None else ""
    return f"{_COMMANDS[one.run.command]} of {started} on {one.run.device}{number}"
