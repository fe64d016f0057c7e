"""Between real numbers and a tensor's integers: real = scale × (integer − zero point).

Rounds halves as the runtime that reads the tensor does, and saturates. Does not choose scales.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def quantize(values: Array, scale: float, zero_point: int, dtype: str, rounding: str) -> Array:
    """Real values to integers.

    Args:
        values: float32, any shape; infinity saturates.
        scale: Step, positive.
        zero_point: Integer that stands for 0.0.
        dtype: Name of an integer dtype; values beyond its range saturate.
        rounding: "even" (ONNX QuantizeLinear, OpenVINO) or "away" (TFLite's reference kernels:
            `std::round`).

    Returns:
        `dtype`, the shape of `values`.

    Raises:
        ValueError: A value is NaN: it has no integer.
    """
    import numpy as np

    # In float32, as the runtimes divide: float64 would land on other sides of the halves.
    with np.errstate(over="ignore"):
        steps = np.asarray(values, np.float32) / np.float32(scale)
    if np.isnan(steps).any():
        raise ValueError("NaN cannot be quantized")
    steps = np.clip(steps, -(2.0**31), 2.0**31)  # infinity has no fraction
    if rounding == "away":
        whole = np.trunc(steps)
        rounded = whole + np.copysign(np.abs(steps - whole) >= 0.5, steps)
    else:
        rounded = np.rint(steps)
    limits = np.iinfo(dtype)
    whole_range = np.clip(rounded.astype(np.float64) + zero_point, limits.min, limits.max)
    return np.asarray(whole_range.astype(dtype))


def dequantize(values: Array, scale: float, zero_point: int) -> Array:
    """Integers of any dtype to float32, the same shape."""
    import numpy as np

    steps = (values.astype(np.int64) - zero_point).astype(np.float32)
    return np.asarray(steps * np.float32(scale))
