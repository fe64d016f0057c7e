"""The loss of boxes that begin as something known: anchors, proposals, windows of a picture.

What a box begins as decides which object it learns, whatever it has become; a folder's own
objective says where those come from, and adds up its stages. For detectors whose places decide by
what they predict, see `detection`.
"""

from __future__ import annotations

from typing import Any

from edgekit.training.objectives.detection import overlap

_PLACES = 5.0  # weight of boxes against classes
_BEND = 0.1  # where smooth L1 becomes straight
_TINY = 1e-6


def anchored_loss(
    before: Any,
    after: Any,
    logits: Any,
    labels: Any,
    *,
    fits: float = 0.5,
    empty: float = 0.3,
    least: float = 0.3,
    graded: bool = False,
    focus: float = 0.0,
) -> Any:
    """Cross entropy of classes and smooth L1 of boxes (Ren et al. 2015, arXiv 1506.01497).

    A box is of the object that it overlapped most to begin with. Sides are compared in parts of
    what the box began as. All empty ones count, in place of as many drawn at random.

    Args:
        before: float32 [B or 1, A, 4], left, top, right, bottom in 0–1.
        after: float32 [B, A, 4], what became of them.
        logits: float32 [B, A, C].
        labels: float32 [B, M, 5] class, left, top, right, bottom; class −1 where there is none.
        fits: IoU from which a box learns its object.
        empty: IoU below which it learns that there is none.
        least: An object that no box fits so has the best one, above this IoU.
        graded: Whether the logit learns how far the box overlaps its object now, so that the best
            of several comes first, and not just that it is one's.
        focus: Power of its own score by which an empty one counts (arXiv 1708.02002, 2008.13367).
            Above 0 what is seldom there is found sooner, but scores run high: with 2, a place that
            holds an object once in a hundred times ends with a score of 0.2.

    Returns:
        Scalar, for each box that learns an object on average.
    """
    import tensorflow as tf

    objects = labels[..., 1:]
    iou = overlap(before[:, None], objects[:, :, None])
    iou = tf.where(labels[..., :1] >= 0, iou, 0.0)  # [B, M, A]
    covered, owner = tf.reduce_max(iou, axis=1), tf.argmax(iou, axis=1)
    mine = tf.gather(objects, owner, batch_dims=1)
    highest = tf.reduce_max(iou, axis=2, keepdims=True)
    best = tf.reduce_any((iou >= highest) & (iou > least), axis=1)
    taken = tf.cast((covered >= fits) | best, tf.float32)
    nothing = tf.cast(covered < empty, tf.float32) * (1 - taken)
    kinds = tf.gather(
        tf.one_hot(tf.cast(labels[..., 0], tf.int32), logits.shape[-1]), owner, batch_dims=1
    )
    now = tf.maximum(overlap(tf.stop_gradient(after), mine), 0.0) if graded else 1.0
    weights = taken[..., None] + nothing[..., None] * tf.stop_gradient(tf.sigmoid(logits)) ** focus
    wanted = kinds * (taken * now)[..., None]
    classes = tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits) * weights
    sides = tf.maximum(before[..., 2:] - before[..., :2], _TINY)
    apart = tf.abs(after - mine) / tf.concat([sides, sides], axis=-1)
    smooth = tf.where(apart < _BEND, apart**2 / (2 * _BEND), apart - _BEND / 2)
    places = taken * tf.reduce_sum(smooth, axis=-1)
    count = tf.maximum(tf.reduce_sum(taken), 1.0)
    return (tf.reduce_sum(classes) + _PLACES * tf.reduce_sum(places)) / count
