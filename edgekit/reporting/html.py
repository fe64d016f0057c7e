"""The page as one HTML file: no script, nothing to load, a policy that allows neither.

Every text goes through jinja2's autoescape; SVG comes escaped from `drawing`.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from edgekit import extras
from edgekit.reporting.page import Page, Section

_TEMPLATES = Path(__file__).parent / "templates"


def to_html(page: Page) -> str:
    """The file's text.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from markupsafe import Markup
    except ModuleNotFoundError as error:
        package = extras.owner_of("jinja2")
        assert package is not None
        raise extras.missing(package) from error

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    style = _style(page)
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html.jinja").render(
        page=page,
        parts=_parts(page),
        style=Markup(style),  # noqa: S704  edgekit's own rules, checked below
        style_hash=f"sha256-{hashed}",
    )


def _style(page: Page) -> str:
    """The style sheet with the rules of all charts; nothing in it is anybody's text."""
    rules = {
        name: declarations
        for section in page.sections
        for chart in section.charts
        for name, declarations in chart.rules.items()
    }
    text = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    text += "".join(f".{name}{{{rules[name]}}}\n" for name in sorted(rules))
    if "<" in text:
        raise ValueError("a style sheet that could end early")
    return text


def _parts(page: Page) -> list[list[Section]]:
    """Sections of level 2, each with those of level 3 behind it."""
    parts: list[list[Section]] = []
    for section in page.sections:
        if section.level == 2:
            parts.append([section])
        else:
            parts[-1].append(section)
    return parts
