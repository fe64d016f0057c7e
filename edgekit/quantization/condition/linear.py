"""Which nodes of a graph are linear in a varying operand with a constant kernel, and their biases.

Knows operators and their axes. Changes nothing but what `ensure_bias` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph, attribute

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Nodes that give what they get in another shape, or as it is.
RESHAPING = ("Reshape", "Squeeze", "ExpandDims")
_PASSING = ("Identity", "StopGradient", *RESHAPING)
_ADDING = ("BiasAdd", "Add", "AddV2")

_CONVOLUTIONS = {
    "Conv2D": (3,),
    "Conv3D": (4,),
    "DepthwiseConv2dNative": (2, 3),
    "Conv2DBackpropInput": (2,),
}
_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")

# Where a bias that was not there costs nothing: converters fuse it.
_FUSING = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul")


@dataclass(frozen=True, slots=True)
class Linear:
    """A convolution or a product with constant kernel.

    Attributes:
        node: The `NodeDef`.
        data: Place of the varying operand.
        kernel: Place of the kernel.
        axes: Axes of the kernel that together make the output channels, ascending; the output's
            last axes are these, in this order.
        channels: Output channels.
    """

    node: Any
    data: int
    kernel: int
    axes: tuple[int, ...]
    channels: int


def linear_nodes(graph: Graph) -> list[Linear]:
    """All of them, in an order of execution."""
    found = (_linear(graph, node) for node in graph.order)
    return [entry for entry in found if entry is not None]


def _linear(graph: Graph, node: Any) -> Linear | None:
    if node.op not in (*_CONVOLUTIONS, *_PRODUCTS) or not channels_last(node):
        return None
    data, kernel = _places(graph, node)
    value = graph.constant(node.input[kernel])
    if value is None or graph.constant(node.input[data]) is not None:
        return None
    if value.dtype.name != "float32" or not value.size:
        return None
    axes = _channel_axes(node, value.shape, kernel)
    if axes is None:
        return None
    return Linear(node, data, kernel, axes, math.prod(value.shape[axis] for axis in axes))


def channels_last(node: Any) -> bool:
    """Whether a node's data format, if it has one, puts channels last."""
    return attribute(node, "data_format").s in (b"", b"NHWC", b"NDHWC")


def _places(graph: Graph, node: Any) -> tuple[int, int]:
    if node.op == "Conv2DBackpropInput":
        return 2, 1
    if node.op == "Einsum" and len(node.input) == 2 and graph.constant(node.input[0]) is not None:
        return 1, 0
    return 0, 1


def _channel_axes(node: Any, shape: tuple[int, ...], kernel: int) -> tuple[int, ...] | None:
    if node.op == "Einsum":
        return _einsum(node, kernel)
    if node.op == "MatMul":
        return (
            None
            if attribute(node, "transpose_a").b
            else ((0,) if attribute(node, "transpose_b").b else (1,))
        )
    if node.op.startswith("BatchMatMul"):
        # A kernel of its own for each sample or head has more scales than one per channel.
        if attribute(node, "adj_x").b or len(shape) < 2 or math.prod(shape[:-2]) != 1:
            return None
        return (len(shape) - 2,) if attribute(node, "adj_y").b else (len(shape) - 1,)
    return _CONVOLUTIONS[node.op]


def _einsum(node: Any, kernel: int) -> tuple[int, ...] | None:
    left, _, right = attribute(node, "equation").s.decode().replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != 2 or "..." in terms[kernel] or not right:
        return None
    own, other = terms[kernel], terms[1 - kernel]
    letters = [letter for letter in own if letter in right]
    if not letters or set(letters) & set(other) or not right.endswith("".join(letters)):
        return None
    return tuple(own.index(letter) for letter in letters)


def kernel_of(graph: Graph, linear: Linear) -> Array:
    """The kernel, as the node takes it."""
    value = graph.constant(linear.node.input[linear.kernel])
    assert value is not None
    return value


def set_kernel(graph: Graph, linear: Linear, value: Array) -> None:
    """Give the node another kernel of the same shape; others that read the old one keep it."""
    name = f"{linear.node.name}/kernel"
    graph.set_input(linear.node, linear.kernel, graph.add_constant(name, value))


def per_channel(kernel_shape: tuple[int, ...], axes: tuple[int, ...], values: Array) -> Array:
    """Values of the output channels [C] in a shape that broadcasts against the kernel."""
    import numpy as np

    shape = [size if axis in axes else 1 for axis, size in enumerate(kernel_shape)]
    return np.reshape(values, shape)


@dataclass(frozen=True, slots=True)
class Bias:
    """Where the sum over a linear node gets its bias.

    Attributes:
        node: The node that adds it.
        place: Place of the constant.
    """

    node: Any
    place: int


def find_bias(graph: Graph, linear: Linear, shapes: Shapes) -> Bias | None:
    """The constant that is added to a linear node's output and to nothing else's.

    Found behind changes of shape that leave channels last, and behind a sum of several linear
    nodes' outputs, as in a recurrent cell: what is added behind the sum is added to each.
    """
    tensor = linear.node.name
    while reader := graph.only_reader(tensor):
        node, place = reader
        if node.op in _ADDING:
            other = 1 - place
            value = graph.constant(node.input[other])
            if value is None and linear.node.op in _PRODUCTS:
                if shapes.of(node.input[0]) != shapes.of(node.input[1]):
                    return None
            elif value is None or value.dtype.name != "float32":
                return None
            elif ends_in(value.shape, linear.channels):
                return Bias(node, other)
            else:
                return None
        elif node.op not in _PASSING or not ends_in(shapes.of(node.name), linear.channels):
            return None
        tensor = node.name
    return None


def ensure_bias(graph: Graph, linear: Linear, shapes: Shapes) -> Bias | None:
    """The node's bias; one of zeros is added where there is none and adding one costs nothing."""
    import numpy as np

    found = find_bias(graph, linear, shapes)
    if found is not None or linear.node.op not in _FUSING:
        return found
    zeros = graph.add_constant(
        f"{linear.node.name}/bias/value", np.zeros(linear.channels, np.float32)
    )
    node = graph.insert_after(linear.node.name, "BiasAdd", f"{linear.node.name}/bias", [zeros])
    node.attr["data_format"].s = b"NHWC"
    return Bias(node, 1)


def add_to_bias(graph: Graph, bias: Bias, values: Array) -> None:
    """Add one value per channel [C] to a bias."""
    import numpy as np

    old = graph.constant(bias.node.input[bias.place])
    assert old is not None
    if bias.node.op == "BiasAdd":
        new = old + values
    else:
        axes = _trailing(old.shape, len(values))
        new = old + np.reshape(values, old.shape[len(old.shape) - axes :])
    name = f"{bias.node.name}/value"
    graph.set_input(bias.node, bias.place, graph.add_constant(name, new.astype(np.float32)))


def ends_in(shape: tuple[int, ...] | None, channels: int) -> bool:
    """Whether an array's last axes hold the channels and nothing else."""
    return shape is not None and _trailing(shape, channels) > 0


def _trailing(shape: tuple[int, ...], channels: int) -> int:
    """How many last axes hold the channels; 0 if they don't."""
    for count in range(1, len(shape) + 1):
        size = math.prod(shape[-count:])
        if size >= channels:
            return count if size == channels else 0
    return 0


class Shapes:
    """Static shapes of a graph's tensors, for one sample."""

    def __init__(self, definition: Any) -> None:
        import tensorflow as tf

        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
        self._graph = graph

    def of(self, tensor: str) -> tuple[int, ...] | None:
        """The shape; None where it is not known."""
        name = tensor if ":" in tensor else f"{tensor}:0"
        try:
            shape = self._graph.get_tensor_by_name(name).shape
        except KeyError:
            return None
        return tuple(shape.as_list()) if shape.is_fully_defined() else None
