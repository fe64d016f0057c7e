"""Faster R-CNN (Ren et al. 2015, arXiv 1506.01497), small: proposals first, then what each one is.

A region proposal network says of every anchor whether it holds an object, and where. The best of
them are proposals: of each the features are cut out and made the same size, and a second head gives
its classes and a better box. All shapes are fixed, so that every target takes it. The cut is that
of RoIAlign (He et al. 2017, arXiv 1703.06870) with one sample a bin, as two products with matrices
of interpolation. Smaller and simpler than the paper's: three anchors a place instead of nine, a few
proposals that are the highest of their 3 × 3 places instead of 300 after suppression, sides that
move in parts of the anchor's instead of logarithms, a logit for each class without one for the
ground, and one box for all classes.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

_STRIDE = 8
_HEIGHTS = (0.17, 0.25, 0.36)  # of the anchors, as parts of the picture
_ASPECT = 0.85  # their width over height
_BINS = 5  # of a cut, in each direction
# One place in a hundred holds something, the network is told at birth (arXiv 1708.02002).
_FIRST_SCORE = -4.6
_BESIDE = 10.0  # what an anchor beside a better one loses of its logit


def build(classes: int, size: int = 96, width: int = 16, proposals: int = 24) -> keras.Model:
    """Both stages, with normalisation and decoding inside.

    Args:
        classes: Kinds of objects.
        size: Height and width of the picture, a multiple of 8.
        width: Channels of the first convolution; the features have four times as many.
        proposals: How many there are, K.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `boxes` [N, K, 4], left, top, right and
        bottom as parts of the picture, and float32 `scores` [N, K, classes], logits; those of the
        best proposal first. Layers that the loss reads: `region_class` [N, H, W, 3], `places`
        [N, A, 4] and `proposals` [N, K, 4].
    """
    if size % _STRIDE:
        raise ValueError(f"size {size} must be a multiple of {_STRIDE}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    for index, (channels, strides) in enumerate(
        ((width, 2), (2 * width, 2), (2 * width, 1), (3 * width, 2), (4 * width, 1), (4 * width, 1))
    ):
        x = _convolution(x, channels, f"conv{index + 1}", strides)
    features = x
    x = _convolution(features, 4 * width, "region")
    objectness = _output(layers.Conv2D, len(_HEIGHTS), "region_class", (1,), _FIRST_SCORE)(x)
    offsets = _output(layers.Conv2D, 4 * len(_HEIGHTS), "region_box", (1,))(x)
    offsets = layers.Reshape((-1, 4), name="region_offsets")(offsets)
    places = Places(size, name="places")(offsets)
    proposed = Proposals(proposals, name="proposals")([objectness, places])
    x = Cut(name="cut")([features, proposed])
    x = layers.Dense(8 * width, activation="relu", name="full1")(x)
    x = layers.Dense(8 * width, activation="relu", name="full2")(x)
    scores = _output(layers.Dense, classes, "scores", (), _FIRST_SCORE / 2)(x)
    boxes = Refined(name="boxes")([proposed, _output(layers.Dense, 4, "offsets")(x)])
    return keras.Model(image, [boxes, scores], name="rcnn")


def _convolution(x: Any, channels: int, name: str, strides: int = 1) -> Any:
    x = layers.Conv2D(
        channels,
        3,
        strides,
        "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_act")(x)


def _output(kind: Any, count: int, name: str, more: tuple[int, ...] = (), first: float = 0) -> Any:
    """A last layer, which begins with `first` for every sample."""
    return kind(
        count,
        *more,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(first),
        name=name,
    )


class Places(layers.Layer):
    """Offsets [N, A, 4] of an anchor's sides, in parts of its height → boxes [N, A, 4].

    Args:
        size: Height and width of the picture.
    """

    def __init__(self, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        cells = size // _STRIDE
        y, x = np.divmod(np.arange(cells**2), cells)
        middle = (np.stack([x, y, x, y], 1)[:, None] + 0.5) / cells
        heights = np.array(_HEIGHTS)[None, :, None]
        anchors = middle + heights / 2 * np.array([-_ASPECT, -1, _ASPECT, 1])
        self.anchors = anchors.reshape(1, -1, 4).astype("float32")
        self.heights = np.tile(heights, (1, cells**2, 1)).astype("float32")

    def call(self, offsets: Any) -> Any:
        return self.anchors + offsets * self.heights


class Proposals(layers.Layer):
    """Logits [N, H, W, 3] and boxes [N, A, 4] of all anchors → the best boxes [N, K, 4].

    An anchor with a better one of its size at the next place is none: that stands for suppression
    by overlap, which is a loop. No gradient goes through the choice.

    Args:
        most: K.
    """

    def __init__(self, most: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._most = most

    def call(self, inputs: Any, training: bool = False) -> Any:
        logits, boxes = inputs
        peak = logits >= ops.max_pool(logits, 3, 1, "same")
        peaks = ops.where(peak, logits, logits - _BESIDE)
        count = boxes.shape[1]
        where = ops.top_k(ops.reshape(peaks, (-1, count)), self._most)[1]
        # A product with ones and zeros picks rows alike in every runtime.
        picked = ops.cast(ops.equal(where[:, :, None], np.arange(count, dtype="int32")), "float32")
        found = ops.clip(ops.matmul(picked, boxes), 0.0, 1.0)
        return ops.stop_gradient(found) if training else found


class Cut(layers.Layer):
    """Features [N, H, W, C] and boxes [N, K, 4] in 0–1 → features in each box [N, K, 25 · C].

    Bilinear at the middle of each of 5 × 5 bins. In one direction that is a matrix with a row for
    each bin and a column for each place, max(0, 1 − distance).
    """

    def call(self, inputs: Any) -> Any:
        features, boxes = inputs
        _, height, width, channels = features.shape
        count = boxes.shape[1]
        rows = _interpolation(boxes[..., 1:2], boxes[..., 3:4], height)
        columns = _interpolation(boxes[..., 0:1], boxes[..., 2:3], width)
        x = ops.reshape(features, (-1, height, width * channels))
        x = ops.matmul(ops.reshape(rows, (-1, count * _BINS, height)), x)
        x = ops.reshape(x, (-1, count, _BINS, width, channels))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, count, width, _BINS * channels))
        x = ops.matmul(columns, x)
        return ops.reshape(x, (-1, count, _BINS**2 * channels))


def _interpolation(low: Any, high: Any, places: int) -> Any:
    """How much each place counts in each bin: [N, K, bins, places], from ends [N, K, 1] in 0–1."""
    bins = ((np.arange(_BINS) + 0.5) / _BINS).astype("float32")
    at = (low + (high - low) * bins) * places - 0.5
    at = ops.clip(at, 0.0, places - 1.0)
    apart = ops.abs(at[..., None] - np.arange(places, dtype="float32"))
    return ops.relu(1.0 - apart)


class Refined(layers.Layer):
    """Boxes [N, K, 4], and offsets [N, K, 4] of their sides in parts of them → boxes [N, K, 4]."""

    def call(self, inputs: Any) -> Any:
        boxes, offsets = inputs
        sides = boxes[..., 2:] - boxes[..., :2]
        return boxes + offsets * ops.concatenate([sides, sides], axis=-1)
