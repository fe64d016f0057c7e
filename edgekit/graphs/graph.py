"""The operators of a model file and the tensors between them, whatever the format, as data."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.fields import Fields

_MOST_NODES = 1_000_000


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a file.

    Attributes:
        dtype: "float32", "int8", "uint4".
        shape: Of one call; a size that is not known is 0.
        constant: Whether its values stand in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    constant: bool = False

    def bytes(self, dtype: str = "") -> int:
        """Bytes of its values, in its own dtype or in another one."""
        return -(-math.prod(self.shape) * bits(dtype or self.dtype) // 8)


@dataclass(frozen=True, slots=True)
class Node:
    """An operator of a file.

    Attributes:
        op: Its kind, in the format's words.
        inputs: Names of tensors; "" for one left out.
        outputs: Likewise.
        macs: Multiply–accumulates.
        data: Place of the input that is multiplied.
        weights: Place of the input it is multiplied with.
        narrowed: dtype that its outputs hold in truth; "" for the tensors' own.
        hybrid: Whether float data meet 8-bit weights in 8-bit arithmetic.
        name: In the file; "" where operators have none.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int = 0
    data: int = 0
    weights: int = 1
    narrowed: str = ""
    hybrid: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """The operators of a file.

    Attributes:
        tensors: By key.
        nodes: In an order in which they can run.
        outputs: Keys of the file's outputs.
        names: Key of a tensor → its name in the file, where that is another.
    """

    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> Graph:
        """Rebuild what the child that read the file said.

        Raises:
            ArtifactError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "graph", ArtifactError)
        graph = Graph(
            tensors={key: _tensor(entry) for key, entry in fields.mapping("tensors").items()},
            nodes=tuple(_node(entry) for entry in fields.items("nodes", most=_MOST_NODES)),
            outputs=_texts(fields, "outputs"),
            names={str(key): str(name) for key, name in fields.mapping("names").items()},
        )
        fields.done()
        return graph


def _tensor(data: Any) -> Tensor:
    fields = Fields(data, "graph: tensors", ArtifactError)
    tensor = Tensor(
        fields.text("dtype", longest=100),
        fields.integers("shape", most=64, low=0, high=2**62),
        fields.flag("constant"),
    )
    fields.done()
    return tensor


def _node(data: Any) -> Node:
    fields = Fields(data, "graph: nodes", ArtifactError)
    node = Node(
        op=fields.text("op", longest=1024),
        inputs=_texts(fields, "inputs"),
        outputs=_texts(fields, "outputs"),
        macs=fields.integer("macs", high=2**60),
        data=fields.integer("data", high=1024),
        weights=fields.integer("weights", high=1024),
        narrowed=fields.text("narrowed", longest=100),
        hybrid=fields.flag("hybrid"),
        name=fields.text("name", longest=16_384),
    )
    fields.done()
    return node


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    entries = fields.items(key, most=_MOST_NODES)
    if any(not isinstance(entry, str) for entry in entries):
        raise fields.fail(key, "expected a list of texts")
    return tuple(entries)


def bits(dtype: str) -> int:
    """Bits of one value: 8 of "int8" and "bool", 0 of what has no fixed size."""
    found = re.search(r"\d+", dtype)
    return int(found.group()) if found else 8 if dtype in ("bool", "boolean") else 0
