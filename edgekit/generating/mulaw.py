"""Sound as 256 levels: the µ-law of telephones (ITU-T G.711), as WaveNet takes it.

Quiet parts get finer levels than loud ones (van den Oord et al. 2016, arXiv 1609.03499, 2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEVELS = 256


def compress(waveform: Array) -> Array:
    """Instants in −1–1 as levels: int64, alike, 0–255; 128 is the first above silence."""
    import numpy as np

    most = LEVELS - 1
    clipped = np.clip(np.asarray(waveform, np.float64), -1, 1)
    bent = np.sign(clipped) * np.log1p(most * np.abs(clipped)) / np.log1p(most)
    return np.asarray(np.rint((bent + 1) / 2 * most).astype(np.int64))


def expand(levels: Array) -> Array:
    """The inverse of `compress`, but for rounding: float64 in −1–1."""
    import numpy as np

    most = LEVELS - 1
    bent = 2 * np.asarray(levels, np.float64) / most - 1
    return np.asarray(np.sign(bent) * np.expm1(np.abs(bent) * np.log1p(most)) / most)
