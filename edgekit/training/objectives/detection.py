"""Boxes and their classes at many places: task-aligned assignment, CIoU, varifocal loss.

Feng et al. 2021, TOOD (arXiv 2108.07755) for which place learns which object and how sure it
should be; Zheng et al. 2020 (arXiv 1911.08287) for the loss of boxes; Zhang et al. 2021 (arXiv
2008.13367) for the one of classes. Everything is TensorFlow operators on static shapes: B pictures,
M rows of labels, A places, C classes. Boxes are left, top, right, bottom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.training.objectives.base import Objective
from edgekit.training.pictures_detection import draw_objects, draw_precision_recall

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Finest first, as the places of a detector lie.
STRIDES = (8, 16, 32)

# alignment = score^0.5 · IoU^6, and ten places an object: as in YOLOv8; TOOD has 1, 6 and 13.
_SCORE_POWER = 0.5
_IOU_POWER = 6.0
_PLACES_PER_OBJECT = 10
_BOX_WEIGHT = 5.0
# Of a place without an object, weighed by its score squared: with plain cross entropy the many
# empty places keep the scores of a rare class near zero for most of a short training.
_EMPTY_WEIGHT = 0.75
_MOST_BALANCE = 10.0
_TINY = 1e-9
_CHUNK = 64


class Detection(Objective):
    """Loss of a detector with the outputs boxes [B, A, 4] in 0–1 and scores [B, A, C], logits.

    The A places are the cells of a square picture at strides 8, 16 and 32, finest first and row by
    row; the picture's size follows from A.
    """

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        boxes, logits = outputs
        wanted, shares = assign(
            tf.stop_gradient(boxes),
            tf.stop_gradient(tf.sigmoid(logits)),
            labels,
            tf.constant(place_centres(boxes.shape[1])),
        )
        balance = class_balance(shares)
        weights = tf.reduce_sum(shares * balance, axis=-1)
        total = tf.maximum(tf.reduce_sum(weights), 1.0)
        empty = _EMPTY_WEIGHT * tf.stop_gradient(tf.sigmoid(logits)) ** 2
        classes = tf.nn.sigmoid_cross_entropy_with_logits(shares, logits)
        # At an object's place wrong classes count as much as the right one: weighed by their own
        # low scores they would hardly be learned apart where only a detail tells them.
        taken = tf.reduce_max(shares, axis=-1, keepdims=True)
        classes *= tf.where(taken > 0, taken, empty) * balance
        places = weights * (1 - overlap(boxes, wanted, complete=True))
        return (tf.reduce_sum(classes) + _BOX_WEIGHT * tf.reduce_sum(places)) / total

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        draw_objects(inputs, labels, outputs, classes, folder / "predictions.png")
        draw_precision_recall(labels, outputs, classes, folder / "pr.png")

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        import tensorflow as tf

        total = 0.0
        for at in range(0, len(labels), _CHUNK):
            some = [tf.constant(array[at : at + _CHUNK], tf.float32) for array in outputs]
            few = tf.constant(labels[at : at + _CHUNK], tf.float32)
            total += float(self.loss(some, few)) * len(few)
        return total / len(labels)


def place_centres(count: int) -> Array:
    """Centres of `count` places, x and y in 0–1: float32 [count, 2]; see `Detection`.

    Raises:
        ModelError: No square picture has so many.
    """
    import numpy as np

    coarsest = STRIDES[-1]
    per_cell = sum((coarsest // stride) ** 2 for stride in STRIDES)
    side = math.isqrt(count // per_cell)
    if per_cell * side**2 != count:
        raise ModelError(
            f"a detector with {count} places: its grids of strides {STRIDES} over a square picture "
            f"have {per_cell} · n² places",
            hint="boxes [N, places, 4], finest stride first, as in models/object-detection/yolo",
        )
    centres = []
    for stride in STRIDES:
        cells = side * coarsest // stride
        y, x = np.divmod(np.arange(cells**2), cells)
        centres.append((np.stack([x, y], axis=1) + 0.5) / cells)
    return np.concatenate(centres).astype(np.float32)


def assign(boxes: Any, scores: Any, labels: Any, centres: Any) -> tuple[Any, Any]:
    """Which place learns which object (TOOD, section 3.2).

    Args:
        boxes: [B, A, 4] as predicted.
        scores: [B, A, C], 0–1.
        labels: [B, M, 5] class, left, top, right, bottom; class −1 where there is no object.
        centres: [A, 2] of the places.

    Returns:
        Boxes wanted [B, A, 4]; and shares of classes wanted [B, A, C], all 0 at places that learn
        no box.
    """
    import tensorflow as tf

    classes = tf.cast(labels[..., 0], tf.int32)
    objects = labels[..., 1:]
    kinds = tf.one_hot(classes, scores.shape[-1])  # a row of zeros for −1
    iou = tf.maximum(overlap(boxes[:, None], objects[:, :, None]), 0.0)
    own_scores = tf.einsum("bmc,bac->bma", kinds, scores)
    possible = _inside(centres, objects) & (classes >= 0)[..., None]
    alignment = own_scores**_SCORE_POWER * iou**_IOU_POWER
    alignment = tf.where(possible, alignment + _TINY * iou, 0.0)
    best = tf.math.top_k(alignment, min(_PLACES_PER_OBJECT, alignment.shape[-1])).values
    chosen = (alignment >= best[..., -1:]) & (alignment > 0)
    # A place between several objects learns the one that it covers best.
    owner = tf.argmax(tf.where(chosen, iou, -1.0), axis=1)
    mine = tf.one_hot(owner, labels.shape[1], axis=1, on_value=True, off_value=False) & chosen
    alignment = tf.where(mine, alignment, 0.0)
    highest = tf.reduce_max(alignment, axis=-1, keepdims=True)
    covered = tf.reduce_max(tf.where(mine, iou, 0.0), axis=-1, keepdims=True)
    strength = tf.math.divide_no_nan(alignment, highest) * covered
    shares = tf.einsum("bma,bmc->bac", strength, kinds)
    return tf.gather(objects, owner, batch_dims=1), shares


def class_balance(shares: Any) -> Any:
    """How much each class counts: [C], 1 for the one with the most in a batch.

    Mean average precision counts every class alike. Large and frequent objects would have nearly
    all of the loss (of blood cells, red ones ninety times that of platelets); with the root of the
    ratio they still have most of it, and a few samples of a class do not move the weights by leaps.

    Args:
        shares: [B, A, C] as `assign` gives them.
    """
    import tensorflow as tf

    totals = tf.reduce_sum(shares, axis=[0, 1])
    most = tf.reduce_max(totals)
    ratio = most / tf.maximum(totals, tf.maximum(most, _TINY) / _MOST_BALANCE**2)
    return tf.where(totals > 0, tf.sqrt(ratio), 1.0)


def _inside(centres: Any, objects: Any) -> Any:
    """bool [B, M, A]: whether a place lies in an object; those too small for any get some too."""
    import tensorflow as tf

    finest = centres[1, 0] - centres[0, 0]
    middle = (objects[..., :2] + objects[..., 2:]) / 2
    reach = tf.maximum((objects[..., 2:] - objects[..., :2]) / 2, 0.75 * finest)
    away = tf.abs(centres[None, None] - middle[:, :, None])
    return tf.reduce_all(away < reach[:, :, None], axis=-1)


def overlap(one: Any, other: Any, *, complete: bool = False) -> Any:
    """IoU of boxes [..., 4], broadcast; with `complete`, CIoU: less for centres and shapes apart.

    Args:
        one: Predicted; its sides may be negative.
        other: Wanted.
        complete: Subtract the penalties of arXiv 1911.08287.
    """
    import tensorflow as tf

    low = tf.maximum(one[..., :2], other[..., :2])
    high = tf.minimum(one[..., 2:], other[..., 2:])
    common = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
    size = tf.maximum(one[..., 2:] - one[..., :2], 1e-6)
    other_size = tf.maximum(other[..., 2:] - other[..., :2], 1e-6)
    union = tf.reduce_prod(size, axis=-1) + tf.reduce_prod(other_size, axis=-1) - common
    iou = common / tf.maximum(union, _TINY)
    if not complete:
        return iou
    around = tf.maximum(one[..., 2:], other[..., 2:]) - tf.minimum(one[..., :2], other[..., :2])
    apart = one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]
    diagonal = tf.maximum(tf.reduce_sum(around**2, axis=-1), _TINY)
    distance = tf.reduce_sum(apart**2, axis=-1) / 4 / diagonal
    angles = [tf.atan(sides[..., 0] / sides[..., 1]) for sides in (size, other_size)]
    shape = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
    weight = tf.stop_gradient(shape / tf.maximum(1 - iou + shape, _TINY))
    return iou - distance - weight * shape
