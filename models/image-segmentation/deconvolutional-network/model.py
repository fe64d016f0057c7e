"""Deconvolution network (Noh et al. 2015, arXiv 1505.04366), small: pooling undone by its switches.

Each 2 × 2 pooling remembers where its maximum was, and the unpooling that mirrors it puts values
back there and zeros elsewhere; deconvolutions fill in between. Smaller: three levels of two
convolutions for VGG-16's five, one bottleneck of few channels for two of 4,096. The switches are
comparisons of a value with its pool's maximum, which every target has (an equal value beside the
maximum counts, too).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(
    classes: int, size: int = 32, width: int = 16, depth: int = 3, bottleneck: int = 128
) -> keras.Model:
    """Deconvolution network with normalisation inside and logits out.

    Args:
        classes: Of a pixel.
        size: Height and width of the picture, a multiple of 2 ** `depth`.
        width: Channels of the first level, doubled at each one below.
        depth: Poolings, and as many unpoolings.
        bottleneck: Channels between the two halves.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, size, size, classes].
    """
    if size % 2**depth:
        raise ValueError(f"size {size} must be a multiple of {2**depth}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    switches = []
    for level in range(depth):
        for number in (1, 2):
            x = _layer(layers.Conv2D, x, width << level, 3, f"conv{level}_{number}")
        pooled = layers.MaxPooling2D(2, name=f"pool{level}")(x)
        switches.append(Switches(name=f"switches{level}")([x, pooled]))
        x = pooled
    side, deepest = size >> depth, width << (depth - 1)
    # Fully connected layers, as the paper writes them: a convolution over all there is.
    x = _layer(layers.Conv2D, x, bottleneck, side, "fully1", padding="valid")
    x = _layer(layers.Conv2D, x, bottleneck, 1, "fully2")
    x = _layer(layers.Conv2DTranspose, x, deepest, side, "spread", padding="valid")
    for level in reversed(range(depth)):
        x = layers.UpSampling2D(2, name=f"unpool{level}")(x)
        x = layers.Multiply(name=f"unpool{level}_switched")([x, switches[level]])
        for number in (2, 1):
            channels = width << (level if number == 2 else max(level - 1, 0))
            x = _layer(layers.Conv2DTranspose, x, channels, 3, f"deconv{level}_{number}")
    logits = layers.Conv2D(classes, 1, name="logits")(x)
    return keras.Model(image, logits, name="deconvolutional_network")


def _layer(kind: Any, x: Any, channels: int, kernel: int, name: str, padding: str = "same") -> Any:
    x = kind(channels, kernel, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


class Switches(layers.Layer):
    """1.0 where a value is its pool's maximum, 0.0 elsewhere: float32 [N, height, width, C]."""

    def call(self, inputs: Any) -> Any:
        x, pooled = inputs
        highest = ops.repeat(ops.repeat(pooled, 2, axis=1), 2, axis=2)
        return ops.cast(x >= highest, "float32")
