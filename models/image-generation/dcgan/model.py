"""DCGAN: the generator (Radford, Metz and Chintala 2016, arXiv 1511.06434).

A point of a normal distribution unfolds into a picture by transposed convolutions, with batch
normalisation and ReLU behind each but the last. Smaller than the paper's: 32 × 32 pixels for its
64, three such convolutions for four, and an eighth of the channels. The sigmoid at its end is the
paper's tanh, moved to 0–1. The critic it learns from is in `training.py`.
"""

from __future__ import annotations

import keras
from keras import layers


def build(size: int = 32, channels: int = 1, width: int = 32, latent: int = 64) -> keras.Model:
    """Generator; the picture comes out in 0–1.

    Args:
        size: Height and width of the picture, a multiple of 8.
        channels: Of the picture.
        width: Channels before the last convolution, doubled at each one before.
        latent: Dimensions of the point.

    Returns:
        float32 `z` [N, latent], standard normal → float32 `picture` [N, size, size, channels].
    """
    if size % 8:
        raise ValueError(f"size {size} must be a multiple of 8")
    start = keras.initializers.RandomNormal(stddev=0.02)
    z = keras.Input((latent,), name="z")
    side = size // 8
    x = layers.Dense(
        side * side * 4 * width, use_bias=False, kernel_initializer=start, name="project"
    )(z)
    x = layers.Reshape((side, side, 4 * width), name="square")(x)
    for step, maps in enumerate((2 * width, width)):
        x = _unfolded(x, f"norm{step}")
        x = layers.Conv2DTranspose(
            maps, 4, 2, "same", use_bias=False, kernel_initializer=start, name=f"unfold{step}"
        )(x)
    x = _unfolded(x, "norm2")
    x = layers.Conv2DTranspose(
        channels, 4, 2, "same", kernel_initializer=start, activation="sigmoid", name="picture"
    )(x)
    return keras.Model(z, x, name="dcgan")


def _unfolded(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)
