"""What each platform gets besides what every bundle holds."""

from __future__ import annotations

from edgekit.bundles.platforms.android import AndroidPlatform
from edgekit.bundles.platforms.base import Platform
from edgekit.bundles.platforms.cpp import CppPlatform
from edgekit.bundles.platforms.python import PythonPlatform
from edgekit.bundles.platforms.web import WebPlatform
from edgekit.registry import resolve

_KNOWN: dict[str, type[Platform]] = {
    "android": AndroidPlatform,
    "cpp": CppPlatform,
    "python": PythonPlatform,
    "web": WebPlatform,
}

__all__ = ["Platform", "names", "platform_of"]


def names() -> tuple[str, ...]:
    """Platforms that bundles are made for."""
    return tuple(sorted(_KNOWN))


def platform_of(name: str) -> Platform:
    """A platform by name.

    Raises:
        UsageError: None of this name.
    """
    return _KNOWN[resolve(name, _KNOWN, what="platform")]()
