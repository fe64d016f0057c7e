"""Mean intersection over union, as PASCAL VOC defines it (Everingham et al. 2010).

Of each class the pixels of all pictures are counted together; classes that occur neither in a label
nor in an answer do not count (doi:10.1007/s11263-009-0275-4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError
from edgekit.metrics.base import Gap, Judged, Metric, p_of_permutations, percentiles
from edgekit.metrics.resampling import PERMUTATIONS, RESAMPLES, parts

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps(Judged):
    """Pixels of each picture and class.

    Attributes:
        common: [samples, classes], pixels that label and answer both give to the class.
        either: [samples, classes], pixels that one of them does.
    """

    common: Array
    either: Array


class MeanIntersectionOverUnion(Metric):
    """IoU of each class over all pixels, averaged over classes.

    Outputs are scores [N, ..., classes], labels [N, ...], −1 where a pixel does not count.

    Args:
        name: Of the metric.
    """

    task = "segmentation"
    samples_are = "pictures"
    interval = f"bootstrap of pictures, percentiles of {RESAMPLES:,}"
    paired_interval = f"paired bootstrap of pictures, percentiles of {RESAMPLES:,}"
    test = f"paired permutation test, {PERMUTATIONS:,} drawn"

    def __init__(self, name: str) -> None:
        self.name = name

    def judge(self, outputs: Sequence[Array], labels: Array) -> Overlaps:
        import numpy as np

        count, classes = len(labels), outputs[0].shape[-1]
        answers = outputs[0].argmax(axis=-1).reshape(count, -1)
        wanted = labels.reshape(count, -1)
        # One count over all pictures at once: picture and class as one number.
        places = np.arange(count)[:, None] * classes

        def counted(which: Array, where: Array) -> Array:
            found = np.bincount((places + which)[where], minlength=count * classes)
            return found.reshape(count, classes)

        there = wanted >= 0
        common = counted(answers, there & (answers == wanted))
        either = counted(answers, there) + counted(np.maximum(wanted, 0), there) - common
        return Overlaps(count, None, common, either)

    def recall(self, marks: Array, labels: Array) -> Overlaps:
        raise ArtifactError("overlaps cannot be made of one number a picture")

    def figure(self, judged: Overlaps) -> tuple[float, tuple[float, float]]:
        value = float(_mean(judged, _once(judged.samples))[0])
        return value, percentiles(_resampled(judged), value)

    def gap(self, first: Overlaps, second: Overlaps) -> Gap:
        once = _once(first.samples)
        before, after = (float(_mean(judged, once)[0]) for judged in (first, second))
        each = [_by_picture(judged) for judged in (first, second)]
        apart = _resampled(second) - _resampled(first)
        return Gap(
            before,
            after,
            percentiles(apart, after - before),
            lost=int((each[1] < each[0]).sum()),
            won=int((each[1] > each[0]).sum()),
        )

    def p_value(self, first: Overlaps, second: Overlaps) -> float:
        import numpy as np

        once = _once(first.samples)
        observed = float(_mean(second, once)[0] - _mean(first, once)[0])
        permuted = np.empty(PERMUTATIONS)
        random = np.random.Generator(np.random.Philox(key=(8, first.samples)))
        for part in parts(PERMUTATIONS, first.samples):
            kept = random.integers(0, 2, (part.stop - part.start, first.samples)).astype(float)
            mixed = [_mixed(second, first, kept), _mixed(first, second, kept)]
            permuted[part] = mixed[0] - mixed[1]
        return p_of_permutations(observed, permuted)


def _once(samples: int) -> Array:
    import numpy as np

    return np.ones((1, samples))


def _mean(judged: Overlaps, weights: Array) -> Array:
    """The figure in points where picture i counts `weights[:, i]` times: float64 [rows]."""
    return _averaged(weights @ judged.common, weights @ judged.either)


def _mixed(one: Overlaps, other: Overlaps, kept: Array) -> Array:
    """The figure with pictures of `one` where `kept` is 1, of `other` where it is 0."""
    common = kept @ one.common + (1 - kept) @ other.common
    either = kept @ one.either + (1 - kept) @ other.either
    return _averaged(common, either)


def _averaged(common: Array, either: Array) -> Array:
    import numpy as np

    shares = np.divide(common, either, out=np.zeros(np.shape(common)), where=either > 0)
    return np.asarray(100 * shares.sum(axis=-1) / np.maximum((either > 0).sum(axis=-1), 1))


def _by_picture(judged: Overlaps) -> Array:
    return _averaged(judged.common, judged.either)


def _resampled(judged: Overlaps) -> Array:
    """Figures of seeded bootstrap resamples of pictures: float64 [RESAMPLES]."""
    import numpy as np

    count = judged.samples
    found = np.empty(RESAMPLES)
    random = np.random.Generator(np.random.Philox(key=(7, count)))
    for part in parts(RESAMPLES, count):
        rows = part.stop - part.start
        drawn = random.multinomial(count, np.full(count, 1 / count), size=rows)
        found[part] = _mean(judged, drawn.astype(float))
    return found
