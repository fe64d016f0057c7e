"""How the DDPM is trained: mean squared error of the noise, another noise each time (algorithm 1).

The data set gives each picture at one time with one noise. The picture follows from them, and is
mixed anew, so that a few thousand pictures are as many samples as there are steps.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from edgekit.datasets.glyph_samples import TIMES
from edgekit.generating.diffusion import kept_signal
from edgekit.training.objectives import Objective, Play
from edgekit.training.objectives.regression import Regression


def objective(recipe: Any, classes: int) -> Objective:
    """What `edgekit train` minimizes."""
    return Denoising(recipe, classes)


class Denoising(Regression):
    """Mean squared error of the noise, drawn anew for each batch."""

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        noisy, time = inputs
        share = self._share(time)
        pictures = (noisy - tf.sqrt(1 - share) * labels) / tf.sqrt(share)
        # The batch itself is the seed: a training that goes on draws what it would have drawn.
        seed = tf.bitcast(tf.reshape(labels, [-1])[:2], tf.int32)
        time = tf.random.stateless_uniform(tf.shape(time), seed, 0, TIMES, time.dtype)
        noise = tf.random.stateless_normal(tf.shape(labels), seed)
        share = self._share(time)
        noisy = tf.sqrt(share) * tf.clip_by_value(pictures, -1, 1) + tf.sqrt(1 - share) * noise
        return super().plays(model, (noisy, time), noise)

    def _share(self, time: Any) -> Any:
        kept = tf.constant(kept_signal(TIMES), tf.float32)
        return tf.reshape(tf.gather(kept, time), [-1, 1, 1, 1])
