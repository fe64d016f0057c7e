"""Augmentation of pictures with boxes: every picture is put together from parts of one or four.

One resampling does it all: a part is scaled, mirrored, transposed and shifted on its way into its
quarter of the new picture (mosaic: Bochkovskiy et al. 2020, arXiv 2004.10934). Boxes follow, are
cut at the part's edges, and go where too little of them is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from edgekit.errors import ModelError
from edgekit.fields import Fields
from edgekit.spec import InputSpec
from edgekit.training.augment.base import Augmentation, streams
from edgekit.training.augment.image import FLIPS, recoloured

_GREY = 114.0 / 255  # what a letterbox has at its sides
_PARTS = 4
_NEGATIVE = 4  # a stream of random numbers beside those of `streams`
_MOST_CLASSES = 10_000
# New pictures of small parts hold more objects than any old one; beyond this the smallest go.
_ROOM = 2


@dataclass(frozen=True)
class _Frame:
    """A rectangle of every new picture: corners [B, 2], x and y in 0–1."""

    first: Any
    last: Any

    def region(self, pictures: Any) -> Any:
        """bool [B, H, W, 1]: the pixels whose centres lie in it."""
        import tensorflow as tf

        shape = tf.shape(pictures)
        inside = []
        for axis, size in enumerate((shape[2], shape[1])):
            places = (tf.cast(tf.range(size), tf.float32) + 0.5) / tf.cast(size, tf.float32)
            # No `first[:, axis, None]`: TensorFlow 2.21 loses the new axis of a slice of a stack.
            low, high = (tf.expand_dims(end[:, axis], 1) for end in (self.first, self.last))
            inside.append((places[None] >= low) & (places[None] < high))
        return (inside[1][:, :, None] & inside[0][:, None, :])[..., None]


@dataclass(frozen=True)
class DetectionAugmentation(Augmentation):
    """What happens to a picture and its boxes. Everything is drawn for each picture by itself.

    Attributes:
        mosaic: Share of a batch that is put together from four of its pictures each.
        smallest: Lowest scale of a part; 1 keeps its size.
        largest: Highest scale of a part.
        stretch: Width over height changes by at most this factor, either way.
        shift: Whether parts are placed anywhere, cut or with grey beside them, or stay in place.
        flip: "horizontal", "vertical" or "both", each with a chance of a half.
        transpose: Whether rows become columns, with a chance of a half; with `flip = "both"`, all
            eight positions of a square.
        kept: A box is kept while at least this share of its area is still to be seen.
        brightness: Values times 1 ± brightness.
        contrast: Distance from the picture's mean luma times 1 ± contrast.
        saturation: Distance from each pixel's luma times 1 ± saturation.
        tint: Each channel times 1 ± tint.
        noise: Standard deviation of Gaussian noise, as a share of the range.
        invert: Share of pictures that become their negative.
        inverted: Number of the class that each class is in the negative; empty: what it was.
    """

    mosaic: float = 0.0
    smallest: float = 1.0
    largest: float = 1.0
    stretch: float = 1.0
    shift: bool = False
    flip: str = ""
    transpose: bool = False
    kept: float = 0.4
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    tint: float = 0.0
    noise: float = 0.0
    invert: float = 0.0
    inverted: tuple[int, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> Self:
        usual = cls()
        return cls(
            mosaic=fields.number("mosaic", usual.mosaic, high=1.0),
            smallest=fields.number("smallest", usual.smallest, low=0.1, high=1.0),
            largest=fields.number("largest", usual.largest, low=1.0, high=4.0),
            stretch=fields.number("stretch", usual.stretch, low=1.0, high=4.0),
            shift=fields.flag("shift", usual.shift),
            flip=fields.text("flip", usual.flip, choices=FLIPS),
            transpose=fields.flag("transpose", usual.transpose),
            kept=fields.number("kept", usual.kept, low=0.01, high=1.0),
            brightness=fields.number("brightness", usual.brightness, high=1.0),
            contrast=fields.number("contrast", usual.contrast, high=1.0),
            saturation=fields.number("saturation", usual.saturation, high=1.0),
            tint=fields.number("tint", usual.tint, high=1.0),
            noise=fields.number("noise", usual.noise, high=1.0),
            invert=fields.number("invert", usual.invert, high=1.0),
            inverted=fields.integers(
                "inverted", usual.inverted, most=_MOST_CLASSES, low=0, high=_MOST_CLASSES
            ),
        )

    def apply(
        self, inputs: Any, labels: Any, seed: Any, *, spec: InputSpec, classes: int
    ) -> tuple[Any, Any]:
        """See `Augmentation`; boxes come largest first, with mosaic in 2·M rows.

        Raises:
            ModelError: `inverted` does not fit the classes.
        """
        import tensorflow as tf

        geometry, colour, tint, noise = streams(seed, 4)
        low, high = spec.range
        values = (tf.cast(inputs, tf.float32) - low) / (high - low)
        if self.invert:
            values, labels = self._inverted(
                values, labels, tf.random.fold_in(seed, _NEGATIVE), classes
            )
        values, labels = self._put_together(values, labels, geometry)
        if self.brightness or self.contrast or self.saturation:
            values = recoloured(values, colour, self.brightness, self.contrast, self.saturation)
        if self.tint:
            shape = [tf.shape(values)[0], 1, 1, spec.shape[-1]]
            values *= 1 + self.tint * tf.random.stateless_uniform(shape, tint, -1.0, 1.0)
        if self.noise:
            values += self.noise * tf.random.stateless_normal(tf.shape(values), noise)
        values = low + tf.clip_by_value(values, 0.0, 1.0) * (high - low)
        dtype = tf.as_dtype(spec.dtype)
        return tf.cast(tf.round(values) if dtype.is_integer else values, dtype), labels

    def _inverted(self, pictures: Any, labels: Any, seed: Any, classes: int) -> tuple[Any, Any]:
        """Some pictures as their negatives, their objects as what they then are."""
        import tensorflow as tf

        becomes = self.inverted or tuple(range(classes))
        if len(becomes) != classes or max(becomes) >= classes:
            raise ModelError(
                f"train.augment.inverted = {list(becomes)}: the data set has {classes} classes",
                hint="one number for each class, from 0: what it is in the negative",
            )
        chosen = tf.random.stateless_uniform([tf.shape(pictures)[0], 1, 1], seed) < self.invert
        pictures = tf.where(chosen[..., None], 1 - pictures, pictures)
        kinds = labels[..., :1]
        # Rows of padding, of class -1, stay what they are.
        others = tf.gather(
            tf.constant(becomes, kinds.dtype), tf.cast(tf.maximum(kinds, 0), tf.int32)
        )
        kinds = tf.where(chosen & (kinds >= 0), others, kinds)
        return pictures, tf.concat([kinds, labels[..., 1:]], axis=-1)

    def _put_together(self, pictures: Any, labels: Any, seed: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        count = tf.shape(pictures)[0]
        meeting, *parts = streams(seed, 1 + _PARTS)
        # The order of a batch is random already: its first pictures are the mosaics.
        mixed = tf.cast(tf.round(self.mosaic * tf.cast(count, tf.float32)), tf.int32)
        middle = tf.random.stateless_uniform([count, 2], meeting, 0.25, 0.75)
        whole = tf.where((tf.range(count) < mixed)[:, None], middle, 1.0)
        frame = _Frame(tf.zeros_like(whole), whole)
        result, boxes = self._part(pictures, labels, frame, parts[0])
        if not self.mosaic:
            return result, _packed(boxes, labels.shape[1])
        middle = middle[:mixed]
        frames = [
            _Frame(middle * [1.0, 0.0], middle * [0.0, 1.0] + [1.0, 0.0]),
            _Frame(middle * [0.0, 1.0], middle * [1.0, 0.0] + [0.0, 1.0]),
            _Frame(middle, tf.ones_like(middle)),
        ]
        mosaic, found = result[:mixed], [boxes]
        for frame, stream in zip(frames, parts[1:], strict=True):
            lap, maps = streams(stream, 2)
            # Some places away in the batch is another picture.
            away = tf.random.stateless_uniform([], lap, 1, tf.maximum(count, 2), tf.int32)
            picked, rows = (tf.roll(array, away, axis=0)[:mixed] for array in (pictures, labels))
            drawn, more = self._part(picked, rows, frame, maps)
            mosaic = tf.where(frame.region(drawn), drawn, mosaic)
            found.append(tf.pad(more + 1, [[0, count - mixed], [0, 0], [0, 0]]) - 1)
        result = tf.concat([mosaic, result[mixed:]], axis=0)
        return result, _packed(tf.concat(found, axis=1), _ROOM * labels.shape[1])

    def _part(self, pictures: Any, labels: Any, frame: _Frame, seed: Any) -> tuple[Any, Any]:
        """Pictures somewhere in a frame of the new ones, and what is left of their boxes."""
        import tensorflow as tf

        matrix, shift = self._maps(tf.shape(pictures)[0], frame, seed)
        moved = _moved(labels, matrix, shift)
        return _resampled(pictures, matrix, shift), _cut(moved, frame, self.kept)

    def _maps(self, count: Any, frame: _Frame, seed: Any) -> tuple[Any, Any]:
        """From a place (x, y in 0–1) of the old picture to one of the new: [B, 2, 2] and [B, 2]."""
        import tensorflow as tf

        size, stretch, heads, place = streams(seed, 4)
        low, high = math.log(self.smallest), math.log(self.largest)
        scale = tf.exp(tf.random.stateless_uniform([count, 1], size, low, high + 1e-9))
        reach = math.log(self.stretch) / 2
        ratio = tf.random.stateless_uniform([count, 1], stretch, -reach, reach + 1e-9)
        scales = scale * tf.exp(tf.concat([ratio, -ratio], axis=1))
        coins = tf.random.stateless_uniform([3, count], heads) < 0.5
        signs = [
            tf.where(coins[axis] & (self.flip in (name, "both")), -1.0, 1.0)
            for axis, name in enumerate(("horizontal", "vertical"))
        ]
        factors = scales * tf.stack(signs, axis=1)
        nought = tf.zeros_like(factors[:, 0])
        straight = tf.linalg.diag(factors)
        crossed = tf.stack(
            [
                tf.stack([nought, factors[:, 0]], axis=1),
                tf.stack([factors[:, 1], nought], axis=1),
            ],
            axis=1,
        )
        matrix = tf.where((coins[2] & self.transpose)[:, None, None], crossed, straight)
        # The part's new extent is `scales`: it lies anywhere in its frame, or the frame in it.
        if self.shift or self.mosaic:
            where = tf.random.stateless_uniform([count, 2], place)
        else:
            where = tf.fill([count, 2], 0.5)
        corner = frame.first + where * (frame.last - frame.first - scales)
        centre = corner + scales / 2
        return matrix, centre - tf.linalg.matvec(matrix, tf.fill([count, 2], 0.5))


def _resampled(pictures: Any, matrix: Any, shift: Any) -> Any:
    """Pictures [B, H, W, C] (float32, 0–1) moved by maps of places; grey where there is nothing."""
    import tensorflow as tf

    shape = tf.shape(pictures)
    size = tf.cast(tf.stack([shape[2], shape[1]]), tf.float32)
    back = tf.linalg.inv(matrix)
    # In pixels, whose centres lie at halves.
    pixels = back * size[:, None] / size[None, :]
    offset = -tf.linalg.matvec(back, shift) * size
    offset += tf.linalg.matvec(pixels, tf.fill([shape[0], 2], 0.5)) - 0.5
    zero = tf.zeros_like(offset[:, 0])
    rows = [pixels[:, 0, 0], pixels[:, 0, 1], offset[:, 0]]
    rows += [pixels[:, 1, 0], pixels[:, 1, 1], offset[:, 1], zero, zero]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack(rows, axis=1),
        output_shape=shape[1:3],
        fill_value=_GREY,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _moved(labels: Any, matrix: Any, shift: Any) -> Any:
    """Labels [B, M, 5] where the maps of their pictures bring them, corners in order."""
    import tensorflow as tf

    ends = [
        tf.einsum("bij,bmj->bmi", matrix, labels[..., at : at + 2]) + shift[:, None]
        for at in (1, 3)
    ]
    return tf.concat([labels[..., :1], tf.minimum(*ends), tf.maximum(*ends)], axis=-1)


def _cut(labels: Any, frame: _Frame, kept: float) -> Any:
    """Labels [B, M, 5] cut at a frame; class −1 where less than a share `kept` of a box is left."""
    import tensorflow as tf

    low, high = (
        tf.clip_by_value(corners, frame.first[:, None], frame.last[:, None])
        for corners in (labels[..., 1:3], labels[..., 3:])
    )
    area = tf.reduce_prod(labels[..., 3:] - labels[..., 1:3], axis=-1)
    left = tf.reduce_prod(high - low, axis=-1)
    stays = (labels[..., 0] >= 0) & (left > 0) & (left >= kept * area)
    classes = tf.where(stays, labels[..., 0], -1.0)
    return tf.concat([classes[..., None], low, high], axis=-1)


def _packed(labels: Any, room: int) -> Any:
    """The `room` largest boxes of [B, any, 5], boxes first, zeros in rows of class −1."""
    import tensorflow as tf

    is_box = labels[..., 0] >= 0
    area = tf.reduce_prod(labels[..., 3:] - labels[..., 1:3], axis=-1)
    order = tf.math.top_k(tf.where(is_box, area, -1.0), room).indices
    packed = tf.gather(labels, order, batch_dims=1)
    corners = tf.where(packed[..., :1] >= 0, packed[..., 1:], 0.0)
    return tf.concat([packed[..., :1], corners], axis=-1)
