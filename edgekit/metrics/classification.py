"""Share of right classes: top-1 and top-5, with Wilson intervals and paired drops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.metrics.base import Metric, MetricValue
from edgekit.statistics import paired_difference, wilson

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def top1_hits(logits: Array, labels: Array) -> Array:
    """Per sample, whether the highest of `logits` [N, classes] is at `labels` [N]. bool [N]."""
    hits: Array = _flat(logits).argmax(axis=1) == labels
    return hits


def top5_hits(logits: Array, labels: Array) -> Array:
    """Per sample, whether `labels` [N] is among the five highest of `logits`. bool [N]."""
    import numpy as np

    # Stable: equal logits rank in index order on every platform.
    best = np.argsort(-_flat(logits).astype(np.float64), axis=1, kind="stable")[:, :5]
    return np.asarray((best == labels[:, None]).any(axis=1))


def _flat(logits: Array) -> Array:
    return logits.reshape(len(logits), -1)


class ShareOfHits(Metric):
    """A share of samples that are right, each by itself.

    Args:
        name: Of the metric.
        hits_of: (logits [N, classes], labels [N]) → bool [N].
    """

    def __init__(self, name: str, hits_of: Callable[[Any, Any], Any]) -> None:
        self.name = name
        self._hits_of = hits_of

    def measure(
        self, outputs: Sequence[Array], labels: Array, reference: Sequence[Array] | None
    ) -> MetricValue:
        hits = self._hits_of(outputs[0], labels)
        n, right = len(hits), int(hits.sum())
        low, high = wilson(right, n)
        value = 100 * right / n
        if reference is None:
            return MetricValue(self.name, n, value, (100 * low, 100 * high))
        reference_hits = self._hits_of(reference[0], labels)
        only_reference = int((reference_hits & ~hits).sum())
        only_artifact = int((hits & ~reference_hits).sum())
        drop_low, drop_high = paired_difference(only_reference, only_artifact, n)
        return MetricValue(
            name=self.name,
            samples=n,
            value=value,
            ci95=(100 * low, 100 * high),
            reference=100 * int(reference_hits.sum()) / n,
            drop=100 * (only_reference - only_artifact) / n,
            drop_ci95=(100 * drop_low, 100 * drop_high),
        )
