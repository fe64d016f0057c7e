"""The page as GitHub Markdown: headings, text and tables; no charts.

Every text is escaped: nothing of a name is markup, a link, a mention or HTML.
"""

from __future__ import annotations

import re

from edgekit.reporting.page import Cell, Page, Section, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!@&])")


def to_markdown(page: Page) -> str:
    """The file's text."""
    lines = [f"# {escaped(page.title)}", ""]
    lines += [f"- {escaped(line)}" for line in page.lead]
    for section in page.sections:
        lines += ["", f"{'#' * section.level} {escaped(section.heading)}"]
        lines += _body(section)
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text that GitHub shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _body(section: Section) -> list[str]:
    lines: list[str] = []
    for paragraph in section.paragraphs:
        lines += ["", escaped(paragraph)]
    if section.cards:
        lines.append("")
        lines += [
            f"- {escaped(card.label)}: **{escaped(card.who)}**, "
            f"{escaped(f'{card.figure} {card.interval}'.strip())} "
            f"({escaped('; '.join(card.notes))})"
            for card in section.cards
        ]
    for one in section.tables:
        lines += ["", *_table(one)]
    return lines


def _table(one: Table) -> list[str]:
    rows = [
        "| " + " | ".join(escaped(heading) for heading in one.columns) + " |",
        "|" + "---|" * len(one.columns),
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in one.rows),
    ]
    if one.folded:
        # GitHub shows Markdown inside HTML only behind an empty line.
        summary = f"<details><summary>{_html(one.folded)}</summary>"
        return [summary, "", escaped(one.caption) + ":", "", *rows, "", "</details>"]
    return [escaped(one.caption) + ":", "", *rows]


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    return f"{text} {escaped(cell.note)}" if cell.note else text


def _html(text: str) -> str:
    from html import escape

    return escape(" ".join(text.split()))
