"""Fit a linear classifier to few vectors, at once: logistic regression by Newton's method.

What a network that was trained once cannot know (which thing is to be followed) is learned from its
features where they are. The same vectors give the same weights. Knows numbers only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_STEPS = 8  # Newton's method doubles the right digits with each
_RIDGE = 0.02  # of the mean square of a vector's values


def fit_two_classes(vectors: Array, wanted: Array) -> Array:
    """Weights of a logistic regression; both classes count alike, however many of each there are.

    Minimizes the mean cross entropy of both and a ridge on all weights but the last, which is as
    strong as the vectors are long: scaling them changes no answer.

    Args:
        vectors: [N, D], finite.
        wanted: bool [N]; both occur.

    Returns:
        float64 [D + 1]; the last is added to the product. Above 0 is `wanted`.
    """
    import numpy as np

    rows = np.asarray(vectors, np.float64).reshape(len(vectors), -1)
    unit = max(float(np.sqrt((rows**2).mean())), 1e-12)
    rows = np.concatenate([rows / unit, np.ones((len(rows), 1))], axis=1)
    truth = np.asarray(wanted, bool)
    share = np.where(truth, 0.5 / max(truth.sum(), 1), 0.5 / max((~truth).sum(), 1))
    ridge = np.full(rows.shape[1], _RIDGE)
    ridge[-1] = 1e-6  # where all vectors are alike, any constant would do
    weights = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (share * (chance - truth)) + ridge * weights
        bend = (rows.T * (share * np.maximum(chance * (1 - chance), 1e-6))) @ rows
        weights = weights - np.linalg.solve(bend + np.diag(ridge), slope)
    weights[:-1] /= unit
    return weights


def scores(vectors: Array, weights: Array) -> Array:
    """How far each of `vectors` [N, D] is on the wanted side: float64 [N], 0 in between."""
    import numpy as np

    rows = np.asarray(vectors, np.float64).reshape(len(vectors), -1)
    return np.asarray(rows @ weights[:-1] + weights[-1])
