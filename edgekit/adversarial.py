"""Inputs that kernels of one file may disagree on, though data sets hardly hold any of them.

Saturated values, the largest sums, zeros, numbers too small to be normal, and values beyond what a
model expects. Made from an `InputSpec` alone. Deterministic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SEED = 20_260_102
_DENORMAL = 1e-40  # of float32: its normal numbers end at 1.2e-38


def adversarial(spec: InputSpec) -> dict[str, Array]:
    """Name of a case → one sample, [*shape], in the model's own units.

    - "lowest", "highest": every value at the end of the range; the largest sums there are
    - "zeros": 0, or what of the range is nearest to it
    - "checkerboard": lowest and highest side by side
    - "salt and pepper": lowest and highest at random
    - "spike": the highest among lowest ones
    - "beyond" (floats only): four times as far as the range goes, to either side
    - "denormal" (floats only): ±1e-40

    Args:
        spec: An input. Integers without a grid of pixels, tokens say, stay in their range.
    """
    import numpy as np

    low, high = spec.range
    size = int(np.prod(spec.shape, dtype=np.int64))
    random = np.random.Generator(np.random.Philox(_SEED))
    spike = np.full(size, low)
    spike[size // 2] = high
    cases = {
        "lowest": np.full(size, low),
        "highest": np.full(size, high),
        "zeros": np.full(size, min(max(0.0, low), high)),
        "checkerboard": np.where(np.arange(size) % 2, high, low),
        "salt and pepper": np.where(random.random(size) < 0.5, high, low),
        "spike": spike,
    }
    if np.dtype(spec.dtype).kind == "f":
        middle, reach = (low + high) / 2, 4 * (high - low) / 2
        signs = np.where(np.arange(size) % 2, 1.0, -1.0)
        # A file of smaller floats holds what it can hold.
        most = float(np.finfo(spec.dtype).max)
        cases["beyond"] = np.clip(middle + signs * reach, -most, most)
        cases["denormal"] = signs * _DENORMAL
    return {name: case.reshape(spec.shape).astype(spec.dtype) for name, case in cases.items()}
