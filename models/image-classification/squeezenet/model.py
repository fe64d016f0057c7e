"""SqueezeNet (Iandola et al. 2016, arXiv 1602.07360), small: eight fire modules, no dense layer.

A fire module squeezes channels by a 1 × 1 convolution, then expands them by 1 × 1 and 3 × 3
convolutions side by side. Poolings stand where version 1.1 of the authors' code has them. Smaller
than the paper's: pictures of 32 pixels, a first convolution without a stride, half of the
channels. No batch norm, as in the paper; the last convolution has no ReLU, since logits may be
negative.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

# Channels that the eight modules squeeze to, in sixteenths; each side expands to four times as
# many. A pooling halves height and width before the modules of these numbers.
_SQUEEZE = (1, 1, 2, 2, 3, 3, 4, 4)
_POOLED = (0, 2, 4)


def build(
    classes: int, width: float = 0.5, bypass: bool = False, dropout: float = 0.5, size: int = 32
) -> keras.Model:
    """SqueezeNet with normalisation inside and logits out.

    Args:
        classes: Outputs.
        width: Multiplier of every layer's channels; 1 is the paper's.
        bypass: Sums around every second fire module, the paper's "simple bypass".
        dropout: Share of values dropped before the last convolution while training.
        size: Height and width of the picture, a multiple of 8.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolution(x, round(64 * width), 3, "stem")
    for index, share in enumerate(_SQUEEZE):
        if index in _POOLED:
            x = layers.MaxPooling2D(3, 2, "same", name=f"pool{index}")(x)
        y = _fire(x, round(16 * share * width), f"fire{index}")
        if bypass and index % 2:
            y = layers.Add(name=f"fire{index}_add")([x, y])
        x = y
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(classes, 1, name="classes")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="logits")(x), name="squeezenet")


def _fire(x: Any, squeeze: int, name: str) -> Any:
    x = _convolution(x, squeeze, 1, f"{name}_squeeze")
    sides = [_convolution(x, 4 * squeeze, kernel, f"{name}_expand{kernel}") for kernel in (1, 3)]
    return layers.Concatenate(name=f"{name}_concatenate")(sides)


def _convolution(x: Any, channels: int, kernel: int, name: str) -> Any:
    return layers.Conv2D(
        channels,
        kernel,
        padding="same",
        activation="relu",
        kernel_initializer="he_uniform",
        name=name,
    )(x)
