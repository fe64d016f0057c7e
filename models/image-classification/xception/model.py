"""Xception (Chollet 2017, arXiv 1610.02357), small: separable convolutions, residuals.

Entry flow, middle flow and exit flow as in the paper: blocks of two separable convolutions and a
pooling beside a strided 1 × 1 convolution, then blocks of three with a plain sum, then two
separable convolutions more. Smaller than the paper's network: pictures of 32 pixels, of the two
first convolutions only the second has a stride, one block in the entry flow for three, two in the
middle for eight, and fewer channels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(classes: int, width: int = 32, middle: int = 2, size: int = 32) -> keras.Model:
    """Xception with normalisation inside and logits out.

    Args:
        classes: Outputs.
        width: Channels of the second convolution; blocks have two and four times as many, the last
            two layers six and eight.
        middle: Blocks of the middle flow.
        size: Height and width of the picture, a multiple of 8.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _relu(_convolution(x, width // 2, 3, 1, "stem0"), "stem0")
    x = _relu(_convolution(x, width, 3, 2, "stem1"), "stem1")
    x = _halving(x, 2 * width, 2 * width, "entry0", first_relu=False)
    for index in range(middle):
        y = x
        for part in range(3):
            y = _separable(_relu(y, f"middle{index}_{part}"), 2 * width, f"middle{index}_{part}")
        x = layers.Add(name=f"middle{index}_add")([x, y])
    x = _halving(x, 2 * width, 4 * width, "exit0")
    x = _relu(_separable(x, 6 * width, "exit1"), "exit1")
    x = _relu(_separable(x, 8 * width, "exit2"), "exit2")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="xception")


def _halving(x: Any, first: int, second: int, name: str, first_relu: bool = True) -> Any:
    beside = _convolution(x, second, 1, 2, f"{name}_beside")
    y = _relu(x, f"{name}_0") if first_relu else x
    y = _relu(_separable(y, first, f"{name}_0"), f"{name}_1")
    y = _separable(y, second, f"{name}_1")
    y = layers.MaxPooling2D(3, 2, "same", name=f"{name}_pool")(y)
    return layers.Add(name=f"{name}_add")([y, beside])


def _separable(x: Any, channels: int, name: str) -> Any:
    x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def _convolution(x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def _relu(x: Any, name: str) -> Any:
    return layers.ReLU(name=f"{name}_relu")(x)
