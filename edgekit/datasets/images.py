"""From 8-bit RGB pixels to what a model's input asks for: channels, value range, dtype.

Knows arrays and `InputSpec`. Does not read files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def image_size(spec: InputSpec, *, owner: str) -> tuple[int, int]:
    """(height, width) that `spec` asks of a picture.

    Raises:
        DataError: The input is not a picture with 1 or 3 channels.
    """
    if spec.layout != "HWC" or len(spec.shape) != 3 or spec.shape[2] not in (1, 3):
        raise DataError(
            f"{owner}: the input {spec.name!r} takes {list(spec.shape)}, not pictures",
            hint='an input for pictures has layout = "HWC" and shape [height, width, 3] or '
            "[height, width, 1]",
        )
    return spec.shape[0], spec.shape[1]


def fit_pixels(pixels: Array, spec: InputSpec) -> Array:
    """Map pictures to a model's input.

    Args:
        pixels: uint8 [..., height, width, 3], RGB.
        spec: Value range, dtype and channels wanted; 0…255 becomes `spec.range` linearly, and one
            channel is ITU-R 601 luma.

    Returns:
        [..., height, width, channels] of `spec.dtype`; integers rounded to nearest.
    """
    import numpy as np

    if spec.shape[-1] == 1:
        luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        pixels = np.rint(luma)[..., None].astype(np.uint8)
    low, high = spec.range
    if spec.dtype == "uint8" and (low, high) == (0.0, 255.0):
        return pixels
    # 256 entries computed in double: every picture gets exactly the same value for a level.
    table = low + np.arange(256, dtype=np.float64) * ((high - low) / 255.0)
    if np.issubdtype(np.dtype(spec.dtype), np.integer):
        table = np.rint(table)
    return np.asarray(table.astype(spec.dtype)[pixels])
