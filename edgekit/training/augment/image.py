"""Augmentation of pictures that have one class each.

The order is fixed: crop, zoom, shift and rotation in one resampling; flips; colour; noise; cutout;
mixing. Values are taken as parts (0–1) of the input's range, and integers rounded once, at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from edgekit.fields import Fields
from edgekit.spec import InputSpec
from edgekit.training.augment.base import Augmentation, streams

FLIPS = ("", "horizontal", "vertical", "both")

_GREY = 0.5
_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601


@dataclass(frozen=True)
class ImageAugmentation(Augmentation):
    """What happens to a picture. Everything is drawn for each picture by itself.

    Attributes:
        crop: Smallest share of the area that a random crop keeps (arXiv 1409.4842); 1 crops
            nothing.
        aspect: A crop's aspect ratio is at most this times, or one over this times, the picture's.
        zoom: Size times 1 ± zoom.
        shift: Share of height and width, both ways.
        rotate: Degrees, both ways.
        flip: "horizontal", "vertical" or "both", each with a chance of a half. Off unless asked
            for: a mirrored 2 is no 2.
        brightness: Values times 1 ± brightness.
        contrast: Distance from the picture's mean luma times 1 ± contrast.
        saturation: Distance from each pixel's luma times 1 ± saturation; nothing on grey pictures.
        noise: Standard deviation of Gaussian noise, as a share of the range.
        cutout: Side of a grey square, as a share of the picture's (arXiv 1708.04552).
        mixup: α of Beta(α, α), the share of the other picture (arXiv 1710.09412).
        cutmix: α of Beta(α, α), the share of the area from another picture (arXiv 1905.04899).
            With mixup, each picture gets one of the two.
    """

    crop: float = 1.0
    aspect: float = 1.0
    zoom: float = 0.0
    shift: float = 0.0
    rotate: float = 0.0
    flip: str = ""
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @classmethod
    def read(cls, fields: Fields) -> Self:
        usual = cls()
        return cls(
            crop=fields.number("crop", usual.crop, low=0.01, high=1.0),
            aspect=fields.number("aspect", usual.aspect, low=1.0, high=4.0),
            zoom=fields.number("zoom", usual.zoom, high=0.9),
            shift=fields.number("shift", usual.shift, high=1.0),
            rotate=fields.number("rotate", usual.rotate, high=180.0),
            flip=fields.text("flip", usual.flip, choices=FLIPS),
            brightness=fields.number("brightness", usual.brightness, high=1.0),
            contrast=fields.number("contrast", usual.contrast, high=1.0),
            saturation=fields.number("saturation", usual.saturation, high=1.0),
            noise=fields.number("noise", usual.noise, high=1.0),
            cutout=fields.number("cutout", usual.cutout, high=1.0),
            mixup=fields.number("mixup", usual.mixup, high=10.0),
            cutmix=fields.number("cutmix", usual.cutmix, high=10.0),
        )

    def apply(
        self, inputs: Any, labels: Any, seed: Any, *, spec: InputSpec, classes: int
    ) -> tuple[Any, Any]:
        import tensorflow as tf

        geometry, flips, colour, noise, cut, mix = streams(seed, 6)
        pictures = flipped(inputs, self.flip, flips)
        if not (self._resamples or self._recolours or self.noise or self.cutout or self._mixes):
            return pictures, labels
        low, high = spec.range
        values = (tf.cast(pictures, tf.float32) - low) / (high - low)
        if self._resamples:
            values = resampled(values, self._transforms(values, geometry))
        if self._recolours:
            values = recoloured(values, colour, self.brightness, self.contrast, self.saturation)
        if self.noise:
            values += self.noise * tf.random.stateless_normal(tf.shape(values), noise)
        if self.cutout:
            values = tf.where(_squares(values, self.cutout, cut), _GREY, values)
        if self._mixes:
            values, labels = self._mixed(values, tf.one_hot(labels, classes), mix)
        values = low + tf.clip_by_value(values, 0.0, 1.0) * (high - low)
        dtype = tf.as_dtype(spec.dtype)
        return tf.cast(tf.round(values) if dtype.is_integer else values, dtype), labels

    @property
    def _resamples(self) -> bool:
        crops = self.crop < 1 or self.aspect > 1
        return crops or self.zoom > 0 or self.shift > 0 or self.rotate > 0

    @property
    def _recolours(self) -> bool:
        return self.brightness > 0 or self.contrast > 0 or self.saturation > 0

    @property
    def _mixes(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0

    def _transforms(self, pictures: Any, seed: Any) -> Any:
        """[B, 2, 3]: where in the picture (−1…1 each way) a place of the result comes from."""
        import tensorflow as tf

        count = tf.shape(pictures)[0]
        draws = tf.random.stateless_uniform([7, count], seed, -1.0, 1.0)
        area = 1 - (1 - self.crop) * (draws[0] + 1) / 2
        ratio = tf.exp(math.log(self.aspect) * draws[1])
        width = tf.minimum(tf.sqrt(area * ratio), 1.0)
        height = tf.minimum(tf.sqrt(area / ratio), 1.0)
        # The crop lies inside; zoom, shift and rotation are about its centre.
        x = (1 - width) * draws[2] + self.shift * 2 * draws[4]
        y = (1 - height) * draws[3] + self.shift * 2 * draws[5]
        size = 1 + self.zoom * draws[6]
        turn = tf.random.stateless_uniform([count], seed + 1, -1.0, 1.0)
        angle = math.radians(self.rotate) * turn
        cosine, sine = tf.cos(angle) / size, tf.sin(angle) / size
        rows = [
            tf.stack([width * cosine, -width * sine, x], axis=1),
            tf.stack([height * sine, height * cosine, y], axis=1),
        ]
        return tf.stack(rows, axis=1)

    def _mixed(self, values: Any, shares: Any, seed: Any) -> tuple[Any, Any]:
        """Each picture with the one before it in the batch, whose order is random already."""
        import tensorflow as tf

        count = tf.shape(values)[0]
        pick, first, second, place = streams(seed, 4)
        others = tf.roll(values, 1, axis=0)
        chance = 1.0 if not self.mixup else 0.0 if not self.cutmix else 0.5
        cuts = tf.random.stateless_uniform([count], pick) < chance
        blend = _beta(self.mixup or 1.0, count, first)
        boxes = _boxes(values, tf.sqrt(_beta(self.cutmix or 1.0, count, second)), place)
        area = tf.reduce_mean(tf.cast(boxes, tf.float32), axis=[1, 2, 3])
        part = tf.where(cuts, area, blend)
        weight = tf.where(
            cuts[:, None, None, None], tf.cast(boxes, tf.float32), blend[:, None, None, None]
        )
        mixed = values + weight * (others - values)
        return mixed, shares + part[:, None] * (tf.roll(shares, 1, axis=0) - shares)


def flipped(pictures: Any, how: str, seed: Any) -> Any:
    """Pictures [B, H, W, C], each mirrored with a chance of a half; bytes stay what they are."""
    import tensorflow as tf

    for axis, name, stream in zip(
        (2, 1), ("horizontal", "vertical"), streams(seed, 2), strict=True
    ):
        if how in (name, "both"):
            heads = tf.random.stateless_uniform([tf.shape(pictures)[0]], stream) < 0.5
            mirrored = tf.reverse(pictures, axis=[axis])
            pictures = tf.where(heads[:, None, None, None], mirrored, pictures)
    return pictures


def resampled(pictures: Any, transforms: Any) -> Any:
    """Pictures [B, H, W, C] (float32) moved by affine maps, bilinear; edges are mirrored.

    Args:
        pictures: What to read from.
        transforms: [B, 2, 3], from a place of the result (x, y; −1…1 across the picture) to the
            place in the picture that it shows.
    """
    import tensorflow as tf

    shape = tf.shape(pictures)
    half_height = (tf.cast(shape[1], tf.float32) - 1) / 2
    half_width = (tf.cast(shape[2], tf.float32) - 1) / 2
    (a, b, x), (c, d, y) = (tf.unstack(row, axis=1) for row in tf.unstack(transforms, axis=1))
    # The same in pixels from the corner.
    b, c = b * half_width / half_height, c * half_height / half_width
    x = half_width * (1 + x) - a * half_width - b * half_height
    y = half_height * (1 + y) - c * half_width - d * half_height
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack([a, b, x, c, d, y, zero, zero], axis=1),
        output_shape=shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )


def recoloured(
    pictures: Any, seed: Any, brightness: float, contrast: float, saturation: float
) -> Any:
    """Pictures [B, H, W, C] (float32, 0–1) in another light; values may leave 0–1."""
    import tensorflow as tf

    draws = tf.random.stateless_uniform([3, tf.shape(pictures)[0], 1, 1, 1], seed, -1.0, 1.0)
    pictures *= 1 + brightness * draws[0]
    colours = pictures.shape[-1] == len(_LUMA)
    luma = tf.tensordot(pictures, tf.constant(_LUMA), 1)[..., None] if colours else pictures
    if saturation and colours:
        pictures = luma + (1 + saturation * draws[1]) * (pictures - luma)
    mean = tf.reduce_mean(luma, axis=[1, 2, 3], keepdims=True)
    return mean + (1 + contrast * draws[2]) * (pictures - mean)


def _squares(pictures: Any, side: float, seed: Any) -> Any:
    import tensorflow as tf

    return _boxes(pictures, tf.fill([tf.shape(pictures)[0]], side), seed)


def _boxes(pictures: Any, side: Any, seed: Any) -> Any:
    """bool [B, H, W, 1]: inside a box of `side` (0–1) of the picture, its centre anywhere."""
    import tensorflow as tf

    shape = tf.shape(pictures)
    centres = tf.random.stateless_uniform([2, shape[0], 1], seed)
    inside = []
    for centre, size in zip(tf.unstack(centres), (shape[1], shape[2]), strict=True):
        places = (tf.cast(tf.range(size), tf.float32) + 0.5) / tf.cast(size, tf.float32)
        inside.append(tf.abs(places[None, :] - centre) < side[:, None] / 2)
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]


def _beta(alpha: float, count: Any, seed: Any) -> Any:
    """float32 [count] of Beta(alpha, alpha)."""
    import tensorflow as tf

    draws = tf.random.stateless_gamma([2, count], seed, alpha)
    # With a small alpha both may be 0 in float32.
    return tf.math.divide_no_nan(draws[0], draws[0] + draws[1])
