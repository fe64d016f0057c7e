"""What is known of one tensor's values: extremes, zeros and a histogram, in bounded memory.

The bins are 2**level wide and begin at whole multiples of that, so that two bins of one level are
one of the next. Which level fits depends on the extremes alone: the same values give the same
histogram, in whatever order and pieces they come.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BINS = 2048  # eight for each step of an 8-bit grid
MOST_VALUES = 4096  # of one sample that go into the histogram; extremes are of all

_FINEST = -120  # below this a bin's width is no normal float32 any more


class Observer:
    """Values of one tensor.

    Attributes:
        low: Lowest finite value, 0.0 before there is one.
        high: Highest finite value.
        count: Values in the histogram and in `zeros`.
        zeros: How many of them are exactly 0, in no bin: every grid holds 0.
        seen: Whether there was a finite value at all.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.count = self.zeros = 0
        self.seen = False
        self._level = _FINEST
        self._first = 0  # number of the first bin: it begins at _first · 2**_level
        self._bins: Array | None = None

    def add(self, rows: Array) -> None:
        """Note the values of some samples.

        Args:
            rows: Floats, [N, ...] of N samples. NaN and infinities are left out.
        """
        import numpy as np

        if not rows.size:
            return
        low, high = float(rows.min()), float(rows.max())
        chosen = _chosen(rows).astype(np.float64)
        if not (math.isfinite(low) and math.isfinite(high)):
            finite = rows[np.isfinite(rows)]
            if not finite.size:
                return
            low, high = float(finite.min()), float(finite.max())
            chosen = chosen[np.isfinite(chosen)]
        if not self.seen or low < self.low or high > self.high:
            self._widen(low, high)
        nonzero = chosen[chosen != 0]
        self.count += chosen.size
        self.zeros += chosen.size - nonzero.size
        places = np.floor(np.ldexp(nonzero, -self._level)).astype(np.int64)
        self._put(0, np.bincount(places - self._first, minlength=1))

    def merge(self, other: Observer) -> None:
        """Note all that another one has noted."""
        if not other.seen:
            return
        self._widen(other.low, other.high)
        self.count += other.count
        self.zeros += other.zeros
        if other._bins is not None:
            first, bins = _coarser(other._first, other._bins, self._level - other._level)
            self._put(first - self._first, bins)

    def histogram(self) -> tuple[Array, Array]:
        """Centres of the bins, float64 ascending, within the extremes; and their counts."""
        import numpy as np

        if self._bins is None:
            return np.zeros(1), np.zeros(1, np.int64)
        centres = np.ldexp(self._first + np.arange(len(self._bins)) + 0.5, self._level)
        return centres.clip(self.low, self.high), self._bins

    def share_beyond(self, low: float, high: float) -> float:
        """Share of the values below `low` or above `high`, 0–1, as far as bins tell."""
        if not self.count:
            return 0.0
        centres, counts = self.histogram()
        return float(counts[(centres < low) | (centres > high)].sum() / self.count)

    def _widen(self, low: float, high: float) -> None:
        """Make room for values between `low` and `high`."""
        import numpy as np

        self.low = min(self.low, low) if self.seen else low
        self.high = max(self.high, high) if self.seen else high
        self.seen = True
        left, right = min(self.low, 0.0), max(self.high, 0.0)
        level = max(_FINEST, self._level)
        while math.floor(math.ldexp(right, -level)) - math.floor(math.ldexp(left, -level)) >= BINS:
            level += 1
        first = math.floor(math.ldexp(left, -level))
        size = math.floor(math.ldexp(right, -level)) - first + 1
        bins = np.zeros(size, np.int64)
        if self._bins is not None:
            at, old = _coarser(self._first, self._bins, level - self._level)
            bins[at - first : at - first + len(old)] = old
        self._level, self._first, self._bins = level, first, bins

    def _put(self, place: int, counts: Array) -> None:
        assert self._bins is not None
        self._bins[place : place + len(counts)] += counts


def _coarser(first: int, bins: Array, levels: int) -> tuple[int, Array]:
    """The same counts in bins 2**levels as wide."""
    import numpy as np

    if not levels:
        return first, bins
    places = (first + np.arange(len(bins))) >> min(levels, 62)
    start = int(places[0])
    # Sums of whole numbers below 2**53 are exact in float64.
    return start, np.bincount(places - start, weights=bins).astype(np.int64)


def _chosen(rows: Array) -> Array:
    """At most about `MOST_VALUES` values of each sample, spread evenly: [values]."""
    values = rows.reshape(len(rows), -1)
    step = -(-values.shape[1] // MOST_VALUES)
    if step > 1:
        # A step that shares a factor with the channels would see some channels only.
        while math.gcd(step, rows.shape[-1]) != 1:
            step += 1
    chosen: Array = values[:, ::step].reshape(-1)
    return chosen
