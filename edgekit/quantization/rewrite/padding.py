"""padding-constants: what fills up before a max pooling, without widening the range of the tensor.

−∞ or −1e9 never wins a maximum, but in 8 bits it takes all steps from the values that do. Where the
tensor holds nothing below 0, filling up with 0 gives the same maxima; where the padding is what
"same" pooling does by itself, the pooling does it. Elsewhere the operator is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, attribute, owner
from edgekit.quantization.condition.linear import Shapes, channels_last

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NAME = "padding-constants"

_NEVER_NEGATIVE = ("Relu", "Relu6", "Sigmoid", "Softmax", "Abs", "Square", "Exp", "Softplus")
_PASSING = ("Identity", "MaxPool", "AvgPool", "Reshape", "Squeeze", "Transpose")


def apply(graph: Graph, _samples: Mapping[str, Array]) -> tuple[str, ...]:
    """Rewrite every such padding that can be.

    Args:
        graph: Changed in place.

    Returns:
        The padding nodes that were changed or removed.
    """
    import numpy as np

    found = []
    shapes = Shapes(graph.definition())
    for node in list(graph.order):
        pools = _pools(graph, node)
        if not pools:
            continue
        if all(_pads_alike(graph, node, pool, shapes) for pool in pools):
            for pool in pools:
                pool.attr["padding"].s = b"SAME"
            graph.bypass(node, node.input[0])
        elif _never_negative(graph, node.input[0]) and all(
            _sees_a_value(graph, node, pool) for pool in pools
        ):
            zero = graph.add_constant(f"{node.name}/zero", np.asarray(0, np.float32))
            graph.set_input(node, 2, zero)
        else:
            continue
        found.append(str(node.name))
    graph.tidy()
    return tuple(found)


def _pools(graph: Graph, node: Any) -> list[Any]:
    """The max poolings that read a padding with a constant below 0; none if anything else does."""
    if node.op != "PadV2" or node.name in graph.outputs or graph.constant(node.input[1]) is None:
        return []
    value = graph.constant(node.input[2])
    if value is None or value.dtype.name != "float32" or not float(value.reshape(-1)[0]) < 0:
        return []
    readers = [reader for reader, _ in graph.readers(node.name)]
    valid = all(
        reader.op == "MaxPool"
        and channels_last(reader)
        and attribute(reader, "padding").s == b"VALID"
        for reader in readers
    )
    return readers if valid else []


def _windows(graph: Graph, node: Any, pool: Any) -> list[tuple[int, int, int, int]]:
    """Per axis: padding before and after, size and stride of the window."""
    pads = graph.constant(node.input[1])
    assert pads is not None
    sizes, strides = (list(attribute(pool, name).list.i) for name in ("ksize", "strides"))
    return [
        (int(before), int(after), size, stride)
        for (before, after), size, stride in zip(pads, sizes, strides, strict=True)
    ]


def _pads_alike(graph: Graph, node: Any, pool: Any, shapes: Shapes) -> bool:
    """Whether "same" pooling without the padding computes the same; it pads with −∞."""
    shape = shapes.of(node.input[0])
    if shape is None or not _fill(graph, node) <= _LOWEST:
        return False
    for (before, after, size, stride), length in zip(
        _windows(graph, node, pool), shape, strict=True
    ):
        count = -(-length // stride)
        total = max(0, (count - 1) * stride + size - length)
        made = (length + before + after - size) // stride + 1
        if made != count or before != total // 2 or after < total - total // 2:
            return False
    return True


_LOWEST = -1e6  # what no activation reaches: as good as −∞


def _fill(graph: Graph, node: Any) -> float:
    value = graph.constant(node.input[2])
    assert value is not None
    return float(value.reshape(-1)[0])


def _sees_a_value(graph: Graph, node: Any, pool: Any) -> bool:
    """Whether no window lies in the padding alone, which would give the constant itself."""
    return all(
        before < size and after < size for before, after, size, _ in _windows(graph, node, pool)
    )


def _never_negative(graph: Graph, tensor: str) -> bool:
    node = graph.nodes[owner(tensor)[0]]
    while node.op in _PASSING:
        node = graph.nodes[owner(node.input[0])[0]]
    return node.op in _NEVER_NEGATIVE
