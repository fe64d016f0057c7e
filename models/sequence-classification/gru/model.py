"""Gated recurrent units (Cho et al. 2014, arXiv 1406.1078), many to one.

As Keras has them: the reset gate is applied after the product with the state (`reset_after`). The
state after the last step tells the class. A convolution of stride 2 in front, which the paper does
not have, halves the steps that are computed one after the other.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int,
    length: int = 64,
    channels: int = 6,
    units: int = 64,
    unroll: bool = False,
    dropout: float = 0.1,
) -> keras.Model:
    """Classifier of windows of readings with logits out.

    Args:
        classes: Outputs.
        length: Steps of a window, an even number.
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        units: Length of the state.
        unroll: Whether the loop is written out, step by step, in Keras too; exports always are.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, classes].
    """
    if length % 2:
        raise ValueError(f"length {length} must be even")
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    x = layers.Conv1D(32, 5, 2, "same", activation="relu", name="stem")(x)
    x = layers.GRU(units, unroll=unroll, name="recurrent")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(readings, layers.Dense(classes, name="logits")(x), name="gru")
