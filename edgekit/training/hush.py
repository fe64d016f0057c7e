"""Keep a library's start-up chatter off stderr, unless the start fails.

Knows file descriptors. Does not know which library.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hushed_stderr() -> Iterator[None]:
    """Within, what is written to file descriptor 2 is kept back; shown if an exception leaves.

    TensorFlow's C++ logs before its log level is read, past Python's `sys.stderr`.
    """
    sys.stderr.flush()
    try:
        real = os.dup(2)
    except OSError:  # closed: nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            if failed:
                kept.seek(0)
                os.write(2, kept.read())
