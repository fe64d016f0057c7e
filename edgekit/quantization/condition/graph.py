"""A frozen TensorFlow graph as something to read and to rewrite: nodes, who reads whom, constants.

Works on `GraphDef`. Does not know what a convolution is, and runs only what is constant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError
from edgekit.quantization.condition.execution import execute

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Graph:
    """A `GraphDef` under change.

    Tensors are called "node" (its first output) or "node:1". Nodes that no output needs are gone.

    Args:
        definition: The frozen graph; not changed.
        inputs: Names of its placeholders.
        outputs: Tensors that must keep their meaning.
    """

    def __init__(self, definition: Any, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(tensor_key(name) for name in outputs)
        self._library = definition.library
        self._versions = definition.versions
        self._constants: dict[str, Array | None] = {}
        self.nodes = {node.name: _copy(node) for node in definition.node}
        for node in self.nodes.values():
            node.input[:] = [tensor_key(name) for name in node.input if not name.startswith("^")]
        self._index()

    def definition(self) -> Any:
        """The graph as it is now: what its outputs need, in an order that can be executed."""
        from tensorflow.core.framework import graph_pb2

        self._index()
        graph = graph_pb2.GraphDef()
        graph.node.extend(self.order)
        graph.library.CopyFrom(self._library)
        graph.versions.CopyFrom(self._versions)
        return graph

    def copy(self) -> Graph:
        """The graph as it is now, to be changed on its own."""
        return Graph(self.definition(), self.inputs, self.outputs)

    def take(self, other: Graph) -> None:
        """Become another graph of the same inputs and outputs."""
        self.nodes, self._constants = dict(other.nodes), dict(other._constants)
        self._index()

    @property
    def functions(self) -> list[Any]:
        """Bodies of loops and branches."""
        return list(self._library.function)

    # -- reading -----------------------------------------------------------------------------------

    def readers(self, tensor: str) -> list[tuple[Any, int]]:
        """Nodes that take a tensor, and the place they take it at."""
        return self._readers.get(tensor, [])

    def only_reader(self, tensor: str) -> tuple[Any, int] | None:
        """The node that takes a tensor, where it is the only one and the model does not give it."""
        found = self.readers(tensor)
        return found[0] if len(found) == 1 and tensor not in self.outputs else None

    def constant(self, tensor: str) -> Array | None:
        """The value of a tensor that depends on no input; None of one that does."""
        if tensor not in self._constants:
            self._constants[tensor] = self._evaluate(tensor)
        return self._constants[tensor]

    def _evaluate(self, tensor: str) -> Array | None:
        import numpy as np

        name, place = owner(tensor)
        node = self.nodes[name]
        if node.op in ("Placeholder", "PlaceholderWithDefault") or _is_stateful(node.op):
            return None
        values = []
        for source in node.input:
            value = self.constant(source)
            if value is None:
                return None
            values.append(value)
        value = execute(node, values)[place]
        # The lists that loops fill are no numbers.
        is_list = getattr(value.dtype, "name", "") in ("variant", "resource")
        return None if is_list else np.asarray(value)

    # -- writing -----------------------------------------------------------------------------------

    def add_constant(self, name: str, value: Array) -> str:
        """A new constant; returns its tensor."""
        import tensorflow as tf
        from tensorflow.core.framework import node_def_pb2

        node = node_def_pb2.NodeDef(name=self._free(name), op="Const")
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        self.nodes[node.name] = node
        self._constants[node.name] = value
        return str(node.name)

    def add_node(self, op: str, name: str, inputs: Iterable[str]) -> Any:
        """A new float32 node; nothing reads it yet."""
        from tensorflow.core.framework import node_def_pb2, types_pb2

        node = node_def_pb2.NodeDef(name=self._free(name), op=op)
        node.attr["T"].type = types_pb2.DT_FLOAT
        self.nodes[node.name] = node
        for place, source in enumerate(inputs):
            node.input.append(source)
            self._readers.setdefault(source, []).append((node, place))
        return node

    def set_input(self, node: Any, place: int, tensor: str) -> None:
        """Let a node take another tensor."""
        old = node.input[place]
        self._readers[old] = [
            entry for entry in self._readers[old] if entry[0] is not node or entry[1] != place
        ]
        node.input[place] = tensor
        self._readers.setdefault(tensor, []).append((node, place))

    def bypass(self, node: Any, tensor: str) -> None:
        """Let the readers of a node's first output take `tensor` instead.

        Raises:
            ConversionError: The model gives that output.
        """
        if node.name in self.outputs:
            raise ConversionError(f"{node.name} is an output of the model")
        for reader, place in list(self.readers(node.name)):
            self.set_input(reader, place, tensor)

    def insert_after(self, tensor: str, op: str, name: str, others: Iterable[str]) -> Any:
        """Put a node between a tensor and all its readers: it takes the tensor, then `others`.

        Where the model gives the tensor, its name moves to the new node's output.
        """
        given = tensor in self.outputs
        readers = list(self.readers(tensor))
        node = self.add_node(op, name, (tensor, *others))
        for reader, place in readers:
            self.set_input(reader, place, node.name)
        if given:
            self._swap_names(tensor, node.name)
        return node

    def _swap_names(self, first: str, second: str) -> None:
        a, b = self.nodes.pop(first), self.nodes.pop(second)
        a.name, b.name = second, first
        self.nodes |= {a.name: a, b.name: b}
        swapped = {first: second, second: first}
        for node in self.nodes.values():
            node.input[:] = [swapped.get(name, name) for name in node.input]
        self._index()

    def _free(self, name: str) -> str:
        number, wanted = 2, name
        while wanted in self.nodes:
            wanted, number = f"{name}_{number}", number + 1
        return wanted

    def _index(self) -> None:
        """Keep what outputs and inputs need, sorted; note who reads whom."""
        order: dict[str, Any] = {}
        todo = [(name, False) for name in (*map(_name, self.outputs[::-1]), *self.inputs[::-1])]
        while todo:
            name, ready = todo.pop()
            if name in order:
                continue
            node = self.nodes[name]
            if ready:
                order[name] = node
                continue
            todo.append((name, True))
            todo += [(_name(source), False) for source in reversed(node.input)]
        self.nodes = order
        self.order = list(order.values())
        self._readers: dict[str, list[tuple[Any, int]]] = {}
        for node in self.order:
            for place, source in enumerate(node.input):
                self._readers.setdefault(source, []).append((node, place))

    def tidy(self) -> None:
        """Drop what nothing needs any more, and sort."""
        self._index()


def attribute(node: Any, name: str) -> Any:
    """An attribute of a node, empty where it has none; indexing would add it."""
    from tensorflow.core.framework import attr_value_pb2

    return node.attr[name] if name in node.attr else attr_value_pb2.AttrValue()


def tensor_key(name: str) -> str:
    """The name without the place of a first output."""
    return name.removesuffix(":0")


def owner(tensor: str) -> tuple[str, int]:
    """The node that gives a tensor, and which of its outputs it is."""
    name, _, place = tensor.partition(":")
    return name, int(place or 0)


def _name(tensor: str) -> str:
    return owner(tensor)[0]


def _copy(node: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _is_stateful(op: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(op)
    return definition is None or bool(definition.is_stateful)
