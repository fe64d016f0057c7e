"""Right classes: top-1, top-5, in scope and out of it with Wilson intervals; F1 by bootstrap.

Out of scope is the last class, "oos", by convention: what belongs to none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError
from edgekit.metrics.base import Metric, MetricValue
from edgekit.statistics import paired_difference, wilson

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


_RESAMPLES = 1000
_CHUNK_CELLS = 2_000_000


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


def in_scope(logits: Array, labels: Array) -> Array:
    """Per sample, whether `labels` [N] is any class but the last. bool [N]."""
    return ~out_of_scope(logits, labels)


def out_of_scope(logits: Array, labels: Array) -> Array:
    """Per sample, whether `labels` [N] is the last class. bool [N]."""
    last: Array = labels == _flat(logits).shape[1] - 1
    return last


class ShareOfHits(Metric):
    """A share of samples that are right, each by itself.

    Args:
        name: Of the metric.
        hits_of: (logits [N, classes], labels [N]) → bool [N].
        among: Likewise: which samples count at all; None for all.
    """

    def __init__(
        self,
        name: str,
        hits_of: Callable[[Any, Any], Any],
        among: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.name = name
        self._hits_of = hits_of
        self._among = among

    def measure(
        self, outputs: Sequence[Array], labels: Array, reference: Sequence[Array] | None
    ) -> MetricValue:
        hits = self._hits_of(outputs[0], labels)
        counted = slice(None)
        if self._among is not None:
            counted = self._among(outputs[0], labels)
            hits = hits[counted]
            if not len(hits):
                raise DataError(
                    f"{self.name}: no sample counts for it",
                    hint='out of scope is the last class, by convention named "oos"; top1 and f1 '
                    "need none",
                )
        n, right = len(hits), int(hits.sum())
        low, high = wilson(right, n)
        value = 100 * right / n
        if reference is None:
            return MetricValue(self.name, n, value, (100 * low, 100 * high))
        reference_hits = self._hits_of(reference[0], labels)[counted]
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


class MacroF1(Metric):
    """F1 of each class, averaged over the classes that occur as label or as answer.

    Intervals are percentiles of 1,000 seeded bootstrap resamples (Efron 1979,
    doi:10.1214/aos/1176344552); a drop's of the same resamples of both models.

    Args:
        name: Of the metric.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def measure(
        self, outputs: Sequence[Array], labels: Array, reference: Sequence[Array] | None
    ) -> MetricValue:
        import numpy as np

        answers = [_flat(entry[0]).argmax(axis=1) for entry in (outputs, reference) if entry]
        # What a sample adds depends on its label and answers alone: drawing N samples again is
        # drawing from these few cells by their counts.
        cells, counts = np.unique(np.stack([labels, *answers]), axis=1, return_counts=True)
        values = [float(_f1(cells[0], mine, counts[None])[0]) for mine in cells[1:]]
        resampled = [np.empty(_RESAMPLES) for _ in answers]
        random = np.random.Generator(np.random.Philox(key=(3, len(labels))))
        step = max(1, _CHUNK_CELLS // len(counts))
        for at in range(0, _RESAMPLES, step):
            size = min(step, _RESAMPLES - at)
            drawn = random.multinomial(len(labels), counts / len(labels), size=size)
            for into, mine in zip(resampled, cells[1:], strict=True):
                into[at : at + size] = _f1(cells[0], mine, drawn)
        interval = _percentiles(resampled[0])
        if reference is None:
            return MetricValue(self.name, len(labels), values[0], interval)
        return MetricValue(
            name=self.name,
            samples=len(labels),
            value=values[0],
            ci95=interval,
            reference=values[1],
            drop=values[1] - values[0],
            drop_ci95=_percentiles(resampled[1] - resampled[0]),
        )


def _f1(labels: Array, answers: Array, counts: Array) -> Array:
    """Macro F1 in points of each row of `counts` [rows, cells]: float64 [rows]."""
    import numpy as np

    classes = 1 + int(max(labels.max(), answers.max()))
    right = _sums(labels, counts * (labels == answers), classes)
    # 2 × right / (labelled + answered) is F1; a class that occurs in neither has none.
    both = _sums(labels, counts, classes) + _sums(answers, counts, classes)
    shares = np.divide(2 * right, both, out=np.zeros(both.shape), where=both > 0)
    return np.asarray(100 * shares.sum(axis=1) / (both > 0).sum(axis=1))


def _sums(of: Array, counts: Array, classes: int) -> Array:
    """`counts` [rows, cells] added up by the class of each cell: [rows, classes]."""
    import numpy as np

    order = np.argsort(of, kind="stable")
    present, starts = np.unique(of[order], return_index=True)
    sums = np.zeros((len(counts), classes), counts.dtype)
    sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums


def _percentiles(values: Array) -> tuple[float, float]:
    import numpy as np

    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
