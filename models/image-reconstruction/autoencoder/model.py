"""Autoencoder (Hinton and Salakhutdinov 2006, doi:10.1126/science.1127647), convolutional.

What a picture is, squeezed through a few numbers and unfolded again. Strided convolutions for the
paper's fully connected layers, trained at once, without the layer-by-layer pre-training that it
needed.
"""

from __future__ import annotations

import keras
from keras import layers


def build(size: int = 32, width: int = 24, depth: int = 3, code: int = 64) -> keras.Model:
    """Autoencoder with normalisation inside; the picture comes out in 0–1.

    Args:
        size: Height and width of the picture, a multiple of 2 ** `depth`.
        width: Channels of the first level, doubled at each one below.
        depth: Halvings.
        code: Numbers that are all there is between encoder and decoder.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `picture` [N, size, size, 3] in 0–1.
    """
    if size % 2**depth:
        raise ValueError(f"size {size} must be a multiple of {2**depth}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    for level in range(depth):
        x = layers.Conv2D(width << level, 3, 2, "same", use_bias=False, name=f"encode{level}")(x)
        x = layers.BatchNormalization(name=f"encode{level}_norm")(x)
        x = layers.ReLU(name=f"encode{level}_relu")(x)
    side, deepest = size >> depth, width << (depth - 1)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(code, name="code")(x)
    x = layers.Dense(side * side * deepest, activation="relu", name="unfold")(x)
    x = layers.Reshape((side, side, deepest), name="square")(x)
    for level in reversed(range(depth)):
        channels = width << max(level - 1, 0)
        x = layers.Conv2DTranspose(channels, 4, 2, "same", use_bias=False, name=f"decode{level}")(x)
        x = layers.BatchNormalization(name=f"decode{level}_norm")(x)
        x = layers.ReLU(name=f"decode{level}_relu")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="picture")(x)
    return keras.Model(image, x, name="autoencoder")
