"""GOTURN (Held et al. 2016, arXiv 1604.01802), small: where a thing is now, by regression.

The same convolutions look at what the thing was in the frame before and at the region where it is
searched for; dense layers compare the two and give its box. Smaller than the paper's: regions of
32 × 32 for 227 × 227, three convolutions and one of 1 × 1 for CaffeNet's five, which were trained
on ImageNet first, dense layers of 96 for 4,096, without dropout. Boxes are parts of the region, not
ten times that.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(size: int = 32, width: int = 24, units: int = 96) -> keras.Model:
    """A tracker's network for one thing.

    Args:
        size: Height and width of both regions, a multiple of 4.
        width: Channels of the first convolution; the next has twice as many.
        units: Of each dense layer.

    Returns:
        uint8 `previous` and `search` [N, size, size, 3] in 0–255 → float32 `box` [N, 4]: left, top,
        right, bottom as parts of `search`.
    """
    if size % 4:
        raise ValueError(f"size {size} must be a multiple of 4")
    previous, search = (
        keras.Input((size, size, 3), dtype="uint8", name=name) for name in ("previous", "search")
    )
    stack = [
        layers.Rescaling(1 / 127.5, offset=-1, name="normalise"),
        _conv(width, 5, 2, "conv1"),
        _conv(2 * width, 3, 2, "conv2"),
        _conv(2 * width, 3, 1, "conv3"),
        _conv(16, 1, 1, "conv4"),
        layers.Flatten(name="flat"),
    ]
    seen = []
    for region in (previous, search):
        x: Any = region
        for layer in stack:
            x = layer(x)
        seen.append(x)
    x = layers.Concatenate(name="both")(seen)
    for index in (1, 2):
        x = layers.Dense(units, activation="relu", name=f"dense{index}")(x)
    return keras.Model([previous, search], layers.Dense(4, name="box")(x), name="goturn")


def _conv(channels: int, kernel: int, strides: int, name: str) -> layers.Layer:
    return layers.Conv2D(channels, kernel, strides, "same", activation="relu", name=name)
