"""Count the multiply-adds of a traced model: convolutions and products of matrices, as papers do.

Additions, activations, normalisation and pooling don't count; what a loop repeats counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def multiply_adds(graph: Any) -> int:
    """Multiply-adds of one call of a `tf.Graph` whose shapes are known; unknown ones count 0."""
    return sum(
        _RULES[operation.type](operation)
        for operation in graph.get_operations()
        if operation.type in _RULES
    )


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape.rank is None else [size or 0 for size in tensor.shape.as_list()]


def _convolution(operation: Any) -> int:
    kernel = _shape(operation.inputs[1])  # height, width, channels in (of a group), channels out
    return math.prod(_shape(operation.outputs[0])) * math.prod(kernel[:-1])


def _depthwise(operation: Any) -> int:
    height, width = _shape(operation.inputs[1])[:2]
    return math.prod(_shape(operation.outputs[0])) * height * width


def _transposed(operation: Any) -> int:
    # The gradient of a convolution: its result's gradient, times the kernel at every place.
    kernel = _shape(operation.inputs[1])
    return math.prod(_shape(operation.inputs[2])) * math.prod(kernel[:-1])


def _matrices(operation: Any) -> int:
    left = _shape(operation.inputs[0])
    turned = any(operation.node_def.attr[key].b for key in ("transpose_a", "adj_x"))
    return math.prod(_shape(operation.outputs[0])) * left[-2 if turned else -1]


def _einsum(operation: Any) -> int:
    terms = operation.node_def.attr["equation"].s.decode().partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        # An ellipsis stands for leading axes that all terms share.
        letters = term.replace("...", "")
        shape = _shape(tensor)
        sizes |= zip(letters, shape[len(shape) - len(letters) :], strict=True)
        if "..." in term:
            sizes["..."] = math.prod(shape[: len(shape) - len(letters)])
    return math.prod(sizes.values())


_RULES: dict[str, Callable[[Any], int]] = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed,
    "MatMul": _matrices,
    "BatchMatMul": _matrices,
    "BatchMatMulV2": _matrices,
    "Einsum": _einsum,
}
