"""How `stylegan` is trained: a residual critic, punished for steep opinions (arXiv 1912.04958)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from edgekit.training.objectives.adversarial import Adversarial, steepness
from edgekit.training.recipe import Recipe

_WIDTH = 24
_GROUP = 4  # pictures whose spread the critic sees
_STEEP = 0.1  # half of γ


def objective(recipe: Recipe, classes: int) -> Adversarial:
    """The critic's and the generator's losses."""
    return AgainstCritic(recipe, classes)


class AgainstCritic(Adversarial):
    """Residual blocks of halvings, leaky ReLU, no normalisation; R₁.

    The penalty is paid at every step, for the paper's every sixteenth.
    """

    def critic(self, shape: Sequence[int]) -> keras.Model:
        picture = keras.Input(shape, name="picture")
        x = layers.Conv2D(_WIDTH, 3, 2, "same")(layers.Rescaling(2.0, offset=-1.0)(picture))
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        for maps in (2 * _WIDTH, 4 * _WIDTH):
            short = layers.Conv2D(maps, 1, use_bias=False)(layers.AveragePooling2D(2)(x))
            x = layers.LeakyReLU(negative_slope=0.2)(layers.Conv2D(maps, 3, 2, "same")(x))
            x = layers.Rescaling(2**-0.5)(layers.Add()([short, x]))
        x = layers.Flatten()(SpreadOfBatch()(x))
        x = layers.Dense(64)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        return keras.Model(picture, layers.Dense(1)(x), name="critic")

    def penalty(self, critic: keras.Model, real: Any) -> Any:
        return _STEEP * steepness(critic, real)


class SpreadOfBatch(layers.Layer):
    """One more channel: by how much the pictures of a group differ (arXiv 1710.10196, section 3).

    By it the critic tells a generator that makes the same picture again and again.
    """

    def call(self, inputs: Any) -> Any:
        groups = tf.reshape(inputs, [-1, _GROUP, *inputs.shape[1:]])
        spread = tf.sqrt(tf.math.reduce_variance(groups, axis=1) + 1e-8)
        mean = tf.reduce_mean(spread, axis=(1, 2, 3))
        channel = tf.repeat(mean, _GROUP)[:, None, None, None]
        return tf.concat([inputs, tf.ones_like(inputs[..., :1]) * channel], axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], shape[-1] + 1)
