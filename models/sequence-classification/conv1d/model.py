"""Temporal convolutions with batch normalisation, global average pooling.

The "fully convolutional network" of Wang, Yan and Oates 2017 (arXiv 1611.06455): kernels of 8, 5
and 3 steps. Its 128, 256 and 128 filters are `width` times 1, 2 and 1 here, half of that.
"""

from __future__ import annotations

import keras
from keras import layers


def build(
    classes: int, length: int = 64, channels: int = 6, width: int = 64, dropout: float = 0.1
) -> keras.Model:
    """Classifier of windows of readings with logits out.

    Args:
        classes: Outputs.
        length: Steps of a window.
        channels: Readings a step: acceleration in g (3), rotation in radians a second (3).
        width: Filters of the first and the last convolution.
        dropout: Share of values dropped before the classifier in training.

    Returns:
        float32 `readings` [N, length, channels] → float32 `logits` [N, classes].
    """
    readings = keras.Input((length, channels), name="readings")
    x = layers.Rescaling(0.5, name="normalise")(readings)
    for index, (filters, kernel) in enumerate(((width, 8), (2 * width, 5), (width, 3))):
        x = layers.Conv1D(filters, kernel, padding="same", use_bias=False, name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"norm{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(readings, layers.Dense(classes, name="logits")(x), name="conv1d")
