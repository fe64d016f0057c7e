"""Ctrl-C between two steps of a training, never within one.

TensorFlow calls back into Python from C++ that no exception may cross: an interrupt that was raised
there got lost, or damaged the heap (`free(): invalid next size`).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], Any]

_before: dict[int, _Handler] = {}  # what signals do where they are not held
_held: list[int] = []


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Within, SIGINT and SIGTERM wait for the next `take_interrupt`; a second one doesn't wait.

    Signals that Python does not handle stay as they are; so does everything outside of the main
    thread, to which no signal comes.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        with suppress(ValueError):  # not the main thread
            if callable(handler):
                signal.signal(number, _hold)
                _before[number] = handler
    try:
        yield
        take_interrupt()
    finally:
        for held, handler in _before.items():
            signal.signal(held, handler)
        _before.clear()
        _held.clear()


def take_interrupt() -> None:
    """Do what a signal that waits would have done.

    Raises:
        KeyboardInterrupt: If that is what it does.
    """
    if _held:
        number = _held.pop()
        _before[number](number, None)


def _hold(number: int, frame: FrameType | None) -> None:
    if _held:
        _before[number](number, frame)
    _held.append(number)
