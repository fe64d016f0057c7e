"""negations: −x as a product with −1.

TFLite and ONNX Runtime have an 8-bit product and no 8-bit negation: each one, as in every layer
normalisation of Keras, leaves the integers and comes back. A negation that GELU's error function
reads stays: converters know GELU by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.rewrite.factors import is_float32

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAME = "negations"


def apply(graph: Graph, _samples: Mapping[str, Array]) -> tuple[str, ...]:
    """Rewrite every negation that can be.

    Args:
        graph: Changed in place.

    Returns:
        The negations.
    """
    import numpy as np

    found = []
    for node in list(graph.order):
        if node.op != "Neg" or not is_float32(node) or _of_gelu(graph, node):
            continue
        minus = graph.add_constant(f"{node.name}/minus_one", np.asarray(-1, np.float32))
        node.op = "Mul"
        node.input.append(minus)
        found.append(str(node.name))
    graph.tidy()
    return tuple(found)


def _of_gelu(graph: Graph, node: Any) -> bool:
    """Whether erfc reads the negation, maybe times a constant."""
    readers = [reader for reader, _ in graph.readers(node.name)]
    products = [reader for reader in readers if reader.op == "Mul"]
    further = [reader for product in products for reader, _ in graph.readers(product.name)]
    return any(reader.op == "Erfc" for reader in (*readers, *further))
