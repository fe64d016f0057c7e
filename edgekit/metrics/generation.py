"""Fréchet distance: how far a set of generated pictures is from a set of real ones.

Heusel et al. 2017 (arXiv 1706.08500): the squared 2-Wasserstein distance of two normal
distributions, fitted to features of either set. Their features are Inception's for photographs;
here they are those of `edgekit.metrics.features`, so figures compare among edgekit's models alone.
As theirs it shrinks with the number of samples (Chong and Forsyth 2020, arXiv 1911.07023): only
figures of equally many compare.

No picture is right or wrong by itself, yet each has its influence on the distance: how fast that
grows with the picture's share of the set. The distance plus the influences of a generated and a
real picture is what the pair is marked with. The mean of marks is the distance, and it varies with
the draw as the distance does to first order, so marks are resampled like any number a sample (the
infinitesimal jackknife: Efron 1982, doi:10.1137/1.9781611970319, chapter 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError
from edgekit.metrics.base import SCALES, Judged
from edgekit.metrics.features import features_of
from edgekit.metrics.means import SampleMean

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Of the largest eigenvalue of a covariance: what is smaller is rounding.
_NOTHING = 1e-10


class FrechetDistance(SampleMean):
    """Fréchet distance between what a model gives and the labels, both [N, side, side, channels].

    Args:
        name: Of the metric.
        task: See `Metric`.
    """

    samples_are = "pictures"
    interval = SampleMean.interval.replace("samples", "influences of pictures")
    paired_interval = SampleMean.paired_interval.replace("samples", "influences of pictures")
    enough = 500  # several for each of the 84 features

    def __init__(self, name: str, task: str = "generation") -> None:
        super().__init__(name, task, marks_of, SCALES["distance"])

    def judge(self, outputs: Sequence[Array], labels: Array) -> Judged:
        made = outputs[0]
        if made.shape != labels.shape:
            raise DataError(
                f"{self.name}: the model gives {list(made.shape[1:])}, the data set's pictures "
                f"are {list(labels.shape[1:])}"
            )
        if len(labels) < 2:
            raise DataError(f"{self.name}: one picture has no spread; at least 2 are wanted")
        return Judged(len(labels), marks_of(features_of(made), features_of(labels)))

    def figure(self, judged: Judged) -> tuple[float, tuple[float, float]]:
        value, (low, high) = super().figure(judged)
        return max(value, 0.0), (max(low, 0.0), max(high, 0.0))


def marks_of(made: Array, real: Array) -> Array:
    """The distance of two sets of features plus the influence of each pair on it: float64 [N].

    Args:
        made: float64 [N, D].
        real: float64 [N, D].
    """
    import numpy as np

    mean, covariance = fitted(made)
    other_mean, other_covariance = fitted(real)
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * _roots(values)) @ vectors.T
    back = (vectors * _inverses(_roots(values))) @ vectors.T
    values, vectors = np.linalg.eigh(root @ other_covariance @ root)
    inner = (vectors * _roots(values)) @ vectors.T
    inner_back = (vectors * _inverses(_roots(values))) @ vectors.T

    def influence(features: Array, center: Array, toward: Array, transport: Array) -> Array:
        apart = features - center
        spread = apart * (apart - apart @ transport)
        return np.asarray(2 * apart @ toward + (spread.sum(axis=1) - spread.sum(axis=1).mean()))

    # Gradients of the trace of the root are the optimal transports from one set to the other
    # (Bhatia, Jain and Lim 2019, doi:10.1016/j.exmath.2018.01.002).
    found = influence(made, mean, mean - other_mean, back @ inner @ back)
    found += influence(real, other_mean, other_mean - mean, root @ inner_back @ root)
    return found + frechet(mean, covariance, other_mean, other_covariance)


def fitted(features: Array) -> tuple[Array, Array]:
    """Mean [D] and covariance [D, D], without bias, of features [N, D]."""
    mean = features.mean(axis=0)
    apart = features - mean
    return mean, apart.T @ apart / (len(features) - 1)


def frechet(mean: Array, covariance: Array, other_mean: Array, other_covariance: Array) -> float:
    """Squared Fréchet distance of two normal distributions (Dowson and Landau 1982).

    |m − m'|² + tr(C + C' − 2 (C C')^½), doi:10.1016/0047-259X(82)90077-X. The trace of the root is
    that of (C^½ C' C^½)^½, which is symmetric: eigenvalues suffice, also where one is singular.

    Args:
        mean: [D].
        covariance: [D, D].
        other_mean: [D].
        other_covariance: [D, D].
    """
    import numpy as np

    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * _roots(values)) @ vectors.T
    shared = _roots(np.linalg.eigvalsh(root @ other_covariance @ root)).sum()
    apart = ((mean - other_mean) ** 2).sum()
    # Rounding leaves a distance of nothing a little below 0.
    return max(0.0, float(apart + np.trace(covariance) + np.trace(other_covariance) - 2 * shared))


def _roots(values: Array) -> Array:
    """Square roots of eigenvalues, 0 of those that rounding made."""
    import numpy as np

    return np.asarray(np.sqrt(np.where(values > _NOTHING * values.max(), values, 0.0)))


def _inverses(roots: Array) -> Array:
    """1 / x, and 0 for 0: what has no spread gets none by drawing again."""
    import numpy as np

    return np.asarray(np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0))
