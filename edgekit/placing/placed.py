"""Put where each op runs together with the graph of the file: pieces, transfers, blocking ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from edgekit.errors import DeviceError
from edgekit.graphs.graph import Graph, Node
from edgekit.passes import Document
from edgekit.placing.causes import Cause, cause_of


@dataclass(frozen=True, slots=True)
class Transfer:
    """A tensor that one executor makes and another reads, in one inference.

    Attributes:
        tensor: Its name in the file.
        dtype: As the file declares it.
        shape: Likewise, with batch axis.
        bytes: Of its values; 0 where a size is left open.
        to_wanted: Whether it goes to what was to run the ops, not away from it.
    """

    tensor: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    to_wanted: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "tensor": self.tensor,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "bytes": self.bytes,
            "to_wanted": self.to_wanted,
        }


@dataclass(frozen=True, slots=True)
class Blocker:
    """All ops of one kind that what was wanted does not run.

    Attributes:
        kind: In the words of the file or the runtime.
        executor: What runs them instead.
        ops: Names, in order of execution.
        takes: What the first of them takes and gives: "int8[1, 7, 7, 96] → int8[1, 7, 7, 96]"; ""
            where it is not in the file: a fused op.
        cause: Why, and what would change it.
        transfers: Transfers of what they read and give; None where transfers are not known.
        bytes: Of those.
    """

    kind: str
    executor: str
    ops: tuple[str, ...]
    takes: str
    cause: Cause
    transfers: int | None
    bytes: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "executor": self.executor,
            "ops": list(self.ops),
            "takes": self.takes,
            **self.cause.to_json(),
            "transfers": self.transfers,
            "transferred_bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the ops of a file run.

    Attributes:
        wanted: What was to run them.
        ops: How many the runtime executes; it fuses and splits.
        taken: How many of them `wanted` runs.
        pieces: Stretches of ops in order of execution that `wanted` runs.
        blockers: In the order of their first ops.
        transfers: In order of execution; None where the runtime tells of no op of the file.
        elsewhere: Ops that the runtime executes and the file does not have: fused ones.
        evidence: How it was read.
    """

    wanted: str
    ops: int
    taken: int
    pieces: int
    blockers: tuple[Blocker, ...]
    transfers: tuple[Transfer, ...] | None
    elsewhere: int
    evidence: str

    @property
    def first(self) -> str | None:
        """Name of the first op that `wanted` does not run."""
        return self.blockers[0].ops[0] if self.blockers else None

    def to_json(self) -> dict[str, Any]:
        known = self.transfers is not None
        return {
            "wanted": self.wanted,
            "ops": self.ops,
            "taken": self.taken,
            "pieces": self.pieces,
            "first_blocking": self.first,
            "blockers": [one.to_json() for one in self.blockers],
            "transfers": [one.to_json() for one in self.transfers or ()] if known else None,
            "transferred_bytes": sum(one.bytes for one in self.transfers or ()) if known else None,
            "ops_not_in_file": self.elsewhere,
            "evidence": self.evidence,
        }


def put_together(document: Document, graph: Graph) -> Placed:
    """What a device says of its ops, with the file's graph.

    Args:
        document: Of the pass "placement".
        graph: Of the same file.

    Raises:
        DeviceError: The device cannot say where its ops run.
    """
    if "unavailable" in document:
        raise DeviceError(
            f"nothing says which op of the file runs where: {document['unavailable']}",
            hint="edgekit profile and edgekit eval print how many ran where",
        )
    ops: list[dict[str, Any]] = document["ops"]
    nodes = _nodes_of(ops, graph)
    # Where nothing of the file was found again, transfers between its ops cannot be known.
    sides = _sides(ops, nodes, graph) if any(node is not None for node in nodes) else None
    transfers = None if sides is None else _transfers(graph, sides)
    return Placed(
        wanted=document["wanted"],
        ops=len(ops),
        taken=sum(op["taken"] for op in ops),
        # Some runtimes tell their ops by executor: in the file they are in order.
        pieces=_pieces([op["taken"] for op in ops] if sides is None else _known(sides)),
        blockers=tuple(_blockers(document, nodes, graph, transfers)),
        transfers=None if transfers is None else tuple(transfers.values()),
        elsewhere=sum(node is None for node in nodes),
        evidence=document["evidence"],
    )


def _nodes_of(ops: Sequence[Mapping[str, Any]], graph: Graph) -> list[int | None]:
    """The file's node of each op: by its number, its own name, or that of its first output."""
    by_name: dict[str, int | None] = {}
    for number, node in enumerate(graph.nodes):
        output = graph.names.get(node.outputs[0], node.outputs[0]) if node.outputs else ""
        for name in {node.name, output} - {""}:
            by_name[name] = None if name in by_name else number
    found = []
    for op in ops:
        place = op["place"]
        if place is not None and place < len(graph.nodes):
            found.append(place)
        else:
            found.append(by_name.get(op["name"]))
    return found


def _sides(
    ops: Sequence[Mapping[str, Any]], nodes: Sequence[int | None], graph: Graph
) -> list[bool | None]:
    """For each node of the file whether the wanted executor runs it; None of what is constant.

    What the runtime fused away is where it was wanted, if all that was left out is found in the
    file; else it counts as the node whose output it takes, or as the one that takes its own.
    """
    sides: list[bool | None] = [None] * len(graph.nodes)
    for op, place in zip(ops, nodes, strict=True):
        if place is not None:
            sides[place] = bool(op["taken"]) and sides[place] is not False
    constant = _constant(graph)
    if all(op["taken"] or place is not None for op, place in zip(ops, nodes, strict=True)):
        # Every op that was left out is known: what was fused or renamed is where it was wanted.
        return [
            None if not constant.isdisjoint(node.outputs) else side is not False
            for node, side in zip(graph.nodes, sides, strict=True)
        ]
    maker = {
        name: number
        for number, node in enumerate(graph.nodes)
        for name in node.outputs
        if name not in constant
    }
    for number, node in enumerate(graph.nodes):
        if not constant.isdisjoint(node.outputs):
            sides[number] = None  # computed once, when the file is loaded
        elif sides[number] is None:
            sources = (maker[name] for name in node.inputs if name in maker)
            sides[number] = next((sides[at] for at in sources if sides[at] is not None), None)
    for number in reversed(range(len(graph.nodes))):
        for name in graph.nodes[number].inputs:
            if (at := maker.get(name)) is not None and sides[at] is None:
                sides[at] = sides[number]
    return sides


def _transfers(graph: Graph, sides: Sequence[bool | None]) -> dict[str, Transfer]:
    """Key of a tensor → its transfer, of those that are made on one side and read on the other."""
    readers: dict[str, set[bool]] = {}
    for node, side in zip(graph.nodes, sides, strict=True):
        for name in node.inputs:
            if side is not None:
                readers.setdefault(name, set()).add(side)
    found = {}
    for node, side in zip(graph.nodes, sides, strict=True):
        for name in node.outputs:
            tensor = graph.tensors.get(name)
            if side is not None and tensor is not None and (not side) in readers.get(name, ()):
                shown = graph.names.get(name, name)
                found[name] = Transfer(
                    shown, tensor.dtype, tensor.shape, tensor.bytes(), to_wanted=not side
                )
    return found


def _constant(graph: Graph) -> set[str]:
    """Keys of tensors whose values stand in the file, or are computed from such alone."""
    found = {key for key, tensor in graph.tensors.items() if tensor.constant}
    for node in graph.nodes:
        inputs = [name for name in node.inputs if name]
        if inputs and found.issuperset(inputs):
            found.update(node.outputs)
    return found


def _edges(node: Node) -> tuple[str, ...]:
    return (*node.inputs, *node.outputs)


def _blockers(
    document: Document,
    nodes: Sequence[int | None],
    graph: Graph,
    transfers: Mapping[str, Transfer] | None,
) -> list[Blocker]:
    left: dict[str, list[int]] = {}
    for number, op in enumerate(document["ops"]):
        if not op["taken"]:
            node = nodes[number]
            # Compilers write kinds their own way; the file's is what a person finds there.
            kind = op["kind"] if node is None else graph.nodes[node].op
            left.setdefault(kind, []).append(number)
    found = []
    for kind, numbers in left.items():
        ops = [document["ops"][number] for number in numbers]
        own = [node for number in numbers if (node := nodes[number]) is not None]
        first = graph.nodes[own[0]] if own else None
        touched = {name for node in own for name in _edges(graph.nodes[node])}
        crossing = [one for key, one in (transfers or {}).items() if key in touched]
        found.append(
            Blocker(
                kind=kind,
                executor=ops[0]["executor"],
                ops=tuple(op["name"] for op in ops),
                takes="" if first is None else _takes(first, graph),
                cause=cause_of(
                    document["reasons"].get(kind, ""),
                    document["wanted"],
                    kind,
                    _dtypes(first, graph),
                ),
                transfers=None if transfers is None else len(crossing),
                bytes=None if transfers is None else sum(one.bytes for one in crossing),
            )
        )
    return found


def _dtypes(node: Node | None, graph: Graph) -> frozenset[str]:
    """Of what varies among a node's inputs and outputs."""
    if node is None:
        return frozenset()
    tensors = [graph.tensors.get(name) for name in (*node.inputs, *node.outputs) if name]
    return frozenset(one.dtype for one in tensors if one is not None and not one.constant)


def _takes(node: Node, graph: Graph) -> str:
    def told(names: Sequence[str]) -> str:
        tensors = [graph.tensors.get(name) for name in names if name]
        varying = [one for one in tensors if one is not None and not one.constant]
        return ", ".join(f"{one.dtype}{list(one.shape)}" for one in varying[:3])

    return f"{told(node.inputs)} → {told(node.outputs)}"


def _known(sides: Sequence[bool | None]) -> list[bool]:
    return [side for side in sides if side is not None]


def _pieces(taken: Sequence[bool]) -> int:
    return sum(after and not before for before, after in pairwise([False, *taken]))
