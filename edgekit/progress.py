"""How long work says where it stands. Verbs call a `Report`; only `edgekit.cli` shows it."""

from __future__ import annotations

from collections.abc import Callable
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
