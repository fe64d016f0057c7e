"""Denoising autoencoder (Vincent et al. 2008, doi:10.1145/1390156.1390294), convolutional.

It is given a corrupted picture and has to give the clean one. Convolutions for the paper's fully
connected layers, normal noise for its zeroed pixels, and a skip from each level of the encoder, so
that the code has to hold what noise hides and not every edge.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(size: int = 32, width: int = 24, depth: int = 2) -> keras.Model:
    """Denoising autoencoder with normalisation inside; the picture comes out in 0–1.

    Args:
        size: Height and width of the picture, a multiple of 2 ** `depth`.
        width: Channels of the first level, doubled at each one below.
        depth: Halvings.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `picture` [N, size, size, 3] in 0–1.
    """
    if size % 2**depth:
        raise ValueError(f"size {size} must be a multiple of {2**depth}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _layer(layers.Conv2D, x, width, 3, 1, "first")
    skips = []
    for level in range(depth):
        skips.append(x)
        x = _layer(layers.Conv2D, x, width << (level + 1), 3, 2, f"encode{level}")
    x = _layer(layers.Conv2D, x, width << depth, 3, 1, "code")
    for level in reversed(range(depth)):
        x = _layer(layers.Conv2DTranspose, x, width << level, 4, 2, f"decode{level}")
        x = layers.Add(name=f"decode{level}_skip")([x, skips[level]])
        x = _layer(layers.Conv2D, x, width << level, 3, 1, f"decode{level}_mixed")
    x = layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="picture")(x)
    return keras.Model(image, x, name="denoising_autoencoder")


def _layer(kind: Any, x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    x = kind(channels, kernel, stride, "same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
