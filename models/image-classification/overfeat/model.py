"""OverFeat (Sermanet et al. 2014, arXiv 1312.6229): a classifier that slides over a picture.

The dense layers are convolutions, so a picture larger than the one it was trained for gives a grid
of scores, one place for every 8 pixels, and shares all computation between neighbouring places.
After the paper's fast model, for windows of 32 × 32: 5 × 5 and 3 × 3 kernels first (there 11 × 11
in steps of 4, and 5 × 5), then three convolutions with a border of zeros, with few channels.
The paper's regressor of boxes is left out.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

_WINDOW, _STEP = 32, 8


def build(
    classes: int, size: int = 32, width: int = 16, grid: bool = False, dropout: float = 0.2
) -> keras.Model:
    """OverFeat's classifier with normalisation inside and logits out.

    Args:
        classes: Outputs of a place.
        size: Height and width of the picture: 32, or larger by multiples of 8.
        width: Channels of the first convolution; later ones have 2, 3 and 4 times as many.
        grid: Whether the logits of every place are given, too.
        dropout: Share of values dropped before the last two layers while training.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes], of each class the
        highest of all places; with `grid` also `grid` [N, rows, columns, classes]. Rows and columns
        are (size - 32) / 8 + 1; the window of row r and column c begins at pixel (8 r, 8 c).
    """
    if size < _WINDOW or size % _STEP:
        raise ValueError(f"size {size}: {_WINDOW}, or larger by multiples of {_STEP}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolution(x, width, 5, "valid", "conv1")
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = _convolution(x, 2 * width, 3, "valid", "conv2")
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = _convolution(x, 3 * width, 3, "same", "conv3")
    x = _convolution(x, 4 * width, 3, "same", "conv4")
    x = _convolution(x, 4 * width, 3, "same", "conv5")
    x = layers.MaxPooling2D(2, name="pool5")(x)
    x = _convolution(x, 12 * width, 3, "valid", "full6")
    x = layers.Dropout(dropout, name="full6_dropout")(x)
    x = _convolution(x, 12 * width, 1, "valid", "full7")
    x = layers.Dropout(dropout, name="full7_dropout")(x)
    places = layers.Conv2D(classes, 1, name="grid")(x)
    logits = layers.GlobalMaxPooling2D(name="logits")(places)
    return keras.Model(image, [logits, places] if grid else logits, name="overfeat")


def _convolution(x: Any, channels: int, kernel: int, padding: str, name: str) -> Any:
    return layers.Conv2D(
        channels,
        kernel,
        padding=padding,
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)
