"""A classifier that slides over a picture at several scales, after OverFeat.

Sermanet et al. 2014, arXiv 1312.6229: a small network says what a window of 24 × 24 pixels shows.
All its layers are convolutions, so it looks at every fourth window of a picture at once, and at
larger and smaller windows by looking at the picture in four sizes, with the same weights. A window
with a high score is a found object: its box is the window, or, with `localisation`, what a
regressor beside the classifier makes of it (the paper's section 4). Smaller than the paper's
network by far; with steps of 4 pixels (36 there) instead of shifted pooling, one regressor for all
classes, and boxes that are suppressed, not merged.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

_WINDOW, _STEP = 24, 4
# Sides of the pictures it looks at, as parts of the input's: windows of 3/16 to 3/8 of a picture.
_SCALES = ((4, 3), (1, 1), (5, 6), (2, 3))
# One window in a hundred holds something, the network is told at birth (arXiv 1708.02002).
_FIRST_SCORE = -4.6
# A chance of 0.5 %: what is below is not even looked at when detectors are measured.
_NOTHING = -5.3


def build(classes: int, size: int = 96, width: int = 12, localisation: bool = False) -> keras.Model:
    """Classifier of all windows, with normalisation inside.

    Args:
        classes: Kinds of objects.
        size: Height and width of the picture, a multiple of 24.
        width: Channels of the first convolution; the last ones have six times as many.
        localisation: Whether each window has a box of its own.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `boxes` [N, A, 4], left, top, right and
        bottom as parts of the picture, and float32 `scores` [N, A, classes], logits. The A windows
        are those of the largest picture first, row by row. Without `localisation` the boxes are the
        windows, or empty where a window's highest chance is below 0.5 %.
    """
    if size % _WINDOW:
        raise ValueError(f"size {size} must be a multiple of {_WINDOW}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    picture = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    net = _network(classes, width, localisation)
    scores, offsets = [], []
    for over, under in _SCALES:
        side = size * over // under
        x = picture
        if side != size:
            x = layers.Resizing(side, side, name=f"picture{side}")(x)
        for layer in net[:-1]:
            x = layer(x)
        count = ((side - _WINDOW) // _STEP + 1) ** 2
        for head, outputs, kept in zip(net[-1], (classes, 4), (scores, offsets), strict=False):
            kept.append(layers.Reshape((count, outputs), name=f"{head.name}{side}")(head(x)))
    logits = layers.Concatenate(axis=1, name="scores")(scores)
    if localisation:
        boxes = Regressed(size, name="boxes")(layers.Concatenate(axis=1, name="offsets")(offsets))
    else:
        boxes = Windows(size, name="boxes")(logits)
    return keras.Model(image, [boxes, logits], name="sliding_window")


def _network(classes: int, width: int, localisation: bool) -> list[Any]:
    """Layers from a window to one place, and last the heads: of classes and maybe of a box."""
    heads = [
        layers.Conv2D(
            classes,
            1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(_FIRST_SCORE),
            name="class",
        )
    ]
    if localisation:
        small = keras.initializers.RandomNormal(stddev=0.01)
        heads.append(layers.Conv2D(4, 1, kernel_initializer=small, name="box"))
    return [
        _convolution(width, 5, "conv1", strides=2),  # 24 pixels → 10 places
        _convolution(2 * width, 3, "conv2", strides=2),  # → 4
        _convolution(3 * width, 3, "conv3"),  # → 2
        _convolution(6 * width, 2, "full4"),  # → 1
        _convolution(6 * width, 1, "full5"),
        heads,
    ]


def _convolution(channels: int, kernel: int, name: str, *, strides: int = 1) -> Any:
    return layers.Conv2D(
        channels,
        kernel,
        strides,
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )


class Windows(layers.Layer):
    """Logits [N, A, C] → the windows [N, A, 4]; those of windows that show nothing are empty.

    While training none is: a window that shows an object it does not know of has to learn it.

    Args:
        size: Height and width of the picture.
    """

    def __init__(self, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.windows = _windows(size)

    def call(self, logits: Any, training: bool = False) -> Any:
        if training:
            return ops.zeros_like(logits[..., :1]) + self.windows
        shown = ops.max(logits, axis=-1, keepdims=True) > _NOTHING
        return ops.where(shown, self.windows, np.float32(0))


class Regressed(layers.Layer):
    """Offsets [N, A, 4] of a window's sides, in parts of the window → boxes [N, A, 4].

    Args:
        size: Height and width of the picture.
    """

    def __init__(self, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.windows = _windows(size)
        self._sides = self.windows[..., 2:3] - self.windows[..., :1]

    def call(self, offsets: Any) -> Any:
        return self.windows + offsets * self._sides


def _windows(size: int) -> Any:
    """Left, top, right and bottom of every window, as parts of the picture: float32 [1, A, 4]."""
    windows = []
    for over, under in _SCALES:
        side = size * over // under
        count = (side - _WINDOW) // _STEP + 1
        y, x = np.divmod(np.arange(count**2), count)
        first = np.stack([x, y, x, y], 1) * _STEP
        windows.append((first + np.array([0, 0, _WINDOW, _WINDOW])) / side)
    return np.concatenate(windows)[None].astype("float32")
