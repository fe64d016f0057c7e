"""The appearance network of DeepSORT (Wojke et al. 2017, arXiv 1703.07402), small.

Residual blocks and a dense layer whose output, brought to length one, says what a thing looks like;
two are alike by its cosine. Trained as a classifier of these vectors (Wojke and Bewley 2018, arXiv
1812.00442). Smaller than the paper's: pictures of 32 × 32 for 128 × 64, three blocks for six, 64
values for 128; ReLU for ELU, which accelerators lack.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

# Cosines are at most 1: so sharp may the softmax over classes become.
_SHARPNESS = 16.0


def build(
    classes: int, size: int = 32, width: int = 16, values: int = 64, embedding: bool = False
) -> keras.Model:
    """A classifier of pictures, or the vector that it tells them apart by.

    Args:
        classes: Outputs of the classifier.
        size: Height and width of the picture, a multiple of 8.
        width: Channels of the first block; the next ones have twice as many each.
        values: Of the vector.
        embedding: Give the vector instead.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes]; with `embedding`
        float32 [N, values]. Whoever takes cosines divides by the length.
    """
    if size % 8:
        raise ValueError(f"size {size} must be a multiple of 8")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _conv(x, width, 1, "stem")
    for index, strides in enumerate((1, 2, 2)):
        x = _block(x, width << index, strides, f"block{index}")
    x = layers.AveragePooling2D(2, name="pool")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(values, name="embedding")(x)
    if embedding:
        return keras.Model(image, x, name="appearance")
    x = layers.UnitNormalization(name="direction")(x)
    x = layers.Rescaling(_SHARPNESS, name="sharpness")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="appearance")


def _conv(x: Any, channels: int, strides: int, name: str, *, active: bool = True) -> Any:
    x = layers.Conv2D(channels, 3, strides, "same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if active else x


def _block(x: Any, channels: int, strides: int, name: str) -> Any:
    """Two convolutions beside a way past them."""
    y = _conv(_conv(x, channels, strides, f"{name}a"), channels, 1, f"{name}b", active=False)
    if x.shape[-1] != channels or strides != 1:
        x = layers.Conv2D(channels, 1, strides, name=f"{name}_past")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))
