"""What is counted of a file, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

# Arithmetic of an operation; "" of one that multiplies nothing.
ARITHMETIC = ("int8", "int16", "float16", "float32", "float64", "")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of a file and the cheap ones that can be done along with it, for one call.

    Attributes:
        name: Of the operator's first output in the file.
        op: Its kind, in the format's own words.
        nodes: Operators of the file that it stands for.
        macs: Multiply–accumulates; those on padding count, as papers count them.
        arithmetic: One of `ARITHMETIC`.
        weight_bytes: Constants it reads, as they are stored.
        read_bytes: What it reads of the operations before it and of the file's inputs.
        written_bytes: What it leaves to others.
    """

    name: str
    op: str
    nodes: int
    macs: int
    arithmetic: str
    weight_bytes: int
    read_bytes: int
    written_bytes: int

    @property
    def activation_bytes(self) -> int:
        """Bytes that are made and used up within a call."""
        return self.read_bytes + self.written_bytes

    @property
    def bytes(self) -> int:
        """All bytes it has to move."""
        return self.weight_bytes + self.activation_bytes

    @property
    def intensity(self) -> float | None:
        """Arithmetic operations (two a multiply–accumulate) per byte; None where nothing moves."""
        return 2 * self.macs / self.bytes if self.bytes else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Counted:
    """A file's work for one call.

    Attributes:
        operations: In the order of the file.
        uncounted: Kind of operator → how many hold a graph of their own or give what is of unknown
            size: what they compute is not counted.
    """

    operations: tuple[Operation, ...]
    uncounted: Mapping[str, int]

    @property
    def macs(self) -> int:
        """Multiply–accumulates."""
        return sum(one.macs for one in self.operations)

    @property
    def weight_bytes(self) -> int:
        """Constants that are read; one that two operations read counts twice."""
        return sum(one.weight_bytes for one in self.operations)

    @property
    def bytes(self) -> int:
        """Bytes moved."""
        return sum(one.bytes for one in self.operations)

    @property
    def intensity(self) -> float | None:
        """Arithmetic operations per byte; None where nothing moves."""
        return 2 * self.macs / self.bytes if self.bytes else None

    def renamed(self, names: Mapping[str, str]) -> Counted:
        """The same with names for people."""
        return replace(
            self,
            operations=tuple(
                replace(one, name=names.get(one.name, one.name)) for one in self.operations
            ),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "operations": [one.to_json() for one in self.operations],
            "uncounted": dict(sorted(self.uncounted.items())),
        }
