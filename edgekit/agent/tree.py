"""Read what Linux says of itself in /proc and /sys, file by file; None where it is silent.

The root is a parameter, so that a machine can be described from a copy of its files. Knows no
file's meaning.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
_MOST = 256 * 1024  # bytes of one file: /proc/cpuinfo of a large server has about so many


class Tree:
    """Files below a root.

    Args:
        root: What stands for "/".
    """

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def text(self, place: str) -> str | None:
        """What a file holds, without spaces around it; None if it is absent, closed or empty."""
        with suppress(OSError), (self.root / place).open("rb") as stream:
            found = stream.read(_MOST).decode("utf-8", "replace").strip()
            return found or None
        return None

    def number(self, place: str) -> int | None:
        """The whole number in a file; None if there is none."""
        with suppress(ValueError):
            return int(self.text(place) or "")
        return None

    def entries(self, place: str) -> dict[str, str]:
        """`key: value` or `key value` lines, the first of each key."""
        found: dict[str, str] = {}
        for line in (self.text(place) or "").splitlines():
            separator = ":" if ":" in line else " "
            key, _, value = line.partition(separator)
            found.setdefault(key.strip(), value.strip())
        return found

    def folders(self, pattern: str) -> list[str]:
        """Places below the root that match a glob, in order of their names."""
        with suppress(OSError):
            found = sorted(self.root.glob(pattern))
            return [path.relative_to(self.root).as_posix() for path in found]
        return []

    def exists(self, place: str) -> bool:
        """Whether there is a file or folder."""
        with suppress(OSError):
            return (self.root / place).exists()
        return False


def kibibytes(value: str | None) -> int | None:
    """`"1234 kB"` as /proc writes it, in bytes."""
    with suppress(ValueError, IndexError):
        return int((value or "").split()[0]) * 1024
    return None
