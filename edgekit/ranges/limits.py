"""Which range an 8-bit grid covers: everything seen, nearly everything, or what errs least.

- `minmax`: lowest to highest value. Nothing is clipped; one outlier makes all steps coarse.
- `percentile-P`: P per cent of the values at each end (Wu et al. 2020, arXiv 2004.09602).
- `mse`: the range with the smallest mean squared error of rounding and clipping together, expected
  over the histogram (Nagel et al. 2021, arXiv 2106.08295, section 3.1).

All contain 0, which has to lie on the grid: padding and ReLU give it (Krishnamoorthi 2018,
arXiv 1806.08342, section 2.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.ranges.observer import Observer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MINMAX, PERCENTILE, MSE = "minmax", "percentile", "mse"
PERCENTILES = tuple(f"{PERCENTILE}-{share}" for share in ("99.9", "99.99", "99.999"))
METHODS = (MINMAX, *PERCENTILES, MSE)

AUTO = "auto"  # what does best on the calibration samples
ASKABLE = (AUTO, MINMAX, PERCENTILE, MSE)
_UNMEASURED = {AUTO: MINMAX, PERCENTILE: "percentile-99.99"}

STEPS = 255  # of an 8-bit grid

_FRACTIONS = 64  # of each end that `mse` tries
_LEAST = 1 / 32  # of an extreme: a narrower range has never been the best of anything measured


def unmeasured(asked: str) -> str:
    """The method that one of `ASKABLE` means where nothing was measured to choose by."""
    return _UNMEASURED.get(asked, asked)


def candidates(asked: str) -> tuple[str, ...]:
    """Methods among which what was asked for leaves a choice."""
    if asked == AUTO:
        return METHODS
    return tuple(method for method in METHODS if method.partition("-")[0] == asked)


def limits(observer: Observer, method: str) -> tuple[float, float]:
    """Lowest and highest value that a tensor's grid shall cover; low ≤ 0 ≤ high.

    Args:
        observer: What was seen of it; (0, 0) if that is nothing.
        method: One of `METHODS`.
    """
    low, high = min(observer.low, 0.0), max(observer.high, 0.0)
    if method == MINMAX or observer.count == 0:
        return low, high
    if method == MSE:
        return _least_error(observer, low, high)
    return _percentile(observer, float(method.removeprefix(f"{PERCENTILE}-")) / 100, low, high)


def squared_error(observer: Observer, low: Array, high: Array) -> Array:
    """Expected sum of squared errors over all values noted, for each pair of limits.

    A value within the limits is off by a step's variance, step² / 12; one beyond them by its
    distance; 0 by nothing.

    Args:
        observer: What was seen.
        low: Lower limits [K], none positive.
        high: Upper limits [K], none negative.

    Returns:
        float64 [K].
    """
    import numpy as np

    centres, counts = observer.histogram()
    below = np.searchsorted(centres, low, "left")
    within = np.searchsorted(centres, high, "right")
    sums = [np.concatenate([[0.0], np.cumsum(counts * centres**power)]) for power in range(3)]
    under = sums[2][below] - 2 * low * sums[1][below] + low**2 * sums[0][below]
    rest = [part[-1] - part[within] for part in sums]
    over = rest[2] - 2 * high * rest[1] + high**2 * rest[0]
    step = (high - low) / STEPS
    inside = (sums[0][within] - sums[0][below]) * step**2 / 12
    total: Array = inside + under.clip(0) + over.clip(0)
    return total


def _least_error(observer: Observer, low: float, high: float) -> tuple[float, float]:
    import numpy as np

    parts = np.linspace(1.0, _LEAST, _FRACTIONS)
    lows = low * (parts if low < 0 else parts[:1])
    highs = high * (parts if high > 0 else parts[:1])
    a, b = (grid.ravel() for grid in np.meshgrid(lows, highs, indexing="ij"))
    best = int(squared_error(observer, a, b).argmin())  # the widest of equals
    return float(a[best]), float(b[best])


def _percentile(observer: Observer, share: float, low: float, high: float) -> tuple[float, float]:
    import numpy as np

    centres, counts = observer.histogram()
    negative = centres < 0
    beyond = (1 - share) * observer.count
    lower, upper = low, high
    if beyond < 1:  # of a value: there is nothing to leave out
        return low, high
    if low < 0:
        under = np.cumsum(counts[negative])
        place = int(np.searchsorted(under, beyond, "right"))
        lower = float(centres[place]) if place < len(under) else 0.0
    if high > 0:
        over = np.cumsum(counts[~negative][::-1])
        place = int(np.searchsorted(over, beyond, "right"))
        upper = float(centres[~negative][::-1][place]) if place < len(over) else 0.0
    return max(low, min(lower, 0.0)), min(high, max(upper, 0.0))
