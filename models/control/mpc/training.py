"""A learned model of the world, a planner that imagines with it, and a policy that imitates both.

Nagabandi et al. 2018, arXiv 1708.02596. The model learns changes of states in units of their own
deviations, from transitions of chance first and then of the policy, whose states the planner says
the right action for (Ross et al. 2011, arXiv 1011.0686). Smaller here: plans are not drawn at
random but all that there are of four decisions, each held for three time steps; and the policy is
not trained further without the model.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from edgekit.training.experience import Replay
from edgekit.training.objectives import Objective, Play, as_float

_FIRST = 2000  # transitions of chance
_CHANCE = 0.1  # random actions after them
_DECISIONS, _HELD = 4, 3
# How far position and angle of CartPole may be from 0 before the episode is over: a plan costs the
# squares of their shares of that, added up over its time. Speeds cost nothing.
_LIMITS = (2.4, np.inf, 0.2095, np.inf)


def objective(recipe: Any, classes: int) -> Objective:
    """What edgekit asks a folder for."""
    return Planned(recipe, classes)


class Planned(Objective):
    """Cross entropy of the policy with the planner's action; squared error of imagined changes."""

    def experience(self, policy: Any, dataset: Any, *, seed: int) -> Replay:
        world = dataset.world()
        return Replay(policy, world, seed=seed, chance=lambda _: _CHANCE, first=_FIRST, lanes=4)

    def companions(self, model: keras.Model) -> list[keras.Model]:
        size = model.input_shape[-1]
        state, action = keras.Input((size,)), keras.Input((self.classes,))
        x = layers.Concatenate()([state, action])
        for _ in range(2):
            x = layers.Dense(64, activation="relu")(x)
        self._world = keras.Model([state, action], layers.Dense(size)(x))
        return [self._world]

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        taken = tf.one_hot(tf.cast(labels[:, 0], tf.int32), self.classes)
        change = labels[:, 3:] - inputs
        unit = tf.math.reduce_std(change, axis=0) + 1e-6
        error = (self._world([inputs, taken], training=True) - change) / unit
        outputs = as_float(model(inputs, training=True))
        best = tf.argmax(self._plan(inputs), axis=1)
        unlike = keras.losses.sparse_categorical_crossentropy(best, outputs[0], from_logits=True)
        return [
            Play(tf.reduce_mean(unlike), [model]),
            Play(tf.reduce_mean(tf.square(error)), [self._world]),
        ], outputs

    def _plan(self, states: Any) -> Any:
        """Of each action, the least cost of a plan that begins with it, negative: [B, classes]."""
        plans = np.array(list(product(range(self.classes), repeat=_DECISIONS)))
        count = tf.shape(states)[0]
        imagined = tf.repeat(states, len(plans), axis=0)
        cost = tf.zeros(tf.shape(imagined)[0])
        for decision in range(_DECISIONS):
            actions = tf.one_hot(tf.tile(plans[:, decision], [count]), self.classes)
            for _ in range(_HELD):
                imagined += self._world([imagined, actions], training=False)
                cost += tf.reduce_sum(tf.square(imagined / np.float32(_LIMITS)), axis=1)
        # The first action changes slowest.
        return -tf.reduce_min(tf.reshape(cost, (count, self.classes, -1)), axis=2)

    def loss(self, outputs: Any, labels: Any) -> Any:
        best = tf.cast(labels[:, 0], tf.int32)
        return tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(best, outputs[0], from_logits=True)
        )

    def validation_loss(self, outputs: Any, labels: Any) -> float:
        return 0.0  # states alone have none: the return says how good the policy is
