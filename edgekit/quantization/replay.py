"""Run a whole frozen graph on samples, node by node, and let a visitor see or replace every tensor.

The nodes themselves are run by `condition.execution`. Imports TensorFlow. Changes no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError
from edgekit.quantization.condition.execution import Executor, Samples, register_functions
from edgekit.quantization.condition.graph import Graph

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Gets a node and its outputs by tensor name; returns those that the nodes after it take instead.
Visit = Callable[[Any, Mapping[str, Any]], Mapping[str, Any] | None]


class Replay:
    """A graph that can be run again and again.

    Args:
        graph: Traced for one sample.
        samples: Input name → [N, *shape] of its dtype, N ≥ 1. Which nodes can run on many samples
            at once is tried out on the first and the last.

    Raises:
        ConversionError: TensorFlow refuses a node.
    """

    def __init__(self, graph: Graph, samples: Mapping[str, Array]) -> None:
        self.graph = graph
        self._samples = samples
        register_functions(graph.functions)
        self._executor = Executor(graph.constant)
        self.order = [
            node
            for node in graph.order
            if node.name not in graph.inputs and graph.constant(node.name) is None
        ]
        last = {name: node.name for node in self.order for name in node.input}
        self._done: dict[str, list[str]] = {}
        for name, node in last.items():
            self._done.setdefault(node, []).append(name)
        self._probe()

    @property
    def samples(self) -> int:
        """How many there are to run."""
        return len(next(iter(self._samples.values())))

    def run(self, start: int, stop: int, visit: Visit) -> None:
        """Run samples `start` to `stop`; the inputs are visited, too, as nodes without inputs."""
        values = self._inputs(start, stop)
        for name in self.graph.inputs:
            values |= visit(self.graph.nodes[name], {name: values[name]}) or {}
        for node in self.order:
            given = _named(node, self._execute(node, values, stop - start))
            values |= given | dict(visit(node, given) or {})
            for name in self._done.get(node.name, ()):
                values.pop(name, None)

    def _execute(self, node: Any, values: Mapping[str, Any], count: int) -> list[Any]:
        try:
            return self._executor.run(node, self._operands(node, values), count)
        except ConversionError as error:
            raise _renamed(error) from error

    def _probe(self) -> None:
        count = len(next(iter(self._samples.values())))
        first, second = self._inputs(0, 1), self._inputs(count - 1, count)
        for node in self.order:
            pair = [self._operands(node, values) for values in (first, second)]
            try:
                alone = self._executor.probe(node, *pair)
            except ConversionError as error:
                raise _renamed(error) from error
            first |= _named(node, alone[0])
            second |= _named(node, alone[1])
            for name in self._done.get(node.name, ()):
                first.pop(name, None)
                second.pop(name, None)

    def _operands(self, node: Any, values: Mapping[str, Any]) -> list[Any]:
        return [values[n] if n in values else self.graph.constant(n) for n in node.input]

    def _inputs(self, start: int, stop: int) -> dict[str, Any]:
        import numpy as np
        import tensorflow as tf

        return {
            name: tf.constant(np.ascontiguousarray(array[start:stop]))
            for name, array in self._samples.items()
        }


def by_sample(value: Any, count: int) -> Array | None:
    """A tensor of `count` samples as [count, *shape for one]; None where samples have no axis."""
    import numpy as np

    if isinstance(value, Samples):
        parts = [np.asarray(part) for part in value.parts]
        return np.stack(parts) if len({part.shape for part in parts}) == 1 else None
    array = np.asarray(value)
    if not array.ndim or array.shape[0] % count:
        return None
    return array.reshape(count, array.shape[0] // count, *array.shape[1:])


def _named(node: Any, given: list[Any]) -> dict[str, Any]:
    return {f"{node.name}:{i}" if i else node.name: value for i, value in enumerate(given)}


def _renamed(error: ConversionError) -> ConversionError:
    message = error.message.removeprefix("conditioning: ")
    return ConversionError(f"running the float graph: {message}", *error.details, hint=error.hint)
