"""Give every linear node back the output mean that rounding took from it.

A rounded kernel answers inputs whose mean is not zero with a constant error, one per channel, and a
constant error belongs to the bias. Two passes over the calibration samples: one with the float
kernels for the means to aim at; one in the order of execution with rounded kernels and all
corrections made before, so that a correction also sees what the nodes before it left.

Activations stay in float in both. Their rounding has no mean, and what clipping takes away is not a
constant but rare large values: given back to every sample as a constant it does harm (docs).

Sources: Nagel et al. 2019 (arXiv 1906.04721, section 4.2, the empirical form), Nagel et al. 2021
(arXiv 2106.08295).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.execution import Executor, Samples, register_functions
from edgekit.quantization.condition.graph import Graph, owner
from edgekit.quantization.condition.grid import codes, on_grid, steps
from edgekit.quantization.condition.linear import (
    Bias,
    Linear,
    Shapes,
    add_to_bias,
    ensure_bias,
    kernel_of,
    linear_nodes,
    set_kernel,
)
from edgekit.quantization.condition.store import Store

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Samples that run together: as many as keep their largest tensor below this.
_CHUNK_BYTES = 24 * 2**20
_STORE_BYTES = 384 * 2**20


@dataclass(frozen=True, slots=True)
class Rounded:
    """What happened to one linear node.

    Attributes:
        kernel: Its float kernel, as it was.
        codes: The int8 numbers of the rounded one.
        steps: Its steps, one per output channel, in a shape that broadcasts to it.
        bias: Its corrected bias [C]; None where it has none of its own.
        float_bias: Its bias as it was, likewise.
    """

    kernel: Array
    codes: Array
    steps: Array
    bias: Array | None
    float_bias: Array | None


def round_and_correct(
    graph: Graph,
    samples: Mapping[str, Array],
    scratch: Path,
    record: list[Rounded] | None = None,
) -> tuple[int, int]:
    """Put all kernels onto the int8 grid and correct the biases behind them.

    Args:
        graph: Changed in place; batch norms folded.
        samples: Input name → [N, *shape] of its dtype.
        scratch: Empty folder for what does not fit into memory.
        record: Gets what happened to each linear node.

    Returns:
        Numbers of kernels rounded and of biases corrected.
    """
    shapes = Shapes(graph.definition())
    biases = {
        linear.node.name: ensure_bias(graph, linear, shapes) for linear in linear_nodes(graph)
    }
    graph.tidy()
    linears = {linear.node.name: linear for linear in linear_nodes(graph)}
    if not linears:
        return 0, 0
    walk = _Walk(graph, linears, samples)
    target = walk.float_pass()
    for name, linear in linears.items():
        set_kernel(graph, linear, on_grid(walk.kernels[name], linear.axes))
    corrected = walk.rounded_pass(target, biases, Store(scratch, _STORE_BYTES))
    if record is not None:
        record += [walk.rounded(linear, biases[name]) for name, linear in linears.items()]
    return len(linears), corrected


class _Walk:
    def __init__(
        self,
        graph: Graph,
        linears: Mapping[str, Linear],
        samples: Mapping[str, Array],
    ) -> None:
        self.graph = graph
        self.linears = linears
        self.kernels = {name: kernel_of(graph, linear) for name, linear in linears.items()}
        self._added: dict[str, Array] = {}  # node → what its bias was corrected by
        self.samples = samples
        self.count = len(next(iter(samples.values())))
        register_functions(graph.functions)
        self.executor = Executor(graph.constant)
        self.order = self._needed()
        widest = self._probe()
        self.chunk = max(1, min(self.count, _CHUNK_BYTES // max(1, widest)))

    # -- the passes --------------------------------------------------------------------------------

    def float_pass(self) -> dict[str, Array]:
        """Linear node → mean of each output channel [C], float64."""
        found: dict[str, Array] = {}
        last = self._last_readers(self.order)
        for start, stop in self._chunks():
            values = self._inputs(start, stop)
            for node in self.order:
                given = self._run(node, values, stop - start)
                values |= given
                if node.name in self.linears:
                    channels = self.linears[node.name].channels
                    part = _mean(given[node.name], channels) * ((stop - start) / self.count)
                    found[node.name] = found.get(node.name, 0.0) + part
                for name in last.get(node.name, ()):
                    values.pop(name, None)
        return found

    def rounded_pass(
        self, target: Mapping[str, Array], biases: Mapping[str, Bias | None], store: Store
    ) -> int:
        """Node by node: run all samples up to a linear node, then correct its bias."""
        corrected = 0
        for index, (start, stop) in enumerate(self._chunks()):
            for name, value in self._inputs(start, stop).items():
                store.put(name, index, value)
        stages = list(self._stages())
        for place, stage in enumerate(stages):
            later = {name for after in stages[place + 1 :] for node in after for name in node.input}
            mean = self._run_stage(stage, later, store)
            store.keep_only(later)
            name = stage[-1].name
            bias = biases[name]
            if bias is not None:
                self._added[name] = target[name] - mean
                add_to_bias(self.graph, bias, self._added[name])
                corrected += 1
        return corrected

    def rounded(self, linear: Linear, bias: Bias | None) -> Rounded:
        """What became of a node, after the passes."""
        import numpy as np

        kernel = self.kernels[linear.node.name]
        found = codes(kernel, linear.axes), steps(kernel, linear.axes)
        value = self.graph.constant(bias.node.input[bias.place]) if bias else None
        if value is None or value.size != linear.channels:
            return Rounded(kernel, *found, None, None)
        corrected = value.reshape(-1)
        before = (corrected - self._added[linear.node.name]).astype(np.float32)
        return Rounded(kernel, *found, corrected, before)

    def _run_stage(self, stage: list[Any], later: set[str], store: Store) -> Array:
        """Run some nodes on all samples; the mean of the last one's output channels."""
        import numpy as np

        made = {node.name for node in stage}
        taken = {name for node in stage for name in node.input}
        mean: Array | float = 0.0
        for index, (start, stop) in enumerate(self._chunks()):
            values = {
                name: store.get(name, index)
                for name in taken
                if owner(name)[0] not in made and self.graph.constant(name) is None
            }
            last = self._last_readers(stage)
            for node in stage:
                given = self._run(node, values, stop - start)
                if node is stage[-1]:
                    channels = self.linears[node.name].channels
                    mean += _mean(given[node.name], channels) * (stop - start)
                for name, value in given.items():
                    values[name] = value
                    if name in later:
                        store.put(name, index, value)
                for name in last.get(node.name, ()):
                    values.pop(name, None)
        return np.asarray(mean / self.count)

    # -- the order of things -----------------------------------------------------------------------

    def _needed(self) -> list[Any]:
        """What linear nodes need, in order of execution; inputs and constants left out."""
        needed: set[str] = set()
        for node in reversed(self.graph.order):
            if node.name in self.linears or node.name in needed:
                needed |= {owner(name)[0] for name in node.input}
                needed.add(node.name)
        return [
            node
            for node in self.graph.order
            if node.name in needed
            and node.name not in self.graph.inputs
            and self.graph.constant(node.name) is None
        ]

    def _stages(self) -> Iterator[list[Any]]:
        stage: list[Any] = []
        for node in self.order:
            stage.append(node)
            if node.name in self.linears:
                yield stage
                stage = []

    def _chunks(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self.count, self.chunk):
            yield start, min(start + self.chunk, self.count)

    @staticmethod
    def _last_readers(nodes: list[Any]) -> dict[str, list[str]]:
        """Node → tensors that nobody among `nodes` reads after it."""
        last = {name: node.name for node in nodes for name in node.input}
        found: dict[str, list[str]] = {}
        for name, node in last.items():
            found.setdefault(node, []).append(name)
        return found

    # -- running -----------------------------------------------------------------------------------

    def _inputs(self, start: int, stop: int) -> dict[str, Any]:
        import numpy as np
        import tensorflow as tf

        return {
            name: tf.constant(np.ascontiguousarray(array[start:stop]))
            for name, array in self.samples.items()
        }

    def _run(self, node: Any, values: Mapping[str, Any], count: int) -> dict[str, Any]:
        given = self.executor.run(node, self._operands(node, values), count)
        return _named(node, given)

    def _operands(self, node: Any, values: Mapping[str, Any]) -> list[Any]:
        return [values[n] if n in values else self.graph.constant(n) for n in node.input]

    def _probe(self) -> int:
        """Try every node on two samples; bytes of the largest tensor of one sample."""
        first = self._inputs(0, 1)
        second = self._inputs(self.count - 1, self.count)
        widest = 1
        for node in self.order:
            pair = [self._operands(node, values) for values in (first, second)]
            alone = self.executor.probe(node, *pair)
            first |= _named(node, alone[0])
            second |= _named(node, alone[1])
            widest = max(widest, *(_bytes(value) for value in alone[0]))
        return widest


def _named(node: Any, given: list[Any]) -> dict[str, Any]:
    return {f"{node.name}:{i}" if i else node.name: value for i, value in enumerate(given)}


def _mean(value: Any, channels: int) -> Array:
    """Mean of each channel [C] of a linear node's output, over samples and places."""
    import numpy as np

    parts = value.parts if isinstance(value, Samples) else (value,)
    means = [np.asarray(part).reshape(-1, channels).mean(0, dtype=np.float64) for part in parts]
    return np.asarray(np.mean(means, axis=0))


def _bytes(value: Any) -> int:
    return int(math.prod(value.shape)) * int(value.dtype.size or 0)
