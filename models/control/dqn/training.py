"""Q-learning from transitions that are kept, towards a network that follows slowly.

Mnih et al. 2015, doi:10.1038/nature14236; the target's action is chosen by the network under
training (double Q-learning: van Hasselt et al. 2016, arXiv 1509.06461), and the target follows it
smoothly (Lillicrap et al. 2016, arXiv 1509.02971) in place of a copy now and then.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from edgekit.training.experience import Replay
from edgekit.training.objectives import Objective, Play, as_float

_DISCOUNT = 0.99
_FOLLOWING = 0.01  # of the way to the network, each step
_CHANCE = (1.0, 0.05)  # random actions, first and last
_EXPLORING = 1000  # time steps of a lane from one to the other


def objective(recipe: Any, classes: int) -> Objective:
    """What edgekit asks a folder for."""
    return DoubleQ(recipe, classes)


def _chance(step: int) -> float:
    first, last = _CHANCE
    return max(last, first + (last - first) * step / _EXPLORING)


class DoubleQ(Objective):
    """Huber loss of what an action is worth, against reward and the next state's worth."""

    def experience(self, policy: Any, dataset: Any, *, seed: int) -> Replay:
        return Replay(policy, dataset.world(), seed=seed, chance=_chance)

    def companions(self, model: keras.Model) -> list[keras.Model]:
        self._target = keras.models.clone_model(model)
        self._target.set_weights(model.get_weights())
        self._target.trainable = False
        return [self._target]

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        outputs = as_float(model(inputs, training=True))
        for slow, fast in zip(self._target.weights, model.weights, strict=True):
            slow.assign_add(_FOLLOWING * (fast.value - slow.value))
        following = labels[:, 3:]
        best = tf.argmax(model(following, training=False), axis=1)
        worth = tf.gather(self._target(following, training=False), best, batch_dims=1)
        wanted = labels[:, 1] + _DISCOUNT * (1 - labels[:, 2]) * worth
        return [Play(self._huber(outputs, labels, tf.stop_gradient(wanted)), [model])], outputs

    def loss(self, outputs: Any, labels: Any) -> Any:
        return self._huber(outputs, labels, labels[:, 1])

    def _huber(self, outputs: Any, labels: Any, wanted: Any) -> Any:
        taken = tf.gather(outputs[0], tf.cast(labels[:, 0], tf.int32), batch_dims=1)
        apart = tf.abs(taken - wanted)
        return tf.reduce_mean(tf.where(apart < 1, 0.5 * apart**2, apart - 0.5))

    def validation_loss(self, outputs: Any, labels: Any) -> float:
        return 0.0  # states alone have none: the return says how good the policy is
