"""One at a time: while somebody's processes work on a device, those of others wait for their turn.

The turn is a lock of the system on a file in edgekit's folder: whoever has it loses it with the
process, however that ends. All processes of one owner, as the sessions of a round, have it
together. Does not know what the work is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FILE = "turn"
_GUARD = "turn.guard"
_LOOK_AGAIN_S = 0.05
_LONGEST = 4096


class Turn:
    """The turn on this device, for one process of an owner.

    Args:
        folder: Of edgekit on this device.
        owner: Whose processes may work side by side.
    """

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._owner = owner
        self._held: int | None = None

    def take(self, by: str, wait_s: float) -> dict[str, Any] | None:
        """Take the turn, and keep it until the process ends.

        Args:
            by: Who that is, for others who wait.
            wait_s: Longest time to wait for it.

        Returns:
            None once it is had; else who has it: `{"by", "for_s"}`.
        """
        end = time.monotonic() + wait_s
        while self._held is None:
            busy = self._try(by)
            if busy is None:
                break
            if time.monotonic() >= end:
                return busy
            time.sleep(_LOOK_AGAIN_S)
        return None

    def _try(self, by: str) -> dict[str, Any] | None:
        import fcntl  # not on Windows, where this module is imported with the others

        with self._guarded():
            file = os.open(self._folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                known = _read(file)
                if known.get("owner") != self._owner:
                    os.close(file)
                    since = known.get("since")
                    passed = time.time() - since if isinstance(since, int | float) else 0.0
                    return {"by": str(known.get("by", "somebody")), "for_s": max(0.0, passed)}
            else:
                told = {"owner": self._owner, "by": by, "since": time.time()}
                os.ftruncate(file, 0)
                os.pwrite(file, json.dumps(told).encode(), 0)
            # Under the guard nobody comes between the one lock and the other.
            fcntl.flock(file, fcntl.LOCK_SH)
            self._held = file
        return None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        import fcntl

        guard = os.open(self._folder / _GUARD, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield
        finally:
            os.close(guard)


def _read(file: int) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(os.pread(file, _LONGEST, 0))
        if isinstance(found, dict):
            return found
    return {}
