"""Round kernels onto the int8 grid that every converter uses, so that all of them agree.

TFLite's quantizer, ONNX Runtime's and NNCF all give each output channel the step max|w| / 127 and
round to nearest. A kernel that already lies on that grid, with its largest value at ±127 steps,
comes out of each with the same int8 numbers.

Source: Krishnamoorthi 2018 (arXiv 1806.08342, section 2.4), Nagel et al. 2021 (arXiv 2106.08295).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

STEPS = 127  # −128 is left out: the grid is symmetric


def on_grid(kernel: Array, axes: tuple[int, ...]) -> Array:
    """The nearest kernel whose channels are whole multiples of a step of their own.

    Args:
        kernel: float32, any shape.
        axes: The axes whose positions are output channels.

    Returns:
        float32 of the same shape; channels of zeros stay zeros.
    """
    import numpy as np

    step = steps(kernel, axes)
    return (codes(kernel, axes) * step).astype(np.float32)


def codes(kernel: Array, axes: tuple[int, ...]) -> Array:
    """The int8 numbers, −127…127, of a kernel's values; arguments as `on_grid`."""
    import numpy as np

    step = steps(kernel, axes)
    safe = np.where(step > 0, step, np.float32(1))
    return np.rint(kernel / safe).clip(-STEPS, STEPS).astype(np.int8)


def steps(kernel: Array, axes: tuple[int, ...]) -> Array:
    """The step of each channel, float32, in a shape that broadcasts; 0 for channels of zeros."""
    import numpy as np

    others = tuple(axis for axis in range(kernel.ndim) if axis not in axes)
    peak = np.abs(kernel).max(axis=others, keepdims=True).astype(np.float32)
    step = peak / np.float32(STEPS)
    # Below this a step loses digits, and times 127 it would not be the peak any more.
    return np.where(peak < np.finfo(np.float32).tiny * 1e3, np.float32(0), step)
