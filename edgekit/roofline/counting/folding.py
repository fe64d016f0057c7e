"""From a graph of operators to the operations a runtime cannot do without.

Runtimes fuse: what is elementwise is done along with the operator before it, quantizing and
dequantizing are part of their neighbours, reshaping is free. Counting every operator of a file by
itself would give a limit that runtimes beat. Here all of that is folded, so what is left is the
least that has to be computed and moved. One way of folding for all formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.graphs.graph import Graph, Node, Tensor, bits
from edgekit.graphs.reading import read_graph
from edgekit.roofline.counting.operation import Counted, Operation
from edgekit.roofline.counting.roles import Role, role_of

_NARROW = ("int8", "uint8", "int4", "uint4")
_WIDENING = ("cast", "convert")


@dataclass(slots=True)
class _Group:
    """Nodes that become one operation."""

    name: str
    op: str
    macs: int
    arithmetic: str
    nodes: int = 0
    made: set[str] = field(default_factory=set)
    reads: dict[str, int] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)


def count_file(file: Path, target: str) -> Counted:
    """Operations of a model file. Raises as `edgekit.graphs.reading.read_graph`."""
    return fold(read_graph(file, target))


def fold(graph: Graph) -> Counted:
    """Operations of a graph, with names for people."""
    counted = _Folding(graph.tensors, frozenset(graph.outputs)).fold(graph.nodes)
    return counted.renamed(graph.names)


class _Folding:
    def __init__(self, tensors: Mapping[str, Tensor], outputs: frozenset[str]) -> None:
        self._tensors = tensors
        self._outputs = outputs
        # Constant → those in the file it is made of; varying → the one it is another look at.
        self._leaves: dict[str, tuple[str, ...]] = {
            name: (name,) for name, tensor in tensors.items() if tensor.constant
        }
        self._source: dict[str, str] = {}
        self._dtype: dict[str, str] = {}
        self._maker: dict[str, int] = {}
        self._groups: list[_Group] = []
        self._uncounted: Counter[str] = Counter()

    def fold(self, nodes: Sequence[Node]) -> Counted:
        for node in nodes:
            self._take(node)
        readers: dict[str, set[int]] = {}
        for number, group in enumerate(self._groups):
            for name in group.reads:
                readers.setdefault(name, set()).add(number)
        kept = {self._of(name) for name in self._outputs}
        operations = []
        for number, group in enumerate(self._groups):
            left = {n for n in group.made if n in kept or readers.get(n, set()) - {number}}
            operations.append(
                Operation(
                    name=group.name,
                    op=group.op,
                    nodes=group.nodes,
                    macs=group.macs,
                    arithmetic=group.arithmetic,
                    weight_bytes=sum(group.weights.values()),
                    read_bytes=sum(s for n, s in group.reads.items() if n not in group.made),
                    written_bytes=sum(self._bytes(name) for name in left),
                )
            )
        return Counted(tuple(operations), dict(self._uncounted))

    def _take(self, node: Node) -> None:
        inputs = [name for name in node.inputs if name]
        varying = [self._of(name) for name in inputs if name not in self._leaves]
        role = role_of(node.op)
        if not varying and role is not Role.NESTED:
            leaves = tuple(dict.fromkeys(leaf for name in inputs for leaf in self._leaves[name]))
            self._leaves |= {name: (leaves or (name,)) for name in node.outputs}
            if node.narrowed:
                self._dtype |= dict.fromkeys(leaves[:1], node.narrowed)
            return
        if role is Role.NESTED or not all(self._is_known(name) for name in node.outputs if name):
            self._uncounted[node.op] += 1
        if self._is_view(node, role):
            self._source |= dict.fromkeys(node.outputs, varying[0])
            return
        self._narrow(node, role, varying)
        number = self._group_for(node, role, varying)
        group = self._groups[number]
        group.nodes += 1
        group.made |= {name for name in node.outputs if name}
        self._maker |= dict.fromkeys(node.outputs, number)
        given = sum(self._bytes(name) for name in node.outputs if name)
        for name in varying:
            size = self._bytes(name)
            group.reads[name] = min(size, given) if role is Role.LOOKUP else size
        for leaf in {leaf for name in inputs for leaf in self._leaves.get(name, ())}:
            size = self._bytes(leaf)
            group.weights[leaf] = min(size, given) if role is Role.LOOKUP else size

    def _is_view(self, node: Node, role: Role) -> bool:
        """Whether whoever reads its output might as well read its input."""
        if any(name in self._outputs for name in node.outputs):
            return False  # its output has to be made all the same
        if role is Role.VIEW:
            return True
        if node.op.lower() not in _WIDENING or node.narrowed:
            return False
        before, after = self._tensors.get(node.inputs[0]), self._tensors.get(node.outputs[0])
        return before is not None and after is not None and bits(before.dtype) <= bits(after.dtype)

    def _narrow(self, node: Node, role: Role, varying: Sequence[str]) -> None:
        """Note where tensors hold fewer bits than the file declares."""
        dtype = node.narrowed
        if role is Role.CARRIER and all(self._form(name) in _NARROW for name in varying):
            dtype = self._form(varying[0])
        if dtype:
            self._dtype |= dict.fromkeys(node.outputs, dtype)

    def _group_for(self, node: Node, role: Role, varying: Sequence[str]) -> int:
        """Number of the operation it becomes a part of; a view that is kept is elementwise."""
        if role in (Role.ELEMENTWISE, Role.VIEW):
            makers = [self._maker[name] for name in varying if name in self._maker]
            if makers:
                return max(makers)
        arithmetic = self._arithmetic(node) if node.macs else ""
        self._groups.append(_Group(node.outputs[0], node.op, node.macs, arithmetic))
        return len(self._groups) - 1

    def _arithmetic(self, node: Node) -> str:
        data, weights = (
            self._form(node.inputs[place]) if place < len(node.inputs) else ""
            for place in (node.data, node.weights)
        )
        if weights in _NARROW and (data in _NARROW or node.hybrid):
            return "int8"
        if weights in _NARROW and data == "int16":
            return "int16"
        return data if data in ("float16", "float64") else "float32"

    def _of(self, name: str) -> str:
        """The tensor that a varying one is another look at."""
        return self._source.get(name, name)

    def _form(self, name: str) -> str:
        """The dtype in which values lie in memory; of what is made of constants, the largest's."""
        name = self._of(name)
        if name in self._leaves and name not in self._dtype:
            name = max(self._leaves[name], key=self._bytes)
        known = self._tensors.get(name)
        return self._dtype.get(name) or (known.dtype if known else "")

    def _bytes(self, name: str) -> int:
        known = self._tensors.get(name)
        return known.bytes(self._dtype.get(name, "")) if known else 0

    def _is_known(self, name: str) -> bool:
        known = self._tensors.get(name)
        return known is not None and all(size > 0 for size in known.shape)
