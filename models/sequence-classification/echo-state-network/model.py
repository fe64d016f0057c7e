"""An echo state network (Jaeger and Haas 2004, doi:10.1126/science.1091277).

A random recurrent network, the reservoir, is drawn once and never trained; only a linear readout
of its states is. Its weights are sparse and scaled to a spectral radius below 1, so that what came
long ago fades; its units leak (Jaeger et al. 2007, doi:10.1016/j.neunet.2007.04.016). The readout
sees the means of the states over a few parts of the window, and is trained by gradient, not by
regression. Means of two steps in front halve the steps.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops


def build(
    classes: int,
    length: int = 64,
    channels: int = 6,
    units: int = 192,
    radius: float = 0.9,
    leak: float = 0.4,
    parts: int = 4,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Classifier of windows of readings with logits out.

    Args:
        classes: Outputs.
        length: Steps of a window, a multiple of 2 · parts.
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        units: Of the reservoir.
        radius: Largest magnitude of an eigenvalue of its recurrent weights.
        leak: Share of a unit's state that is new in every step.
        parts: Of the window, over each of which the states are averaged.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, classes].
    """
    if length % (2 * parts):
        raise ValueError(f"length {length} must be a multiple of {2 * parts}, for {parts} parts")
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    x = layers.AveragePooling1D(2, name="halve")(x)
    reservoir = Reservoir(units, radius, leak)
    x = layers.RNN(reservoir, return_sequences=True, unroll=unroll, name="recurrent")(x)
    x = layers.AveragePooling1D(length // 2 // parts, name="means")(x)
    x = layers.Flatten(name="states")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(readings, layers.Dense(classes, name="logits")(x), name="echo_state_network")


class Reservoir(layers.Layer):
    """One step of the reservoir: [N, channels] and its state [N, units] → the state after it."""

    def __init__(
        self,
        units: int,
        radius: float,
        leak: float,
        connected: float = 0.1,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.units, self.radius, self.leak = units, radius, leak
        self.connected, self.seed = connected, seed
        self.state_size = self.output_size = units

    def build(self, shape: Any) -> None:
        random = np.random.default_rng(self.seed)
        recurrent = random.uniform(-1, 1, (self.units, self.units))
        recurrent *= random.random(recurrent.shape) < self.connected
        recurrent *= self.radius / np.abs(np.linalg.eigvals(recurrent)).max()
        entering = random.uniform(-1, 1, (shape[-1], self.units))
        bias = random.uniform(-0.2, 0.2, self.units)
        self._entering, self._recurrent, self._bias = (
            self._fixed(name, values)
            for name, values in (("entering", entering), ("recurrent", recurrent), ("bias", bias))
        )

    def _fixed(self, name: str, values: Any) -> Any:
        return self.add_weight(
            shape=values.shape,
            initializer=lambda _, dtype: ops.convert_to_tensor(values, dtype),
            trainable=False,
            name=name,
        )

    def call(self, x: Any, states: Any, training: bool | None = None) -> Any:
        (state,) = states
        driven = ops.matmul(x, self._entering) + ops.matmul(state, self._recurrent) + self._bias
        state = (1 - self.leak) * state + self.leak * ops.tanh(driven)
        return state, [state]
