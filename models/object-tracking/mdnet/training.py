"""Many videos at once, each with a last layer of its own that is never exported.

Nam and Han 2016 (arXiv 1510.07945, section 3.2) take their videos in turns, one a step; here every
batch has samples of many, each judged by its own video's layer, which adds up the same gradients.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from edgekit.datasets.glyph_crops import PER_VIDEO
from edgekit.fitting import fit_two_classes, scores
from edgekit.training.objectives import Objective, Play, as_float


def objective(recipe: Any, classes: int) -> Objective:
    """What edgekit asks a folder for."""
    return ManyVideos(recipe, classes)


class ManyVideos(Objective):
    """Cross entropy of target and background, of each sample by its own video's last layer."""

    def companions(self, model: keras.Model) -> list[keras.Model]:
        videos = -(-self.recipe.train_samples // PER_VIDEO)
        video = keras.Input((), dtype="int32")
        weights = layers.Embedding(videos, model.output_shape[-1] + 1)(video)
        self._last = keras.Model(video, weights)
        return [self._last]

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        outputs = as_float(model(inputs, training=True))
        weights = self._last(labels[:, 0], training=True)
        logits = tf.reduce_sum(outputs[0] * weights[:, :-1], axis=1) + weights[:, -1]
        wanted = tf.cast(labels[:, 2], tf.float32)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits))
        return [Play(loss, [model, self._last])], outputs

    def loss(self, outputs: Any, labels: Any) -> Any:
        raise AssertionError("features alone have no loss: `plays` has the last layers")

    def validation_loss(self, outputs: Any, labels: Any) -> float:
        """Of a last layer fitted to each video's examples, over its other samples."""
        losses = []
        for video in np.unique(labels[:, 0]):
            here = labels[:, 0] == video
            features, examples, target = outputs[0][here], labels[here, 1] > 0, labels[here, 2] > 0
            if len(np.unique(target[examples])) == 2:
                weights = fit_two_classes(features[examples], target[examples])
                found = scores(features[~examples], weights)
                losses.append(np.logaddexp(0, np.where(target[~examples], -found, found)))
        return float(np.concatenate(losses).mean()) if losses else 0.0
