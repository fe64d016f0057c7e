"""How long work says where it stands. Verbs call a `Report`; only `edgekit.cli` shows it.

A notice is what a person has to read before work can go on, as a link to open. It finds its way to
whoever listens, however deep it comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One step's state.

    Attributes:
        task: What is being done, in a few words; the same words update the same line.
        done: Units finished.
        total: Units in all; None while unknown.
        note: A figure or remark beside the bar.
    """

    task: str
    done: float = 0.0
    total: float | None = None
    note: str = ""


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A report that says nothing."""


_listeners: list[Callable[[str], None]] = []


def notice(text: str) -> None:
    """Tell a person something that work waits for; said to nobody where nobody listens."""
    for listener in _listeners[-1:]:
        listener(text)


@contextmanager
def noticed_by(listener: Callable[[str], None]) -> Iterator[None]:
    """While active, notices go to `listener`."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
