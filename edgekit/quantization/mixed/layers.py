"""What can be kept in float, as data: layers of an int8 file, what they cost, what they replace.

Knows numbers and names. Does not know any format.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class MixedLayer:
    """A kernel and what follows it up to the next kernel: kept in float together, or not at all.

    Attributes:
        name: Of its kernel's output, as the file says.
        op: The kernel's kind, "CONV_2D".
        ops: Operators in it.
        share: Its part of the file's multiply-adds, 0–1.
    """

    name: str
    op: str
    ops: int
    share: float

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "share": round(self.share, 6)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> MixedLayer:
        return MixedLayer(data["name"], data["op"], data["ops"], data["share"])


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a file that computes in 8 bits and could in float.

    Attributes:
        place: Its number in the file.
        name: Of its first output.
        op: Its kind.
        multiply_adds: Of a convolution or product, for one sample; 0 of anything else.
        kernel: Whether it starts a layer.
        sources: Numbers of the operators whose results it takes, whatever their kind.
    """

    place: int
    name: str
    op: str
    multiply_adds: int
    kernel: bool
    sources: tuple[int, ...]


class MixableFile(ABC):
    """A plain int8 file from which mixed ones can be written.

    Attributes:
        layers: In the order of execution.
    """

    layers: tuple[MixedLayer, ...]

    @abstractmethod
    def write(self, kept: Iterable[int], folder: Path) -> None:
        """Write the file with these layers (by number) in float32 into an existing folder.

        Without any it writes the plain file, byte for byte.
        """


def grouped(operators: Sequence[Operator]) -> tuple[list[MixedLayer], dict[int, int]]:
    """Layers of operators in the order of execution, and operator place → layer number.

    An operator that is no kernel belongs to the last of the layers whose results it takes; one that
    takes none of a layer's (what stands before the first kernel) to the first.
    """
    of: dict[int, int] = {}
    starts: list[Operator] = []
    for operator in operators:
        if operator.kernel or not starts:
            of[operator.place] = len(starts)
            starts.append(operator)
        else:
            of[operator.place] = max((of[s] for s in operator.sources if s in of), default=0)
    total = sum(operator.multiply_adds for operator in operators) or 1
    members = [[o for o in operators if of[o.place] == number] for number in range(len(starts))]
    layers = [
        MixedLayer(
            name=start.name,
            op=start.op,
            ops=len(own),
            share=sum(o.multiply_adds for o in own) / total,
        )
        for start, own in zip(starts, members, strict=True)
    ]
    return layers, of


@dataclass(frozen=True, slots=True)
class Mixed:
    """What an artifact says of itself when some of its layers were kept in float.

    Attributes:
        kept: They, in the order of execution.
        layers: How many there are in all.
        candidates: Mixed files that were tried on the search's samples.
        attempts: Files that were measured by the gate, the plain one included.
        samples: What the candidates were judged by: "dataset", "split", "count", "digest".
    """

    kept: tuple[MixedLayer, ...]
    layers: int
    candidates: int
    attempts: int
    samples: Mapping[str, Any]

    def kept_json(self) -> list[dict[str, Any]]:
        """For `Manifest.kept`."""
        return [{**layer.to_json(), "dtype": "float32"} for layer in self.kept]

    def search_json(self) -> dict[str, Any]:
        """For `Manifest.search`."""
        return {
            "layers": self.layers,
            "candidates": self.candidates,
            "attempts": self.attempts,
            "samples": dict(self.samples),
        }
