"""How far outputs are from the float model's, as one figure. Knows arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_WORST = 1e30  # of outputs that are not finite


def noise_power(outputs: Sequence[Array], reference: Sequence[Array]) -> float:
    """Power of the error over the variance of the reference, summed over outputs.

    Each output is measured by its own spread: boxes in pixels don't drown scores.

    Args:
        outputs: One [n, ...] array per output.
        reference: The same of the float model, for at least as many samples.
    """
    import numpy as np

    total = 0.0
    for mine, theirs in zip(outputs, reference, strict=True):
        wanted = np.asarray(theirs[: len(mine)], np.float64)
        error = np.asarray(mine, np.float64).reshape(wanted.shape) - wanted
        spread = float(wanted.var())
        power = float(np.square(error).mean())
        if not np.isfinite(power):
            return _WORST
        total += power / spread if spread > 0 else power
    return min(total, _WORST)
