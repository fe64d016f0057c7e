"""A small anchor-free detector of this project: CSP backbone, PAN neck, decoupled heads.

Parts: cross stage partial blocks (Wang et al. 2019, arXiv 1911.11929), pooling over windows of
growing size (He et al. 2014, arXiv 1406.4729), a path aggregation neck (Liu et al. 2018, arXiv
1803.01534), one place per cell with branches of their own for box and class (YOLOX, Ge et al. 2021,
arXiv 2107.08430), four distances per box (FCOS, Tian et al. 2019, arXiv 1904.01355).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

_ACTIVATIONS = {
    "relu6": keras.activations.relu6,
    "silu": keras.activations.silu,
    "hard_swish": keras.activations.hard_silu,
}
_STRIDES = (8, 16, 32)
# A box begins with its sides this many strides from its place: small objects start near their size.
_FIRST_DISTANCES = (1.0, 1.5, 2.0)
# One place in a hundred holds something, a network is told at birth (Lin et al., arXiv 1708.02002).
_FIRST_SCORE = 0.01
_INIT = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def build(
    classes: int,
    width: float = 1.0,
    depth: float = 1.0,
    size: int = 320,
    activation: str = "relu6",
    nms: bool = False,
) -> keras.Model:
    """The detector with normalisation and decoding inside.

    Args:
        classes: Kinds of objects.
        width: Multiplier of every layer's channels.
        depth: Multiplier of every block's number of residual units.
        size: Height and width of the picture, a multiple of 32.
        activation: "relu6", "silu" or "hard_swish".
        nms: Choose objects inside the graph, too.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `boxes` [N, A, 4], left, top, right and
        bottom as parts of the picture, and float32 `scores` [N, A, classes], logits. The A places
        are the cells of strides 8, 16 and 32, finest first, row by row.

        With `nms`: float32 `boxes` [N, 100, 4], `scores` [N, 100] in 0–1, highest first, 0 for
        what was suppressed, and `classes` [N, 100], whole numbers.
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation {activation!r}: one of {', '.join(_ACTIVATIONS)}")
    if size % 32:
        raise ValueError(f"size {size} must be a multiple of 32")
    net = _Net(width, depth, _ACTIVATIONS[activation])
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    boxes, scores = net.heads(net.neck(net.backbone(x)), classes)
    boxes = Places(size, name="boxes")(boxes)
    outputs = Chosen(name="chosen")([boxes, scores]) if nms else (boxes, scores)
    return keras.Model(image, list(outputs), name="yolo")


@dataclass(frozen=True)
class _Net:
    width: float
    depth: float
    activation: Any

    def channels(self, count: int) -> int:
        """`count` scaled, to a multiple of 8."""
        return max(8, round(count * self.width / 8) * 8)

    def repeats(self, count: int) -> int:
        return max(1, round(count * self.depth))

    def conv(self, x: Any, channels: int, kernel: int, name: str, strides: int = 1) -> Any:
        x = layers.Conv2D(
            channels,
            kernel,
            strides,
            "same",
            use_bias=False,
            kernel_initializer=_INIT,
            name=f"{name}_conv",
        )(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.Activation(self.activation, name=f"{name}_act")(x)

    def csp(self, x: Any, channels: int, units: int, name: str, *, residual: bool = True) -> Any:
        """A cross stage partial block: one half passes, the other goes through `units`."""
        half = channels // 2
        kept = self.conv(x, half, 1, f"{name}_kept")
        x = self.conv(x, half, 1, f"{name}_entry")
        for index in range(self.repeats(units)):
            y = self.conv(x, half, 3, f"{name}_unit{index}a")
            y = self.conv(y, half, 3, f"{name}_unit{index}b")
            x = layers.Add(name=f"{name}_unit{index}_add")([x, y]) if residual else y
        x = layers.Concatenate(name=f"{name}_join")([x, kept])
        return self.conv(x, channels, 1, f"{name}_exit")

    def backbone(self, x: Any) -> list[Any]:
        """Features of strides 8, 16 and 32."""
        c2, c4, c8, c16, c32 = (self.channels(n) for n in (16, 24, 48, 96, 160))
        x = self.conv(x, c2, 3, "stem1", 2)
        x = self.conv(x, c4, 3, "stem2", 2)
        x = self.csp(x, c4, 1, "stage4")
        x = self.conv(x, c8, 3, "down8", 2)
        fine = self.csp(x, c8, 2, "stage8")
        x = self.conv(fine, c16, 3, "down16", 2)
        middle = self.csp(x, c16, 2, "stage16")
        x = self.conv(middle, c32, 3, "down32", 2)
        x = self.csp(x, c32, 1, "stage32")
        x = self.conv(x, c32 // 2, 1, "pool_entry")
        pooled = [x]
        for index in range(3):
            pooled.append(layers.MaxPooling2D(5, 1, "same", name=f"pool{index}")(pooled[-1]))
        x = layers.Concatenate(name="pool_join")(pooled)
        return [fine, middle, self.conv(x, c32, 1, "pool_exit")]

    def neck(self, features: list[Any]) -> list[Any]:
        fine, middle, coarse = features
        c8, c16, c32 = (x.shape[-1] for x in features)
        middle = self.csp(self.joined(coarse, middle, "up16"), c16, 1, "neck16", residual=False)
        fine = self.csp(self.joined(middle, fine, "up8"), c8, 1, "neck8", residual=False)
        x = self.conv(fine, c8, 3, "neck8_down", 2)
        x = layers.Concatenate(name="neck16b_input")([x, middle])
        middle = self.csp(x, c16, 1, "neck16b", residual=False)
        x = self.conv(middle, c16, 3, "neck16_down", 2)
        x = layers.Concatenate(name="neck32_input")([x, coarse])
        return [fine, middle, self.csp(x, c32, 1, "neck32", residual=False)]

    def joined(self, coarse: Any, fine: Any, name: str) -> Any:
        """The coarse features, fewer and twice as large, beside the fine ones."""
        x = self.conv(coarse, fine.shape[-1], 1, f"{name}_entry")
        x = layers.UpSampling2D(2, name=name)(x)
        return layers.Concatenate(name=f"{name}_join")([x, fine])

    def heads(self, features: list[Any], classes: int) -> tuple[Any, Any]:
        """Distances [N, A, 4] in strides, logits [N, A, classes]."""
        distances, scores = [], []
        first_score = -math.log(1 / _FIRST_SCORE - 1)
        for x, stride, distance in zip(features, _STRIDES, _FIRST_DISTANCES, strict=True):
            c = self.channels(32)
            places = x.shape[1] * x.shape[2]
            entry = self.conv(x, c, 1, f"head{stride}")
            for name, outputs, first, kept in (
                ("box", 4, distance, distances),
                ("class", classes, first_score, scores),
            ):
                y = self.conv(entry, c, 3, f"{name}{stride}a")
                y = self.conv(y, c, 3, f"{name}{stride}b")
                y = layers.Conv2D(
                    outputs,
                    1,
                    kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                    bias_initializer=keras.initializers.Constant(first),
                    name=f"{name}{stride}",
                )(y)
                kept.append(layers.Reshape((places, outputs), name=f"{name}{stride}_rows")(y))
        join = layers.Concatenate(axis=1, name="distances")
        return join(distances), layers.Concatenate(axis=1, name="scores")(scores)


class Places(layers.Layer):
    """Turns distances of a place to the sides of its box into the box.

    Args:
        size: Height and width of the picture.
    """

    def __init__(self, size: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        centres, reaches = [], []
        for stride in _STRIDES:
            y, x = np.divmod(np.arange((size // stride) ** 2), size // stride)
            centre = (np.stack([x, y, x, y], 1) + 0.5) * stride / size
            centres.append(centre)
            reaches.append(np.full_like(centre, stride / size) * (-1, -1, 1, 1))
        self._centres = np.concatenate(centres)[None].astype("float32")
        self._reaches = np.concatenate(reaches)[None].astype("float32")

    def call(self, distances: Any) -> Any:
        return self._centres + distances * self._reaches


class Chosen(layers.Layer):
    """Greedy suppression in operators that every target has: no loop, no gather, no changing shape.

    Of the `most` places with the highest scores, each with its best class, those go that a better
    one of the same class overlaps. That is a recursion from the best down; repeating "suppressed by
    whoever is not suppressed" for all at once gives the same as soon as no chain of suppressions is
    longer than the number of repeats (Cluster-NMS, Zheng et al. 2020, arXiv 2005.03572).

    Args:
        most: Places looked at, and rows of the outputs.
        overlap: Highest IoU of two objects of a class.
        rounds: Repeats.
    """

    def __init__(
        self, most: int = 100, overlap: float = 0.6, rounds: int = 8, **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        self.most = most
        self.overlap = overlap
        self.rounds = rounds

    def call(self, inputs: Any) -> tuple[Any, Any, Any]:
        boxes, logits = inputs
        places = np.arange(boxes.shape[1], dtype="int32")
        best, where = ops.top_k(ops.max(logits, axis=-1), min(self.most, len(places)))
        # A product with ones and zeros picks rows alike in every runtime.
        picked = ops.cast(ops.equal(where[:, :, None], places[None, None]), "float32")
        boxes = ops.clip(ops.matmul(picked, boxes), 0.0, 1.0)
        # Keras's argmax looks at bits, which no converter can.
        logits = ops.matmul(picked, logits)
        names = np.arange(logits.shape[-1], dtype="float32")
        behind = ops.cast(logits < ops.max(logits, axis=-1, keepdims=True), "float32")
        classes = ops.min(names + behind * len(names), axis=-1)
        better = np.tril(np.ones((best.shape[1], best.shape[1]), "float32"), -1)
        clashing = ops.cast(_overlap_more(boxes, self.overlap), "float32") * better
        clashing *= ops.cast(ops.equal(classes[:, :, None], classes[:, None]), "float32")
        kept = ops.ones_like(best)
        for _ in range(self.rounds):
            kept = 1.0 - ops.max(clashing * kept[:, None], axis=-1)
        return boxes, ops.sigmoid(best) * kept, classes


def _overlap_more(boxes: Any, limit: float) -> Any:
    """Whether each box [N, K, 4] has an IoU above `limit` with each other one: bool [N, K, K].

    Without a division, which would need a guard against 0.
    """
    one, other = boxes[:, :, None], boxes[:, None]
    low = ops.maximum(one[..., :2], other[..., :2])
    high = ops.minimum(one[..., 2:], other[..., 2:])
    sides = ops.maximum(high - low, 0.0)
    common = sides[..., 0] * sides[..., 1]
    extent = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    area = extent[..., 0] * extent[..., 1]
    return common > limit * (area[:, :, None] + area[:, None] - common)
