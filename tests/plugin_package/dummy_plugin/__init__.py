"""A plug-in for edgekit, as a third party would write it."""

from __future__ import annotations

from pathlib import Path


def shelf() -> Path:
    """The folder with this package's models and devices."""
    return Path(__file__).parent / "shelf"
