"""Which process a run belongs to while it is measured, and whether that still runs."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

from edgekit.files import process_lives


def myself() -> str:
    """This process: its machine, its number and when it began, as the store keeps it."""
    pid = os.getpid()
    return f"{platform.node()}/{pid}/{_began(pid)}"


def is_gone(owner: str | None) -> bool:
    """Whether the process of `myself` has surely ended; those of another machine can't be seen."""
    return owner is None or (_is_of_here(owner) and not _lives(owner))


def runs_here(owner: str | None) -> bool:
    """Whether it is another process, on this machine, that still runs."""
    return owner not in (None, myself()) and _is_of_here(str(owner)) and _lives(str(owner))


def _is_of_here(owner: str) -> bool:
    place, _, rest = owner.rpartition("/")[0].rpartition("/")
    return place == platform.node() and rest.isdecimal()


def _lives(owner: str) -> bool:
    pid, began = owner.rsplit("/", 2)[1:]
    # A number is given again: a process that began at another time is another process.
    return process_lives(int(pid)) and _began(int(pid)) == began and _state(int(pid)) != "Z"


def _began(pid: int) -> str:
    """When the process began, in ticks since the system's start; empty where it doesn't say."""
    return _status(pid, 19)


def _state(pid: int) -> str:
    """Linux's letter: Z has ended, and nobody has asked how; empty where the system doesn't say."""
    return _status(pid, 0)


def _status(pid: int, field: int) -> str:
    with suppress(OSError, IndexError):
        # The command's name may hold blanks and brackets: what follows the last bracket is fixed.
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[field]
    return ""
