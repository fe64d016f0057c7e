"""What an input or output of a model file is, and the grid of a quantized one.

    real = scale * (q - zero_point)

Knows one tensor. Does not know formats, runtimes or files.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import EdgekitError
from edgekit.fields import Fields

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_STEPS = 255
_SMALLEST = 2.0**-126  # of float32, in which runtimes divide by the scale
_SCALES = (1e-45, 3.5e38)  # positive float32
_LONGEST_ARRAY = 2**26
_ARRAYS = (
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64"),
)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output as a model file declares it, or as a runtime reports it.

    Attributes:
        name: Its name there.
        dtype: numpy dtype name.
        shape: With the batch axis; -1 where a size is left open.
        scale: Step of a quantized tensor; None if it is not quantized (or that is not reported).
        zero_point: Integer that stands for 0.0.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "shape": list(self.shape)}

    @staticmethod
    def from_json(data: Any, error: type[EdgekitError]) -> TensorInfo:
        """Check and rebuild.

        Raises:
            EdgekitError: `error`; a key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "tensor", error)
        low, high = _SCALES
        described = TensorInfo(
            name=fields.text("name"),
            dtype=fields.text("dtype", longest=40),
            shape=fields.integers("shape", most=16, low=-1, high=2**40),
            scale=fields.optional_number("scale", low=low, high=high),
            zero_point=fields.optional_integer("zero_point", low=-(2**31), high=2**31),
        )
        fields.done()
        return described


def affine_grid(limits: tuple[float, float], dtype: str) -> tuple[float, int]:
    """Scale and zero point of the 8-bit grid over `limits`, widened to hold zero exactly.

    Jacob et al. 2018 (arXiv 1712.05877), section 2.1.
    """
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    scale = (high - low) / _STEPS
    if scale < _SMALLEST:
        scale = 1.0
    lowest = -128 if dtype == "int8" else 0
    return scale, round(lowest - low / scale)


def quantize(values: Array, scale: float, zero_point: int, dtype: str) -> Array:
    """Real values to integers; halves round to even, as ONNX and OpenVINO define it.

    Args:
        values: float32, any shape, not NaN.
        scale: Step, positive.
        zero_point: Integer that stands for 0.0.
        dtype: Name of an integer dtype; values beyond its range saturate.

    Returns:
        `dtype`, the shape of `values`.

    Raises:
        ValueError: A value is NaN: it has no integer.
    """
    import numpy as np

    # In float32, as the runtimes divide: float64 would land on other sides of the halves.
    steps = np.asarray(values, np.float32) / np.float32(scale)
    if np.isnan(steps).any():
        raise ValueError("NaN cannot be quantized")
    limits = np.iinfo(dtype)
    shifted = np.rint(steps).astype(np.float64) + zero_point
    whole: Array = np.clip(shifted, limits.min, limits.max).astype(dtype)
    return whole


def dequantize(values: Array, scale: float, zero_point: int) -> Array:
    """Integers of any dtype to float32, the same shape."""
    import numpy as np

    return (values.astype(np.int64) - zero_point).astype(np.float32) * np.float32(scale)


def array_to_json(array: Array) -> dict[str, Any]:
    """A small array inside a JSON document, to the bit."""
    import numpy as np

    packed = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": packed}


def array_from_json(data: Mapping[str, Any], error: type[EdgekitError]) -> Array:
    """The inverse of `array_to_json`; the caller owns the array.

    Raises:
        EdgekitError: `error`; a key is missing or of the wrong type, or the bytes are not as many
            as dtype and shape say.
    """
    import numpy as np

    fields = Fields(data, "array", error)
    dtype = np.dtype(fields.text("dtype", choices=_ARRAYS))
    shape = fields.integers("shape", most=16, low=0, high=2**31)
    try:
        packed = base64.b64decode(fields.text("data", longest=_LONGEST_ARRAY), validate=True)
    except ValueError:
        raise fields.fail("data", "it is not base64") from None
    fields.done()
    if len(packed) != math.prod(shape) * dtype.itemsize:
        raise fields.fail("data", f"{len(packed):,} bytes are no {dtype} {list(shape)}")
    return np.frombuffer(packed, dtype).reshape(shape).copy()
