"""What a runtime's native code writes to stderr, which is all that some of them say."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 64 * 1024  # bytes that are kept


@contextmanager
def caught() -> Iterator[list[str]]:
    """Gives a list that holds, afterwards, what was written to stderr meanwhile, as one text."""
    printed: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as place:
        os.dup2(place.fileno(), 2)
        try:
            yield printed
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            place.seek(0)
            printed.append(place.read(_MOST).decode("utf-8", "replace"))
