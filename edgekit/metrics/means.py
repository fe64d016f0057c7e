"""Figures that are the mean of one number a sample: right steps, bits, decibels.

A sample is what is drawn: the steps of one window, or the pixels of one picture, are not
independent of each other. Intervals are percentiles of a bootstrap of samples (Efron 1979,
doi:10.1214/aos/1176344552).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError, DataError
from edgekit.metrics.base import POINTS, Gap, Judged, Metric, Scale, p_of_permutations, percentiles
from edgekit.metrics.resampling import PERMUTATIONS, RESAMPLES, parts

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_AT_ONCE = 32  # samples
_LEAST_ERROR = 1e-10  # of a mean square: 100 dB


def right_steps(logits: Array, labels: Array) -> Array:
    """Per sample, how much of its steps is right, in points: float64 [N], NaN where none counts.

    Args:
        logits: [N, ..., classes].
        labels: [N, ...] classes; −1 where a step does not count.
    """
    return _mean_where(100.0 * (logits.argmax(axis=-1) == labels), labels >= 0)


def bits(logits: Array, labels: Array) -> Array:
    """Per sample, the mean of −log2 of what the right classes were given: float64 [N].

    Args:
        logits: [N, ..., classes], before a softmax.
        labels: [N, ...]; −1 where a step does not count.
    """
    import numpy as np

    # A sample of many steps and classes is large, and all are so in double: some at a time.
    ends = range(0, len(logits), _AT_ONCE)
    parts = [_bits(logits[at : at + _AT_ONCE], labels[at : at + _AT_ONCE]) for at in ends]
    return np.concatenate(parts)


def _bits(logits: Array, labels: Array) -> Array:
    import numpy as np

    values = logits.astype(np.float64)
    values = values - values.max(axis=-1, keepdims=True)
    total = np.log(np.exp(values).sum(axis=-1))
    own = np.take_along_axis(values, np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
    return _mean_where((total - own) / np.log(2), labels >= 0)


def peak_signal_to_noise(outputs: Array, labels: Array) -> Array:
    """Per sample, 10 · log10(1 / mean squared error), in decibels: float64 [N], at most 100.

    Args:
        outputs: [N, ...] in 0–1.
        labels: What they should be, alike.
    """
    import numpy as np

    apart = outputs.astype(np.float64).reshape(labels.shape) - labels
    error = (apart**2).reshape(len(labels), -1).mean(axis=1)
    return np.asarray(-10 * np.log10(np.maximum(error, _LEAST_ERROR)))


def _mean_where(values: Array, counted: Array) -> Array:
    """Mean over all axes but the first of what counts; NaN where nothing does."""
    import numpy as np

    flat, where = values.reshape(len(values), -1), counted.reshape(len(values), -1)
    count = where.sum(axis=1)
    sums = np.where(where, flat, 0.0).sum(axis=1)
    out = np.full(len(values), np.nan)
    return np.asarray(np.divide(sums, count, out=out, where=count > 0))


class SampleMean(Metric):
    """The mean over samples of one number each.

    Args:
        name: Of the metric.
        task: See `Metric`.
        of: (first output [N, ...], labels [N, ...]) → float64 [N]; NaN where a sample has none.
        scale: What it counts in.
    """

    interval = f"bootstrap of samples, percentiles of {RESAMPLES:,}"
    paired_interval = f"paired bootstrap of samples, percentiles of {RESAMPLES:,}"
    test = f"paired permutation test, {PERMUTATIONS:,} drawn"

    def __init__(
        self, name: str, task: str, of: Callable[[Any, Any], Any], scale: Scale = POINTS
    ) -> None:
        self.name = name
        self.task = task
        self.scale = scale
        self._of = of

    def judge(self, outputs: Sequence[Array], labels: Array) -> Judged:
        import numpy as np

        values = self._of(outputs[0], labels)
        values = values[~np.isnan(values)]
        if not len(values):
            raise DataError(f"{self.name}: no sample counts for it")
        return Judged(len(values), np.clip(values, self.scale.lowest, self.scale.highest))

    def recall(self, marks: Array, labels: Array) -> Judged:
        import numpy as np

        fits = marks.dtype == np.float64 and marks.ndim == 1 and 1 <= len(marks) <= len(labels)
        if not fits or not np.isfinite(marks).all():
            raise ArtifactError(f"{marks.dtype} {list(marks.shape)} is no {self.name} of each")
        return Judged(len(marks), marks)

    def figure(self, judged: Judged) -> tuple[float, tuple[float, float]]:
        values = _values(judged)
        value = float(values.mean())
        return value, percentiles(_resampled(values), value)

    def gap(self, first: Judged, second: Judged) -> Gap:
        before, after = _values(first), _values(second)
        apart = after - before
        better = self.scale.better * apart
        return Gap(
            float(before.mean()),
            float(after.mean()),
            percentiles(_resampled(apart), float(after.mean()) - float(before.mean())),
            lost=int((better < 0).sum()),
            won=int((better > 0).sum()),
        )

    def p_value(self, first: Judged, second: Judged) -> float:
        import numpy as np

        apart = _values(second) - _values(first)
        permuted = np.empty(PERMUTATIONS)
        random = np.random.Generator(np.random.Philox(key=(6, len(apart))))
        for part in parts(PERMUTATIONS, len(apart)):
            exchanged = random.integers(0, 2, (part.stop - part.start, len(apart)), np.int8)
            permuted[part] = (1 - 2.0 * exchanged) @ apart / len(apart)
        return p_of_permutations(float(apart.mean()), permuted)


def _values(judged: Judged) -> Array:
    assert judged.marks is not None  # each sample has one
    return judged.marks


def _resampled(values: Array) -> Array:
    """Means of seeded bootstrap resamples: float64 [RESAMPLES]."""
    import numpy as np

    count = len(values)
    found = np.empty(RESAMPLES)
    random = np.random.Generator(np.random.Philox(key=(5, count)))
    for part in parts(RESAMPLES, count):
        drawn = random.integers(0, count, (part.stop - part.start, count))
        found[part] = values[drawn].mean(axis=1)
    return found
