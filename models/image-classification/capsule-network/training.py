"""The paper's margin loss (equation 4): how long the capsule of each class should be.

It asks no more of a capsule once it is long, or short, enough. Cross entropy would go on to make
the right one longer, and the wide ranges that come of it are what 8 bits cannot hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.training.objectives import Objective
from edgekit.training.objectives.classification import Classification

LONG, SHORT, ABSENT = 0.9, 0.1, 0.5
SCALE = 10.0  # of the logits in model.py: those of a capsule of length 1


def objective(recipe: Any, classes: int) -> Objective:
    """What edgekit asks a folder for."""
    return Margin(recipe, classes)


class Margin(Classification):
    """Squares of how far lengths are beyond a margin, those of absent classes at half weight."""

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        lengths = outputs[0] / SCALE
        mixed = labels.shape.rank == lengths.shape.rank
        present = labels if mixed else tf.one_hot(labels, lengths.shape[-1])
        missing = tf.square(tf.maximum(LONG - lengths, 0.0))
        beyond = tf.square(tf.maximum(lengths - SHORT, 0.0))
        each = present * missing + ABSENT * (1 - present) * beyond
        return tf.reduce_mean(tf.reduce_sum(each, axis=-1))

    def validation_loss(self, outputs: Sequence[Any], labels: Any) -> float:
        import numpy as np

        lengths = outputs[0].astype(np.float64) / SCALE
        present = np.eye(lengths.shape[-1])[labels]
        missing = np.maximum(LONG - lengths, 0) ** 2
        beyond = np.maximum(lengths - SHORT, 0) ** 2
        each = present * missing + ABSENT * (1 - present) * beyond
        return float(each.sum(axis=-1).mean())
