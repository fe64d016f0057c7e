"""Which tensors of a graph converters store in 8 bits, and what that does to them.

Changes no graph.
"""

from __future__ import annotations

from typing import Any

from edgekit.quantization.condition.execution import Samples
from edgekit.quantization.condition.graph import Graph, attribute, owner

_PASSING = ("Identity", "StopGradient", "Reshape", "Squeeze")
_CLIPPING = ("Relu", "Relu6")
_FUSED_BEHIND = {
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative", "MatMul"), ("BiasAdd", *_CLIPPING)),
    **dict.fromkeys(("BiasAdd", "Add", "AddV2", "Sub", "Mul"), _CLIPPING),
}
_ARITHMETIC = (
    "Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "ConcatV2", "AvgPool", "Mean", "Relu",
    "Relu6", "Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul",
    "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "BiasAdd", "SquaredDifference",
    "Rsqrt", "Softmax", "Sigmoid", "Tanh", "Elu", "LeakyRelu", "MaxPool",
)  # fmt: skip


def arithmetic_tensors(graph: Graph) -> set[str]:
    """Tensors that some converter stores in 8 bits: results of arithmetic that go on to more of it.

    What is fused into its only reader is not stored. Outputs are left out: they are never clipped.
    """
    found, given = set(), set(graph.outputs)
    for name in graph.outputs:
        node = graph.nodes[owner(name)[0]]
        while node.op in _PASSING:
            given.add(node.input[0])
            node = graph.nodes[owner(node.input[0])[0]]
    for node in graph.order:
        if node.op not in _ARITHMETIC or graph.constant(node.name) is not None:
            continue
        reader = graph.only_reader(node.name)
        fused = reader is not None and reader[0].op in _FUSED_BEHIND.get(node.op, ())
        if not fused and node.name not in given and _is_float(graph, node.name):
            found.add(node.name)
    return found


def fake_quantized(value: Any, limits: tuple[float, float]) -> Any:
    """A tensor on the 8-bit grid with these limits; as it is where they leave no room for one."""
    import tensorflow as tf

    low, high = limits
    if isinstance(value, Samples) or not high - low > 1e-30:
        return value
    return tf.quantization.fake_quant_with_min_max_args(value, low, high)


def _is_float(graph: Graph, tensor: str) -> bool:
    import tensorflow as tf

    node = graph.nodes[owner(tensor)[0]]
    return attribute(node, "T").type == tf.float32.as_datatype_enum or node.op in (
        "Cast",
        "GatherV2",
    )
