"""Multiply–accumulates of the operators that have any, from shapes alone. Knows no format.

Every output takes the whole kernel, taps on padding included, as papers count. Additions,
activations, normalisation and pooling have none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Shape = Sequence[int]


def convolution(output: Shape, kernel: Shape, channels_in: int) -> int:
    """Of a convolution, grouped or depthwise.

    Args:
        output: All of the output's shape; where channels stand in it does not matter.
        kernel: Spatial sizes of the kernel. Stride, padding and dilation are in `output`.
        channels_in: Input channels that one output channel sees: all of its group.
    """
    return math.prod(output) * math.prod(kernel) * channels_in


def transposed_convolution(taken: Shape, kernel: Shape, channels_out: int) -> int:
    """Of a transposed convolution: every input value goes through the whole kernel.

    Args:
        taken: All of the input's shape.
        kernel: Spatial sizes of the kernel.
        channels_out: Output channels that one input channel reaches: all of its group.
    """
    return math.prod(taken) * math.prod(kernel) * channels_out


def product(output: Shape, inner: int) -> int:
    """Of a product of matrices, batched or not, whose summed axis is `inner` long."""
    return math.prod(output) * inner


def recurrent(steps: int, matrices: Sequence[Shape]) -> int:
    """Of a recurrent layer: every matrix once a step.

    Args:
        steps: Time steps times batch.
        matrices: Shapes of its weights, recurrent ones included, over all gates and directions.
    """
    return steps * sum(math.prod(matrix) for matrix in matrices)


def einsum(equation: str, operands: Sequence[Shape]) -> int:
    """Of an Einstein sum: the product of the sizes of all its letters.

    Raises:
        ValueError: The equation does not fit the operands.
    """
    sizes: dict[str, int] = {}
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    for term, shape in zip(terms, operands, strict=True):
        # An ellipsis stands for leading axes that all terms share.
        letters = term.replace("...", "")
        own = shape[len(shape) - len(letters) :]
        sizes |= zip(letters, own, strict=True)
        if "..." in term:
            sizes["..."] = math.prod(shape[: len(shape) - len(letters)])
    return math.prod(sizes.values())
