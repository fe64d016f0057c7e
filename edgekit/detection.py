"""From a detector's raw outputs to objects, step by step, to be done alike in any language.

One picture at a time. Input: `boxes` float32 [A, 4], left, top, right and bottom as parts of the
model's input, and `scores` float32 [A, C], logits. All arithmetic is in float64.

1. The score of class c at place a is 1 / (1 + exp(−scores[a, c])). Every pair (a, c) whose score is
   at least `threshold` is a candidate.
2. Candidates are put in order: higher scores first; equal scores by lower a, then by lower c. The
   first `candidates` of them stay.
3. Their boxes are cut to 0–1. Those then without width or height go.
4. From the first to the last, a candidate becomes an object unless an object of its class already
   overlaps it by an IoU above `overlap` (greedy suppression, class by class).
5. The first `most` objects are the answer.

The boxes are parts of the model's input. Where pictures are letterboxed, the `Fit` of
`edgekit.datasets.images` maps them to the picture: x' = (x · input width − left) / width, and y
alike. After that, cut to 0–1 and times its size in pixels, they can be drawn.

`tests/golden/detection.json` holds inputs and what must come out of them.

Knows arrays of one picture. Does not know models, files or metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# What an app shows; a metric wants all that may count, see `edgekit.metrics.detection`.
THRESHOLD = 0.25
OVERLAP = 0.6
MOST = 100
CANDIDATES = 1000

_OUTPUTS = {"boxes", "scores"}
_CHOSEN = ("boxes", "scores", "classes")


def gives_objects(outputs: Sequence[str]) -> bool:
    """Whether outputs of these names are what `decode` takes."""
    return len(outputs) == len(_OUTPUTS) and set(outputs) == _OUTPUTS


def gives_chosen(outputs: Sequence[str]) -> bool:
    """Whether outputs of these names are objects that the graph itself has chosen."""
    return tuple(outputs) == _CHOSEN


@dataclass(frozen=True, slots=True)
class Objects:
    """What was found in one picture, best first.

    Attributes:
        boxes: float32 [K, 4], left, top, right, bottom in 0–1.
        scores: float32 [K], 0–1.
        classes: int64 [K].
    """

    boxes: Array
    scores: Array
    classes: Array

    def __len__(self) -> int:
        return len(self.scores)


def objects_of(
    outputs: Sequence[Array], *, threshold: float = THRESHOLD, most: int = MOST
) -> Objects:
    """The objects in a picture, of a model that leaves choosing to the app or does it itself.

    Args:
        outputs: `boxes` and `scores` as `decode` takes them; or `boxes` [K, 4], `scores` [K] in 0–1
            and `classes` [K] that were chosen in the graph.
        threshold: Lowest score, 0–1.
        most: At most so many objects.
    """
    import numpy as np

    if len(outputs) == 2:
        return decode(outputs[0], outputs[1], threshold=threshold, most=most)
    boxes, scores, classes = outputs
    found = np.flatnonzero(scores >= threshold)
    found = found[np.argsort(-scores[found], kind="stable")][:most]
    return Objects(boxes[found], scores[found], np.rint(classes[found]).astype(np.int64))


def decode(
    boxes: Array,
    scores: Array,
    *,
    threshold: float = THRESHOLD,
    overlap: float = OVERLAP,
    most: int = MOST,
    candidates: int = CANDIDATES,
) -> Objects:
    """The objects in a picture; the module says how.

    Args:
        boxes: [A, 4] as the model gives them.
        scores: [A, C], logits.
        threshold: Lowest score, 0–1.
        overlap: Highest IoU of two objects of a class.
        most: At most so many objects.
        candidates: At most so many pairs are looked at.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        chances = 1 / (1 + np.exp(-scores.astype(np.float64)))
    places, classes = np.nonzero(chances >= threshold)
    # Stable, and np.nonzero goes row by row: ties stay in order of place and class.
    order = np.argsort(-chances[places, classes], kind="stable")[:candidates]
    places, classes = places[order], classes[order]
    cut = np.clip(boxes[places].astype(np.float64), 0.0, 1.0)
    real = (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])
    places, classes, cut = places[real], classes[real], cut[real]
    kept = suppress(cut, classes, overlap, most=most)
    return Objects(
        boxes=cut[kept].astype(np.float32),
        scores=chances[places[kept], classes[kept]].astype(np.float32),
        classes=classes[kept].astype(np.int64),
    )


def suppress(boxes: Array, classes: Array, overlap: float, *, most: int | None = None) -> Array:
    """Greedy suppression: indices, rising, of the boxes that stay.

    Args:
        boxes: float64 [N, 4], best first.
        classes: [N]; boxes of different classes don't see each other.
        overlap: Highest IoU that two of a class may have.
        most: The first so many that stay; None for all.
    """
    import numpy as np

    kept: list[int] = []
    left = np.arange(len(boxes))
    # Overlaps with those that stay only: all with all would be a million of a thousand boxes.
    while len(left) and (most is None or len(kept) < most):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        overlaps = box_overlaps(boxes[best : best + 1], boxes[left])[0]
        left = left[(overlaps <= overlap) | (classes[left] != classes[best])]
    return np.array(kept, np.int64)


def box_overlaps(one: Array, other: Array) -> Array:
    """IoU of every box of `one` [N, 4] with every one of `other` [M, 4]: [N, M]; empty ones 0."""
    import numpy as np

    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    area, other_area = ((b[:, 2:] - b[:, :2]).prod(axis=1) for b in (one, other))
    union = area[:, None] + other_area[None, :] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))
