"""Right classes: top-1, top-5, in scope and out of it with Wilson intervals; F1 by bootstrap.

F1's are percentiles: in simulations BCa covers less, and drawing each class apart gains nothing.

Out of scope is the last class, "oos", by convention: what belongs to none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError, DataError
from edgekit.metrics.base import Gap, Judged, Metric, p_of_permutations, percentiles, widened
from edgekit.metrics.resampling import PERMUTATIONS, RESAMPLES, parts
from edgekit.statistics import mcnemar, paired_difference, wilson

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


# Expected one-sided differences that give an exact test six of them, the least it can call a
# difference, in 80 % of tries: P(Poisson(7.9) ≥ 6) = 0.8.
_LEAST = 7.9


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


def nearest_hits(vectors: Array, labels: Array) -> Array:
    """Per sample, whether the other one that looks most alike is of the same class. bool [N].

    Alike by the cosine of `vectors` [N, D]: rank-1 of re-identification, every sample asked for
    among all others. The first of several that are equally alike counts; a vector of zeros is like
    none.
    """
    import numpy as np

    flat = _flat(vectors).astype(np.float64)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    alike = flat @ flat.T
    np.fill_diagonal(alike, -np.inf)
    return np.asarray(labels[alike.argmax(axis=1)] == labels)


def all_right(logits: Array, labels: Array) -> Array:
    """Per sample, whether every step of `labels` [N, ...] but those of −1 is right. bool [N]."""
    import numpy as np

    right = (logits.argmax(axis=-1) == labels) | (labels < 0)
    return np.asarray(right.reshape(len(right), -1).all(axis=1))


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
        task: See `Metric`.
    """

    interval = "Wilson"
    paired_interval = "Bonett–Price"
    test = "McNemar's exact test"
    enough = 1  # both intervals hold what they promise for few samples, too

    def __init__(
        self,
        name: str,
        hits_of: Callable[[Any, Any], Any],
        among: Callable[[Any, Any], Any] | None = None,
        task: str = "classification",
    ) -> None:
        self.name = name
        self.task = task
        self._hits_of = hits_of
        self._among = among

    def judge(self, outputs: Sequence[Array], labels: Array) -> Judged:
        hits = self._hits_of(outputs[0], labels)
        if self._among is not None:
            hits = hits[self._among(outputs[0], labels)]
            if not len(hits):
                raise DataError(
                    f"{self.name}: no sample counts for it",
                    hint='out of scope is the last class, by convention named "oos"; top1 and f1 '
                    "need none",
                )
        return Judged(len(hits), hits)

    def recall(self, marks: Array, labels: Array) -> Judged:
        if marks.dtype != bool or marks.ndim != 1 or not 1 <= len(marks) <= len(labels):
            raise ArtifactError(f"{marks.dtype} {list(marks.shape)} is no right or wrong of each")
        return Judged(len(marks), marks)

    def figure(self, judged: Judged) -> tuple[float, tuple[float, float]]:
        right = int(_marks(judged).sum())
        low, high = wilson(right, judged.samples)
        return 100 * right / judged.samples, (100 * low, 100 * high)

    def gap(self, first: Judged, second: Judged) -> Gap:
        lost, won = _flips(_marks(first), _marks(second))
        n = first.samples
        low, high = paired_difference(won, lost, n)
        before, after = (100 * int(_marks(judged).sum()) / n for judged in (first, second))
        return Gap(before, after, (100 * low, 100 * high), lost, won, least=100 * _LEAST / n)

    def p_value(self, first: Judged, second: Judged) -> float:
        return mcnemar(*_flips(_marks(first), _marks(second)))


def _flips(first: Array, second: Array) -> tuple[int, int]:
    """Of right or wrong [N]: how many are right only in the first, and only in the second."""
    return int((first & ~second).sum()), int((second & ~first).sum())


def _marks(judged: Judged) -> Array:
    assert judged.marks is not None  # classes always have one number a sample
    return judged.marks


@dataclass(frozen=True, slots=True, eq=False)
class Answers(Judged):
    """The class that was answered for each sample, as `marks`, beside the right one.

    Attributes:
        labels: [samples], integers.
    """

    labels: Array


class MacroF1(Metric):
    """F1 of each class, averaged over the classes that occur as label or as answer.

    Intervals are percentiles of 1,000 seeded bootstrap resamples; a difference's of the same
    resamples of both models. Its p value is of 9,999 seeded exchanges of the two models' answers in
    a random half of the samples.

    Args:
        name: Of the metric.
    """

    interval = f"bootstrap of samples, percentiles of {RESAMPLES:,}"
    paired_interval = f"paired bootstrap of samples, percentiles of {RESAMPLES:,}"
    test = f"paired permutation test, {PERMUTATIONS:,} drawn"

    def __init__(self, name: str) -> None:
        self.name = name

    def judge(self, outputs: Sequence[Array], labels: Array) -> Answers:
        return Answers(len(labels), _flat(outputs[0]).argmax(axis=1), labels)

    def recall(self, marks: Array, labels: Array) -> Answers:
        if marks.dtype.kind not in "iu" or marks.shape != labels.shape or marks.min() < 0:
            raise ArtifactError(f"{marks.dtype} {list(marks.shape)} is no answer to each sample")
        return Answers(len(labels), marks.astype(labels.dtype), labels)

    def figure(self, judged: Answers) -> tuple[float, tuple[float, float]]:
        (value,), (values,) = self._resampled(judged)
        return value, percentiles(values, value)

    def gap(self, first: Answers, second: Answers) -> Gap:
        (before, after), (befores, afters) = self._resampled(first, second)
        answers = _marks(first), _marks(second)
        lost, won = _flips(*(mine == first.labels for mine in answers))
        n = first.samples
        ci95 = widened(
            percentiles(afters - befores, after - before),
            lost=lost,
            won=won,
            differing=int((answers[0] != answers[1]).sum()),
            samples=n,
        )
        return Gap(before, after, ci95, lost, won, least=100 * _LEAST / n)

    def p_value(self, first: Answers, second: Answers) -> float:
        import numpy as np

        cells, counts = _cells(first.labels, _marks(first), _marks(second))
        labels, mine, other = cells
        before, after = (_f1(labels, answers, counts[None])[0] for answers in (mine, other))
        permuted = np.empty(PERMUTATIONS)
        random = np.random.Generator(np.random.Philox(key=(4, first.samples)))
        twice, both = np.concatenate([labels, labels]), np.concatenate([mine, other])
        for part in parts(PERMUTATIONS, 2 * len(counts)):
            size = part.stop - part.start
            kept = random.binomial(counts, 0.5, size=(size, len(counts)))
            exchanged = _f1(twice, both, np.concatenate([kept, counts - kept], axis=1))
            permuted[part] = exchanged - _f1(
                twice, both, np.concatenate([counts - kept, kept], axis=1)
            )
        return p_of_permutations(float(after - before), permuted)

    def _resampled(self, *models: Answers) -> tuple[list[float], list[Array]]:
        """Of each model its figure, and those of the resamples, which are the same for all."""
        import numpy as np

        # What a sample adds depends on its label and answers alone: drawing N samples again is
        # drawing from these few cells by their counts.
        n = models[0].samples
        cells, counts = _cells(models[0].labels, *(_marks(judged) for judged in models))
        values = [float(_f1(cells[0], mine, counts[None])[0]) for mine in cells[1:]]
        resampled = [np.empty(RESAMPLES) for _ in models]
        random = np.random.Generator(np.random.Philox(key=(3, n)))
        for part in parts(RESAMPLES, len(counts)):
            drawn = random.multinomial(n, counts / n, size=part.stop - part.start)
            for into, mine in zip(resampled, cells[1:], strict=True):
                into[part] = _f1(cells[0], mine, drawn)
        return values, resampled


def _cells(*columns: Array) -> tuple[Array, Array]:
    """The combinations that occur in `columns`, each [N], and how often each does.

    Classes are numbered anew: those that occur nowhere cost nothing.
    """
    import numpy as np

    stacked = np.stack(columns)
    kinds = np.unique(stacked)
    cells, counts = np.unique(np.searchsorted(kinds, stacked), axis=1, return_counts=True)
    return cells, counts


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
