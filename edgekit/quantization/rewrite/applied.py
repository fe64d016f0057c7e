"""What a rewrite did and how exact it was, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Applied:
    """One rewrite and its proof.

    Attributes:
        name: Of the rewrite.
        places: In how many places of the graph.
        exact_db: Signal over noise of the worst output against the graph before, in decibels;
            None where they are equal to the bit.
        problem: Why it was dropped; "" if it is in the graph.
    """

    name: str
    places: int
    exact_db: float | None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        db = None if self.exact_db is None else round(self.exact_db, 1)
        return {**asdict(self), "exact_db": db}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Applied:
        return Applied(**data)

    def __str__(self) -> str:
        how = "to the bit" if self.exact_db is None else f"within {self.exact_db:.0f} dB"
        where = f"{self.name}: {self.places} place{'s' * (self.places != 1)}"
        return f"{where}, dropped: {self.problem}" if self.problem else f"{where}, exact {how}"
