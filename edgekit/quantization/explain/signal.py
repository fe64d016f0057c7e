"""Signal, noise and bias of one tensor against another, summed chunk by chunk.

Knows arrays. Does not know what made them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_DB = 150.0  # float32 ends there: nothing differs
NOISY_DB = 10.0


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a tensor is from another.

    Attributes:
        snr_db: Power of the real values over power of the error, in decibels, within ±`MOST_DB`.
        bias: Mean error of each channel, as root mean square over channels, relative to the spread
            (standard deviation) of all real values; None where these don't vary.
        bias_share: Part of the error's power that is this constant error of channels, 0–1: what
            better biases could take away.
        worst_channel: Where the mean error is largest.
        worst_bias: That mean error relative to the spread, with its sign; None as `bias`.
        channels: How many channels there are.
        noisy: Of them, those of less than `NOISY_DB` taken by themselves: where channels are of
            unlike size, the small ones drown without being heard in `snr_db`.
    """

    snr_db: float
    bias: float | None
    bias_share: float
    worst_channel: int
    worst_bias: float | None
    channels: int
    noisy: int

    def to_json(self) -> dict[str, Any]:
        return {
            "snr_db": round(self.snr_db, 3),
            "bias": None if self.bias is None else float(f"{self.bias:.4g}"),
            "bias_share": round(self.bias_share, 4),
            "worst_channel": self.worst_channel,
            "worst_bias": None if self.worst_bias is None else float(f"{self.worst_bias:.4g}"),
            "channels": self.channels,
            "noisy": self.noisy,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Figures:
        return Figures(**data)


class Noise:
    """Sums over pairs of arrays whose last axis are channels."""

    def __init__(self) -> None:
        import numpy as np

        self._rows = 0  # values of each channel
        self._real = 0.0
        # Of each channel, float64:
        self._squares: Array = np.zeros(0)
        self._noise: Array = np.zeros(0)
        self._errors: Array = np.zeros(0)

    def add(self, real: Array, given: Array) -> None:
        """Add a chunk.

        Args:
            real: The values as they should be, [..., channels].
            given: The same values as they are.
        """
        import numpy as np

        channels = real.shape[-1] if real.ndim else 1
        expected = real.reshape(-1, channels).astype(np.float64)
        error = given.reshape(-1, channels).astype(np.float64) - expected
        if not self._rows:
            self._squares, self._noise, self._errors = (np.zeros(channels) for _ in range(3))
        self._rows += len(expected)
        self._real += float(expected.sum())
        self._squares += np.square(expected).sum(axis=0)
        self._noise += np.square(error).sum(axis=0)
        self._errors += error.sum(axis=0)

    def figures(self) -> Figures:
        """What the chunks came to; at least one must have been added."""
        import numpy as np

        channels = len(self._errors)
        count = self._rows * channels
        squares, noise = float(self._squares.sum()), float(self._noise.sum())
        means = self._errors / self._rows
        variance = squares / count - (self._real / count) ** 2
        # Differences of large sums leave rounding behind where nothing varies.
        spread = math.sqrt(variance) if variance > 1e-12 * squares / count else 0.0
        worst = int(np.argmax(np.abs(means)))
        power = float(np.square(means).mean())
        live = self._squares > 0
        loud = self._noise > self._squares / 10.0 ** (NOISY_DB / 10.0)
        return Figures(
            snr_db=decibels(squares, noise),
            bias=math.sqrt(power) / spread if spread else None,
            bias_share=min(1.0, power * count / noise) if noise else 0.0,
            worst_channel=worst,
            worst_bias=float(means[worst]) / spread if spread else None,
            channels=channels,
            noisy=int((live & loud).sum()),
        )


def decibels(signal: float, noise: float) -> float:
    """Ten times the logarithm of a ratio of powers, within ±`MOST_DB`."""
    if not noise:
        return MOST_DB
    if not signal:
        return -MOST_DB
    return max(-MOST_DB, min(MOST_DB, 10.0 * (math.log10(signal) - math.log10(noise))))


def concordance(a: Array, b: Array) -> float:
    """How well two arrays of one size agree in value, −1 to 1; 1 only where they are equal.

    Unlike correlation it also falls where one is a multiple of the other, or shifted: Lin 1989, "A
    concordance correlation coefficient to evaluate reproducibility".
    """
    import numpy as np

    x, y = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    mean_x, mean_y = float(x.mean()), float(y.mean())
    both = float(((x - mean_x) * (y - mean_y)).mean())
    apart = float(x.var()) + float(y.var()) + (mean_x - mean_y) ** 2
    if apart == 0.0:
        return 1.0
    return 2.0 * both / apart
