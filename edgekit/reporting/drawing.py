"""Charts as SVG that takes its colours from the page, and holds no style of its own.

matplotlib draws with the colours of `COLOURS`, which stand for CSS variables; text stays text.
Every style attribute becomes a class, so that the page's Content-Security-Policy can refuse inline
styles. Equal drawings give equal bytes. Does not know what is drawn.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from edgekit.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"

# What matplotlib is told → the page's variable.
COLOURS = {
    "ink": "#100001",
    "soft": "#100002",
    "line": "#100003",
    "paper": "#100004",
    **{f"c{number}": f"#20000{number}" for number in range(6)},
}
_VARIABLES = {colour: f"var(--{name})" for name, colour in COLOURS.items()}

TEXT_PX = 11.5

_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edgekit",
    "text.parse_math": False,  # a dollar in a name is a dollar
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same layout everywhere
    "font.size": TEXT_PX,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["line"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1.0,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.7,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["soft"],
    "ytick.labelcolor": COLOURS["soft"],
    "xtick.labelsize": TEXT_PX - 0.5,
    "ytick.labelsize": TEXT_PX - 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "patch.edgecolor": "none",
    "hatch.color": COLOURS["ink"],
}


@dataclass(slots=True)
class Canvas:
    """Where a chart is drawn.

    Attributes:
        figure: matplotlib's; its units are pixels of the page.
        tips: Group id → text that is shown when the pointer rests there.
    """

    figure: Figure
    tips: dict[str, str] = field(default_factory=dict)

    def tip(self, text: str) -> str:
        """A `gid` for an artist, which then has `text` as its hover title."""
        gid = f"tip{len(self.tips)}"
        self.tips[gid] = text
        return gid


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart.

    Attributes:
        key: Unique on its page.
        svg: An `<svg>` element without inline styles.
        rules: CSS class → its declarations.
        width: In pixels of the page, where there is room.
        words: What it shows, in words.
        caption: Below it.
        screens: "wide" or "narrow" where it is for such screens only, else "all".
    """

    key: str
    svg: str
    rules: Mapping[str, str]
    width: int
    words: str
    caption: str
    screens: str = "all"


def draw(
    key: str,
    size: tuple[int, int],
    paint: Callable[[Canvas], None],
    *,
    words: str,
    caption: str,
    screens: str = "all",
) -> Chart:
    """Draw a chart.

    Args:
        key: Unique on its page; letters, digits and dashes.
        size: Width and height in pixels.
        paint: Draws onto the canvas.
        words: What it shows, in words, with the figures.
        caption: Below it.
        screens: "all", "wide" or "narrow".

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "report", "drawing charts") from error

    with _settings():
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=72)
        FigureCanvasSVG(figure)
        canvas = Canvas(figure)
        paint(canvas)
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing)
    svg, rules = _restyled(written.getvalue(), key, size, canvas.tips, words)
    return Chart(key, svg, rules, size[0], words, caption, screens)


@contextmanager
def _settings() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        # The browser has the glyphs of a Chinese name; only its width is a guess here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _restyled(
    text: str, key: str, size: tuple[int, int], tips: Mapping[str, str], words: str
) -> tuple[str, dict[str, str]]:
    """The drawing as an element for a page, and the rules of its classes."""
    ET.register_namespace("", _SVG)
    old = ET.fromstring(text)  # noqa: S314  matplotlib escapes what it writes
    rules: dict[str, str] = {}
    for parent in old.iter():
        for child in list(parent):
            # matplotlib's own style sheet holds for the whole page: it is said there instead.
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    used = {f"{key}-{name}" for name in re.findall(r"(?:url\(#|href=\"#)([\w.-]+)", text)}
    for element in old.iter():
        _restyle(element, key, rules, used, tips)
    root = ET.Element(
        f"{{{_SVG}}}svg",
        {
            "viewBox": f"0 0 {size[0]} {size[1]}",
            "width": str(size[0]),
            "height": str(size[1]),
            "role": "img",
            "aria-label": words,
        },
    )
    root.extend(list(old))
    return ET.tostring(root, encoding="unicode"), rules


def _restyle(
    element: ET.Element, key: str, rules: dict[str, str], used: set[str], tips: Mapping[str, str]
) -> None:
    style = _page_style(element.attrib.pop("style", ""))
    if style:
        name = "k" + hashlib.sha256(style.encode()).hexdigest()[:8]
        rules[name] = style
        element.set("class", name)
    if name := element.attrib.pop("id", ""):
        if name in tips:
            title = ET.Element(f"{{{_SVG}}}title")
            title.text = tips[name]
            element.insert(0, title)
        if f"{key}-{name}" in used:
            element.set("id", f"{key}-{name}")
    if link := element.attrib.pop(_LINK, ""):
        element.set("href", f"#{key}-{link.removeprefix('#')}")
    if clip := element.attrib.get("clip-path"):
        element.set("clip-path", clip.replace("url(#", f"url(#{key}-"))
    _shorten(element)


def _shorten(element: ET.Element) -> None:
    """Take away what draws nothing: blanks, and the rotation by nothing of most text."""
    if path := element.attrib.get("d"):
        element.set("d", " ".join(path.split()))
    if element.attrib.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if element.text is not None and not element.text.strip():
        element.text = None
    element.tail = None


def _page_style(style: str) -> str:
    """A style with the page's variables and without a font of its own."""
    kept = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if not name or name == "font-family":
            continue
        if name == "font":  # "12px 'DejaVu Sans', …"
            name, value = "font-size", value.split(" ", 1)[0]
        value = _VARIABLES.get(value, "var(--ink)" if value == "#000000" else value)
        kept.append(f"{name}:{value}")
    return ";".join(kept)
