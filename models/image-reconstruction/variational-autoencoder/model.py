"""Variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114), convolutional.

The encoder says where in a space of few dimensions a picture lies, and how sure that is; the
decoder unfolds a point of it. Training draws the point (the reparameterised sample) and pays for
information (the divergence from a standard normal distribution); the exported model unfolds the
mean, so that the same picture gives the same answer. Strided convolutions for
the paper's fully connected layers.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(
    size: int = 32,
    width: int = 24,
    depth: int = 3,
    latent: int = 32,
    divergence: float = 0.001,
) -> keras.Model:
    """Variational autoencoder with normalisation inside; the picture comes out in 0–1.

    Args:
        size: Height and width of the picture, a multiple of 2 ** `depth`.
        width: Channels of the first level, doubled at each one below.
        depth: Halvings.
        latent: Dimensions of the space between encoder and decoder.
        divergence: What a nat costs against the mean squared error of a pixel: twice the variance
            that the decoder is taken to have, over the number of pixels.

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
    mean = layers.Dense(latent, name="mean")(x)
    spread = layers.Dense(latent, name="log_variance")(x)
    x = Sample(divergence, name="sample")([mean, spread])
    x = layers.Dense(side * side * deepest, activation="relu", name="unfold")(x)
    x = layers.Reshape((side, side, deepest), name="square")(x)
    for level in reversed(range(depth)):
        channels = width << max(level - 1, 0)
        x = layers.Conv2DTranspose(channels, 4, 2, "same", use_bias=False, name=f"decode{level}")(x)
        x = layers.BatchNormalization(name=f"decode{level}_norm")(x)
        x = layers.ReLU(name=f"decode{level}_relu")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="picture")(x)
    return keras.Model(image, x, name="variational_autoencoder")


class Sample(layers.Layer):
    """A point of a normal distribution in training, its mean otherwise: float32 [N, latent].

    Args:
        divergence: Factor of the loss that it adds in training: the Kullback–Leibler divergence
            from the standard normal distribution, in nats.
    """

    def __init__(self, divergence: float, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._divergence = divergence
        self._seeds = keras.random.SeedGenerator(0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, spread = inputs
        if not training:
            return mean
        nats = 0.5 * ops.sum(ops.square(mean) + ops.exp(spread) - spread - 1, axis=1)
        self.add_loss(self._divergence * ops.mean(nats))
        return mean + ops.exp(spread / 2) * keras.random.normal(ops.shape(mean), seed=self._seeds)
