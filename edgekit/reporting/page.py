"""A page as data: what all formats say, in their own way. Holds text, never markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgekit.reporting.drawing import Chart


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it says.
        note: What belongs to it: an interval, a count.
        code: Whether it is a digest, a path or a name of a program.
        weak: Whether it says that there is no figure.
    """

    text: str
    note: str = ""
    code: bool = False
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names the row.

    Attributes:
        key: Unique on its page.
        caption: What it shows.
        columns: Headings.
        rows: Cells, as many a row as there are columns.
        folded: For a detail that a reader opens: what it is called until then; else empty.
    """

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.key}: a row of {len(row)} cells, {self.columns}")


@dataclass(frozen=True, slots=True)
class Card:
    """One figure that is worth seeing first.

    Attributes:
        label: What it is of all: "lowest latency".
        who: The contender.
        figure: In its unit.
        interval: Of it; empty for an exact one.
        notes: Counts, placement, digest, and how sure it is.
    """

    label: str
    who: str
    figure: str
    interval: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        key: Unique on its page; links lead there.
        heading: Its heading.
        level: 2 for a part, 3 for a part of a part.
        paragraphs: Text below the heading.
        cards: Figures that are worth seeing first.
        charts: Below the text.
        tables: Below the charts.
    """

    key: str
    heading: str
    level: int = 2
    paragraphs: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """All of it.

    Attributes:
        title: Its name.
        lead: What the page is of, below the title.
        sections: In order; a section of level 3 belongs to the one of level 2 before it.
    """

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...] = field(default=())


def table(
    key: str,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    folded: str = "",
) -> Table:
    """A table; plain text stands for a cell of it."""
    cells = tuple(
        tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows
    )
    return Table(key, caption, tuple(columns), cells, folded)
