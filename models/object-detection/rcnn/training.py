"""Both stages of Faster R-CNN at once (Ren et al. 2015, arXiv 1506.01497, sections 3.1.2 and 3.2).

Anchors learn objects of any class, and proposals, which no gradient goes through, their classes
and better boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from edgekit.training.objectives import Play, as_float
from edgekit.training.objectives.anchored import anchored_loss
from edgekit.training.objectives.detection import Detection


def objective(recipe: Any, classes: int) -> Detection:
    """What edgekit asks a folder for."""
    return TwoStages(recipe, classes)


class TwoStages(Detection):
    """The loss of proposals and that of the second head; of the second head for validation."""

    def companions(self, model: keras.Model) -> list[keras.Model]:
        inner = [model.get_layer(n).output for n in ("region_class", "places", "proposals")]
        self._whole = keras.Model(model.inputs, [*inner, *model.outputs], name="whole")
        self._anchors = model.get_layer("places").anchors
        return []

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        logits, places, proposals, boxes, scores = as_float(self._whole(inputs, training=True))
        # Whatever it is, it is an object.
        things = tf.concat([tf.minimum(labels[..., :1], 0.0), labels[..., 1:]], axis=-1)
        logits = tf.reshape(logits, (-1, self._anchors.shape[1], 1))
        regions = anchored_loss(tf.constant(self._anchors), places, logits, things)
        total = regions + anchored_loss(proposals, boxes, scores, labels)
        return [Play(total, [model])], [boxes, scores]

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        boxes, scores = outputs
        return anchored_loss(boxes, boxes, scores, labels)
