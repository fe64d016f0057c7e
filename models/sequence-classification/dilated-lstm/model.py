"""Dilated LSTMs (Chang et al. 2017, arXiv 1710.02224): connections that skip steps in time.

Layer l goes on from the state of 2^l steps before, not of the step before, so a few layers reach
far back over short ways. As in the paper's figure 2, each layer runs on 2^l interleaved
subsequences side by side. The top layer's last step tells the class; four layers here, nine there.
A convolution of stride 4 in front, which the paper does not have, leaves a quarter of the steps.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(
    classes: int,
    length: int = 64,
    channels: int = 6,
    units: int = 32,
    depth: int = 4,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Classifier of windows of readings with logits out.

    Args:
        classes: Outputs.
        length: Steps of a window, a multiple of 2^(depth + 1).
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        units: Length of each layer's state.
        depth: Layers; their dilations are 1, 2, 4, ….
        unroll: Whether the loops are written out, step by step, in Keras too; exports always are.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, classes].
    """
    if length % 2 ** (depth + 1):
        raise ValueError(f"length {length} must be a multiple of {2 ** (depth + 1)}")
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    x = layers.Conv1D(32, 7, 4, "same", activation="relu", name="stem")(x)
    for index in range(depth):
        recurrent = layers.LSTM(
            units, return_sequences=True, unroll=unroll, name=f"recurrent{index}"
        )
        if not index:
            x = recurrent(x)
            continue
        x = Apart(2**index, name=f"apart{index}")(x)
        x = Together(2**index, name=f"together{index}")(recurrent(x))
    x = Last(name="last")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(readings, layers.Dense(classes, name="logits")(x), name="dilated_lstm")


class Apart(layers.Layer):
    """Every `dilation`-th step in a sequence of its own: [N, T, C] → [N · d, T / d, C]."""

    def __init__(self, dilation: int, **options: Any) -> None:
        super().__init__(**options)
        self.dilation = dilation

    def call(self, x: Any) -> Any:
        _, steps, channels = x.shape
        x = ops.reshape(x, (-1, steps // self.dilation, self.dilation, channels))
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, steps // self.dilation, channels))


class Together(Apart):
    """The way back of `Apart`."""

    def call(self, x: Any) -> Any:
        _, steps, channels = x.shape
        x = ops.reshape(x, (-1, self.dilation, steps, channels))
        return ops.reshape(ops.transpose(x, (0, 2, 1, 3)), (-1, steps * self.dilation, channels))


class Last(layers.Layer):
    """The last step: [N, T, C] → [N, C]."""

    def call(self, x: Any) -> Any:
        return x[:, -1]
