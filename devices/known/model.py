"""A small network of the ops that devices meet most.

Strided, depthwise and pointwise convolutions, ReLU6, a residual sum, global pooling, a dense layer.
"""

from __future__ import annotations

import keras
from keras import layers


def build(classes: int = 36) -> keras.Model:
    """Pictures [24, 24, 3] in 0–255 to logits."""
    image = keras.Input((24, 24, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = _normed(layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x))
    for channels, strides in ((32, 2), (32, 1), (48, 1)):
        y = _normed(layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x))
        y = layers.Conv2D(channels, 1, use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="known")


def _normed(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(6.0)(layers.BatchNormalization()(x))
