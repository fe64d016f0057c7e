"""Pictures that commands write: which files they can be, and how a figure becomes one.

The same figures give the same bytes. Draws nothing itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgekit.errors import MissingExtraError, UsageError
from edgekit.files import write_atomic

FORMATS = (".png", ".svg")


def check_picture(path: Path, what: str) -> None:
    """Refuse a name that no picture can have, before anything is computed.

    Args:
        path: Where `--picture` wants it.
        what: What needs matplotlib: "drawing layers".

    Raises:
        UsageError: Neither `.png` nor `.svg`.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"--picture {path}: {path.suffix or 'a name without an ending'} is no format for it",
            hint=f"one of: {', '.join(FORMATS)}",
        )
    if find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "data", what)


@contextmanager
def steady() -> Iterator[None]:
    """matplotlib with fixed names inside an SVG, and its text as text."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "edgekit", "svg.fonttype": "none"}):
        yield


def write_picture(figure: Any, path: Path) -> None:
    """Write a matplotlib figure to a `.png` or `.svg`; it is replaced whole, and holds no date."""
    kind = path.suffix.lower().removeprefix(".")
    buffer = io.BytesIO()
    with steady():
        figure.savefig(
            buffer, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else None
        )
    write_atomic(path, buffer.getvalue())
