"""YOLO's first version (Redmon et al. 2016, arXiv 1506.02640), small: a grid of boxes, all at once.

Convolutions bring the picture to 7 × 7 cells; a dense layer sees all of them, and a second one
gives the paper's tensor of 7 × 7 × (2 · 5 + C): for each cell two boxes (x, y, w, h, confidence)
and C classes, which are the cell's, not the box's. The output is linear, and w and h are square
roots, as in the authors' code. Smaller than the paper's network: 8 convolutions instead of 24 on
pictures of 112 × 112 (448 × 448), few channels, a 1 × 1 convolution before the dense layers. Batch
normalisation, which the paper has not, stands for its ImageNet pre-training.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

_CELLS = 7
_BOXES = 2
_STRIDE = 16
# A score is a product near 0–1, and an app wants its logit: this is the slope of that at a half.
_SLOPE = 4.0


def build(
    classes: int, size: int = 112, width: int = 16, hidden: int = 192, dropout: float = 0.2
) -> keras.Model:
    """YOLO v1 with normalisation and decoding inside.

    Args:
        classes: Kinds of objects.
        size: Height and width of the picture: 112, 7 cells of 16 pixels.
        width: Channels of the first convolution.
        hidden: Outputs of the first dense layer.
        dropout: Share of its outputs dropped while training.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `boxes` [N, 98, 4], left, top, right and
        bottom as parts of the picture, two for each cell, row by row; and float32 `scores`
        [N, 98, classes], logits of confidence times class. The layer `grid` has the tensor that
        both come from, [N, 7, 7, 10 + classes].
    """
    if size != _CELLS * _STRIDE:
        raise ValueError(f"size {size}: {_CELLS * _STRIDE}, {_CELLS} cells of {_STRIDE} pixels")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolution(x, width, 7, "conv1", strides=2)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = _convolution(x, 2 * width, 3, "conv2")
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = _convolution(x, 2 * width, 1, "conv3")
    x = _convolution(x, 4 * width, 3, "conv4")
    x = layers.MaxPooling2D(2, name="pool4")(x)
    x = _convolution(x, 2 * width, 1, "conv5")
    x = _convolution(x, 4 * width, 3, "conv6")
    x = _convolution(x, 6 * width, 3, "conv7")
    x = _convolution(x, width, 1, "conv8")
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(hidden, name="full1")(x)
    x = layers.LeakyReLU(0.1, name="full1_act")(x)
    x = layers.Dropout(dropout, name="full1_dropout")(x)
    depth = 5 * _BOXES + classes
    x = layers.Dense(_CELLS**2 * depth, name="full2")(x)
    grid = layers.Reshape((_CELLS, _CELLS, depth), name="grid")(x)
    boxes, scores = Decoded(classes, name="decoded")(grid)
    return keras.Model(image, [boxes, scores], name="yolo_v1")


def _convolution(x: Any, channels: int, kernel: int, name: str, *, strides: int = 1) -> Any:
    x = layers.Conv2D(
        channels,
        kernel,
        strides,
        "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.LeakyReLU(0.1, name=f"{name}_act")(x)


class Decoded(layers.Layer):
    """Grid [N, 7, 7, 10 + C] → boxes [N, 98, 4] in 0–1, and scores [N, 98, C], logits.

    Of a box x and y are parts of its cell, w and h roots of parts of the picture; behind the two
    boxes come the cell's classes. The logit is a straight line, which keeps the order, 8-bit forms
    and scores below 0; from 0.2 to 0.8 the sigmoid of it is within 0.032 of the score.

    Args:
        classes: C.
    """

    def __init__(self, classes: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._classes = classes
        y, x = np.divmod(np.arange(_CELLS**2), _CELLS)
        self._corners = np.stack([x, y], -1)[None, :, None].astype("float32") / _CELLS

    def call(self, grid: Any) -> tuple[Any, Any]:
        cells = ops.reshape(grid, (-1, _CELLS**2, 5 * _BOXES + self._classes))
        found = ops.reshape(cells[..., : 5 * _BOXES], (-1, _CELLS**2, _BOXES, 5))
        middle = self._corners + found[..., :2] / _CELLS
        half = ops.square(found[..., 2:4]) / 2
        boxes = ops.concatenate([middle - half, middle + half], axis=-1)
        scores = found[..., 4:] * cells[:, :, None, 5 * _BOXES :]
        logits = _SLOPE * (scores - 0.5)
        places = _CELLS**2 * _BOXES
        return (
            ops.reshape(boxes, (-1, places, 4)),
            ops.reshape(logits, (-1, places, self._classes)),
        )
