"""What a file's layers are, as data: operators whose results a runtime keeps.

Knows words and shapes. Does not know any format.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of a file, with those that its runtime fuses into it.

    Attributes:
        name: Of its output, as the file says.
        op: Its kind, "CONV_2D"; fused ones joined by "+": "Convolution+Add+Clamp".
        names: Names that may be those of a tensor in the float graph.
        shape: Of its output for one sample.
        dtype: Its output's, as stored: "int8", "uint8", "float32".
        sources: Numbers of the layers whose values it takes.
    """

    name: str
    op: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    sources: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        lists = {key: list(getattr(self, key)) for key in ("names", "shape", "sources")}
        return {**asdict(self), **lists}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Layer:
        lists = {key: tuple(data[key]) for key in ("names", "shape", "sources")}
        return Layer(name=data["name"], op=data["op"], dtype=data["dtype"], **lists)


class LayeredFile(ABC):
    """A model file in its own runtime, every layer of which can be read.

    Attributes:
        layers: In an order of execution.
        left_out: Kind of operator → how many were left out: they only move numbers or change how
            these are stored, or compute integers.
        inputs: Names of the inputs, in the order `read` takes them.
    """

    layers: tuple[Layer, ...]
    left_out: Mapping[str, int]
    inputs: tuple[str, ...]

    @abstractmethod
    def read(self, arrays: Sequence[Array]) -> list[Array]:
        """Run one sample with batch axis; the real values of each layer, float32 [*shape]."""

    @abstractmethod
    def outputs(self) -> list[Array]:
        """The file's outputs for the sample that was read last."""

    @abstractmethod
    def plain(self, arrays: Sequence[Array]) -> list[Array]:
        """The file's outputs for a sample as its runtime gives them where no layer is read."""
