"""A figure that grows with the samples, for whoever watches; the one that counts is made of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Running:
    """The share of right samples so far.

    Args:
        metric: What judges them; one that tells no right and wrong of each sample has no share.
        labels: Of all samples, in the order they come.
    """

    def __init__(self, metric: Metric, labels: Array) -> None:
        self._metric, self._labels = metric, labels
        self._samples = self._right = 0

    def add(self, outputs: Sequence[Array]) -> tuple[str, float] | None:
        """The metric's name and its value in points after the next samples.

        Args:
            outputs: Real ones of these samples, [n, …] each.
        """
        count = len(outputs[0])
        labels = self._labels[self._samples : self._samples + count]
        try:
            marks = self._metric.judge(outputs, labels).marks
        except Exception:  # a metric that wants all samples at once
            return None
        if marks is None or marks.dtype != bool or len(marks) != count:
            return None
        self._samples += count
        self._right += int(marks.sum())
        return self._metric.name, 100 * self._right / self._samples
