"""Figures of trackers of one thing: how much of its box is found, whether it is told from others.

Boxes are left, top, right, bottom, in any unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.fitting import fit_two_classes, scores

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def box_overlap(boxes: Array, labels: Array) -> Array:
    """Per sample, IoU of the box given and the one that is right, in points: float64 [N].

    Args:
        boxes: [N, 4]; those whose sides are not positive hold nothing.
        labels: [N, 4].
    """
    import numpy as np

    one, other = boxes.astype(np.float64), labels.astype(np.float64)
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    common = np.maximum(high - low, 0).prod(axis=1)
    areas = [np.maximum(b[:, 2:] - b[:, :2], 0).prod(axis=1) for b in (one, other)]
    union = areas[0] + areas[1] - common
    return np.asarray(100 * np.divide(common, union, out=np.zeros(len(one)), where=union > 0))


def fitted_hits(vectors: Array, labels: Array) -> Array:
    """Per sample, whether a classifier fitted to its video's examples is right about it. bool [N].

    That is how a tracker that learns online begins (Nam and Han 2016, arXiv 1510.07945): one
    logistic regression a video, of the vectors of its first frame's crops. In a video of whose
    examples one class is missing, nothing is right.

    Args:
        vectors: [N, D].
        labels: int64 [N, 3]: the video, whether it is an example, whether it shows the target.
    """
    import numpy as np

    found = np.zeros(len(vectors), bool)
    for video in np.unique(labels[:, 0]):
        here = labels[:, 0] == video
        examples = here & (labels[:, 1] > 0)
        target = labels[:, 2] > 0
        if len(np.unique(target[examples])) == 2:
            weights = fit_two_classes(vectors[examples], target[examples])
            found[here] = (scores(vectors[here], weights) > 0) == target[here]
    return found


def asked(_vectors: Array, labels: Array) -> Array:
    """Per sample, whether it is none of the examples of `fitted_hits`. bool [N]."""
    later: Array = labels[:, 1] == 0
    return later
