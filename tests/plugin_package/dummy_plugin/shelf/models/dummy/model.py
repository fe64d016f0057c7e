"""One convolution."""

from __future__ import annotations

import keras


def build(classes: int, filters: int = 4) -> keras.Model:
    """uint8 `image` [N, 8, 8, 3] → float32 `logits` [N, classes]."""
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    pixels = keras.layers.Rescaling(1 / 255)(image)
    features = keras.layers.Conv2D(filters, 3, strides=2, activation="relu")(pixels)
    logits = keras.layers.Dense(classes, name="logits")(keras.layers.Flatten()(features))
    return keras.Model(image, logits, name="dummy")
