"""What rules look at: the folded graph, and ranges of its tensors over a few samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, owner
from edgekit.quantization.condition.linear import Linear, linear_nodes
from edgekit.quantization.replay import Replay, by_sample

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Observed:
    """A float graph with what it computes.

    Attributes:
        graph: Batch norms folded, as every converter folds them.
        linears: Its linear nodes.
        ranges: Tensor → lowest and highest value over the samples.
        shapes: Tensor → shape of one sample.
    """

    graph: Graph
    linears: tuple[Linear, ...]
    ranges: Mapping[str, tuple[float, float]]
    shapes: Mapping[str, tuple[int, ...]]

    def span(self, tensor: str) -> float | None:
        """Width of the 8-bit range that a tensor needs, zero included; None if unknown."""
        if tensor not in self.ranges:
            return None
        low, high = self.ranges[tensor]
        return max(high, 0.0) - min(low, 0.0)

    def size(self, tensor: str) -> int:
        """Values of one sample; 0 if unknown."""
        return math.prod(self.shapes[tensor]) if tensor in self.shapes else 0

    def is_given(self, tensor: str) -> bool:
        """Whether the model gives a tensor, as it is or in another shape."""
        todo, seen = [tensor], {tensor}
        while todo:
            name = todo.pop()
            if name in self.graph.outputs:
                return True
            for node, _ in self.graph.readers(name):
                if node.op in ("Identity", "Reshape", "Squeeze") and node.name not in seen:
                    seen.add(node.name)
                    todo.append(node.name)
        return False

    def plain(self, tensor: str) -> str:
        """A tensor without the nodes that pass it on as it is."""
        while True:
            node = self.graph.nodes[owner(tensor)[0]]
            if node.op not in ("Identity", "StopGradient") or not node.input:
                return tensor
            tensor = node.input[0]


def observe(graph: Graph, samples: Mapping[str, Array]) -> Observed:
    """Run a folded graph on samples.

    Args:
        graph: Traced for one sample.
        samples: Input name → [N, *shape], N ≥ 1.

    Raises:
        ConversionError: TensorFlow refuses a node.
    """
    import numpy as np

    count = len(next(iter(samples.values())))
    ranges: dict[str, tuple[float, float]] = {}
    shapes: dict[str, tuple[int, ...]] = {}

    def note(_: Any, given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            real = by_sample(value, count)
            if real is not None and real.size and real.dtype.kind == "f":
                shapes[name] = real.shape[1:]
                finite = real[np.isfinite(real)]
                if finite.size:
                    ranges[name] = (float(finite.min()), float(finite.max()))

    Replay(graph, samples).run(0, count, note)
    return Observed(graph, tuple(linear_nodes(graph)), ranges, shapes)
