"""A location with its error: trimmed means, Student's intervals. On the host only: needs scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A location with its standard error.

    Attributes:
        value: The estimate.
        error: Its standard error.
        freedom: Degrees of freedom of the error.
    """

    value: float
    error: float
    freedom: int

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Student's interval."""
        spread = student((1 + confidence) / 2, self.freedom) * self.error
        return self.value - spread, self.value + spread

    def detectable(self, power: float, confidence: float = 0.95) -> float:
        """Smallest true difference from 0 that is found with this power."""
        return (student((1 + confidence) / 2, self.freedom) + student(power, self.freedom)) * (
            self.error
        )


def trimmed_mean(values: Sequence[float], share: float = 0.2) -> Estimate:
    """Trimmed mean with the standard error of the Winsorised values.

    Tukey and McLaughlin 1963; Yuen 1974 (doi:10.1093/biomet/61.1.165).

    Args:
        values: Independent of each other; at least two.
        share: Part left out at either end.

    Raises:
        ValueError: Fewer than two values.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n < 2:
        raise ValueError(f"{n} values have no error")
    cut = int(share * n)
    kept = n - 2 * cut
    inner = ordered[cut : n - cut]
    winsorised = [inner[0]] * cut + inner + [inner[-1]] * cut
    mean = math.fsum(winsorised) / n
    squares = math.fsum((value - mean) ** 2 for value in winsorised)
    return Estimate(
        value=math.fsum(inner) / kept,
        error=math.sqrt(squares / (kept * (kept - 1))),
        freedom=kept - 1,
    )


def student(p: float, freedom: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, p))
