"""The 8-bit grid of a quantized input or output: real = scale * (q - zero_point)."""

from __future__ import annotations

_STEPS = 255
_SMALLEST = 2.0**-126  # of float32, in which runtimes divide by the scale


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
