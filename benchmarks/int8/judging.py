"""What a quantized file's outputs are worth: metric, paired with others', and labels, with ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.metrics import score
from edgekit.statistics import mcnemar

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Judge:
    """One model's evaluation samples.

    Attributes:
        metric: Name of the metric.
        labels: As the data set gives them.
    """

    metric: str
    labels: Array

    @property
    def classifies(self) -> bool:
        """Whether each sample is right or wrong by itself, so that McNemar's test fits."""
        return self.labels.ndim == 1

    def against(self, outputs: Sequence[Array], other: Sequence[Array]) -> dict[str, Any]:
        """The metric, the paired drop from another file's, and how often labels are the same.

        Args:
            outputs: One [N, ...] array per output.
            other: The same of the file it is compared with.
        """
        value = score(self.metric, outputs, self.labels, other)
        found: dict[str, Any] = {
            "value": round(value.value, 2),
            "drop": _rounded(value.drop),
            "drop_ci95": [_rounded(bound) for bound in value.drop_ci95 or ()],
        }
        if self.classifies:
            right, before = (self._right(arrays) for arrays in (outputs, other))
            lost, won = int((before & ~right).sum()), int((right & ~before).sum())
            found |= {"lost": lost, "won": won, "mcnemar_p": float(f"{mcnemar(lost, won):.3g}")}
            found |= agreement(outputs[0], other[0])
        return found

    def _right(self, outputs: Sequence[Array]) -> Array:
        found: Array = outputs[0].argmax(axis=1) == self.labels
        return found


def agreement(mine: Array, theirs: Array) -> dict[str, float]:
    """Labels two files share, in per cent of samples.

    Returns:
        "same": the first of the highest values is at the same place. "same_or_tied": one's label is
        among the other's highest values, where several are exactly equal. "tied": samples of which
        either file has several highest values.
    """
    import numpy as np

    first, second = mine.argmax(axis=1), theirs.argmax(axis=1)
    rows = np.arange(len(mine))
    tops = [array == array.max(axis=1, keepdims=True) for array in (mine, theirs)]
    tied = (tops[0].sum(axis=1) > 1) | (tops[1].sum(axis=1) > 1)
    shared = (first == second) | tops[0][rows, second] | tops[1][rows, first]
    return {
        "same": _per_cent(first == second),
        "same_or_tied": _per_cent(shared),
        "tied": _per_cent(tied),
    }


def _per_cent(flags: Array) -> float:
    return round(100 * float(flags.mean()), 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
