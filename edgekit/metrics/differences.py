"""What can be said about two models that were judged on the same samples.

A difference with its paired interval, a p value, and words for both. Which samples they were, and
that they were the same, is the caller's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.metrics.base import POINTS, SCALES, Metric, Scale
from edgekit.statistics import Z95

BETTER, WORSE = "better", "worse"
INDISTINGUISHABLE, INCONCLUSIVE = "indistinguishable", "inconclusive"

MARGIN = 1.0  # in the metric's unit
POWER = 0.8
_Z_POWER = 0.8416212335729143  # the normal distribution's quantile of it
_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """What can be said about B against A.

    Attributes:
        metric: Name in `edgekit.metrics.METRICS`.
        samples: How many both were judged on.
        first: A's figure, in `unit`.
        second: B's.
        ci95: 95 % paired interval of B − A.
        p: Two-sided p value of no difference.
        p_adjusted: The same by Holm's method, where several differences are told at once.
        lost: Samples on which B does worse: right in A only; of detectors, pictures with a lower
            average precision.
        won: Samples on which B does better.
        detectable: Smallest difference that as many samples as these find in 8 of 10 tries.
        samples_for_margin: About how many samples find one as large as the margin in 8 of 10.
        margin: A difference that does not matter, as asked for.
        unit: A key of `edgekit.metrics.SCALES`.
    """

    metric: str
    samples: int
    first: float
    second: float
    ci95: tuple[float, float]
    p: float
    p_adjusted: float
    lost: int
    won: int
    detectable: float
    samples_for_margin: int
    margin: float
    unit: str = POINTS.unit

    @property
    def scale(self) -> Scale:
        """What the figures count in."""
        return SCALES[self.unit]

    @property
    def difference(self) -> float:
        """B − A."""
        return self.second - self.first

    @property
    def verdict(self) -> str:
        """B is "better" or "worse" than A beyond doubt: the interval and the adjusted p say so.

        "indistinguishable", where the interval lies within the margin around 0; else
        "inconclusive".
        """
        low, high = self.ci95
        if self.p_adjusted <= _SIGNIFICANT and (low > 0 or high < 0):
            return BETTER if (low > 0) == (self.scale.better > 0) else WORSE
        if -self.margin <= low and high <= self.margin:
            return INDISTINGUISHABLE
        return INCONCLUSIVE

    def to_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "samples": self.samples,
            "difference": round(self.difference, 4) + 0.0,
            "ci95": [round(bound, 4) + 0.0 for bound in self.ci95],
            "p": self.p,
            "p_adjusted": self.p_adjusted,
            "lost": self.lost,
            "won": self.won,
            "detectable": round(self.detectable, 4),
            "power": POWER,
            "margin": self.margin,
            "samples_for_margin": self.samples_for_margin,
            "verdict": self.verdict,
            **({} if self.unit == POINTS.unit else {"unit": self.unit}),
        }


def differ(metric: Metric, first: Any, second: Any, *, margin: float = MARGIN) -> Difference:
    """What can be said about the second against the first.

    Args:
        metric: What judged both.
        first: A, as `Metric.judge` gave it.
        second: B, on the same samples in the same order.
        margin: A difference that does not matter, above 0.

    Raises:
        ArtifactError: They were not judged on the same number of samples.
    """
    if first.samples != second.samples:
        raise ArtifactError(
            f"{metric.name}: {first.samples:,} and {second.samples:,} samples are no pairs"
        )
    gap = metric.gap(first, second)
    p = metric.p_value(first, second)
    # 2.8 standard errors (Bloom 1995, doi:10.1177/0193841X9501900504), which shrink with the root
    # of the samples; what one sample is worth shrinks with their number.
    errors = (gap.ci95[1] - gap.ci95[0]) / 2 / Z95 * (Z95 + _Z_POWER)
    return Difference(
        metric=metric.name,
        samples=first.samples,
        first=gap.first,
        second=gap.second,
        ci95=gap.ci95,
        p=p,
        p_adjusted=p,
        lost=gap.lost,
        won=gap.won,
        detectable=max(gap.least, errors),
        samples_for_margin=math.ceil(
            first.samples * max((errors / margin) ** 2, gap.least / margin)
        ),
        margin=margin,
        unit=metric.scale.unit,
    )


def adjusted(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with their p values adjusted for each other's."""
    values = holm([one.p for one in differences])
    return [replace(one, p_adjusted=value) for one, value in zip(differences, values, strict=True)]


def holm(values: Sequence[float]) -> list[float]:
    """P values adjusted so that any false alarm among them keeps its rate (Holm 1979).

    Scandinavian Journal of Statistics 6, 65–70. In the order given; never below the raw ones.
    """
    ranked = sorted(range(len(values)), key=lambda index: values[index])
    found = [1.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(ranked):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        found[index] = highest
    return found
