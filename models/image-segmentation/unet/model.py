"""U-Net (Ronneberger et al. 2015, arXiv 1505.04597), small: skip connections across the U.

Smaller and padded: half of the levels and an eighth of the channels of the paper, "same" padding,
so that the mask is as large as the picture and nothing has to be cropped; batch norm, which came
later.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(classes: int, size: int = 32, width: int = 16, depth: int = 3) -> keras.Model:
    """U-Net with normalisation inside and logits out.

    Args:
        classes: Of a pixel.
        size: Height and width of the picture, a multiple of 2 ** `depth`.
        width: Channels of the first level, doubled at each one below.
        depth: Levels below the first.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, size, size, classes].
    """
    if size % 2**depth:
        raise ValueError(f"size {size} must be a multiple of {2**depth}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    skips = []
    for level in range(depth):
        x = _level(x, width << level, f"down{level}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    x = _level(x, width << depth, "bottom")
    for level in reversed(range(depth)):
        channels = width << level
        x = layers.Conv2DTranspose(channels, 2, 2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"up{level}_skip")([skips[level], x])
        x = _level(x, channels, f"up{level}")
    return keras.Model(image, layers.Conv2D(classes, 1, name="logits")(x), name="unet")


def _level(x: Any, channels: int, name: str) -> Any:
    """Two 3 × 3 convolutions."""
    for number in (1, 2):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_conv{number}")(
            x
        )
        x = layers.BatchNormalization(name=f"{name}_norm{number}")(x)
        x = layers.ReLU(name=f"{name}_relu{number}")(x)
    return x
