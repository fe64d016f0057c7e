"""PPO (Schulman et al. 2017, arXiv 1707.06347): the clipped objective, with a critic beside it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from edgekit.training.experience import Advantages, Rollouts
from edgekit.training.objectives import Objective, Play, as_float

_CLIP = 0.2  # how far a chance may move from what it was, as a share of it
_ENTROPY = 0.01
_WORTH = 100.0  # unit of the critic: returns are tens to hundreds


def objective(recipe: Any, classes: int) -> Objective:
    """What edgekit asks a folder for."""
    return Clipped(recipe, classes)


class Clipped(Objective):
    """Advantages times the change of an action's chance, no further than the clip."""

    def experience(self, policy: Any, dataset: Any, *, seed: int) -> Rollouts:
        return Rollouts(
            policy,
            lambda states: _WORTH * self._worth(tf.constant(states)).numpy(),
            dataset.world(),
            seed=seed,
            advantages=Advantages(discount=0.99, decay=0.95),
        )

    def companions(self, model: keras.Model) -> list[keras.Model]:
        state = keras.Input(model.input_shape[1:])
        x = layers.Rescaling(model.get_layer("normalise").scale)(state)
        for width in (64, 64):
            x = layers.Dense(width, activation="tanh")(x)
        self._critic = keras.Model(state, layers.Dense(1)(x)[:, 0])
        self._worth = tf.function(lambda states: self._critic(states, training=False))
        return [self._critic]

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        outputs = as_float(model(inputs, training=True))
        apart = self._critic(inputs, training=True) - labels[:, 2] / _WORTH
        shown = self.loss(outputs, labels)
        return [Play(shown, [model]), Play(tf.reduce_mean(apart**2), [self._critic])], outputs

    def loss(self, outputs: Any, labels: Any) -> Any:
        shares = tf.nn.log_softmax(outputs[0])
        taken = tf.gather(shares, tf.cast(labels[:, 0], tf.int32), batch_dims=1)
        ratio, advantage = tf.exp(taken - labels[:, 3]), labels[:, 1]
        clipped = tf.clip_by_value(ratio, 1 - _CLIP, 1 + _CLIP)
        gain = tf.minimum(ratio * advantage, clipped * advantage)
        entropy = -tf.reduce_sum(tf.exp(shares) * shares, axis=1)
        return -tf.reduce_mean(gain + _ENTROPY * entropy)

    def validation_loss(self, outputs: Any, labels: Any) -> float:
        return 0.0  # states alone have none: the return says how good the policy is
