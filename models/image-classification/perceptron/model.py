"""The perceptron (Rosenblatt 1958, Psychological Review 65; 1962, Principles of Neurodynamics).

Three layers, as there: sensory units, the picture's pixels; association units, whose connections
are fixed and which fire above a threshold; response units, whose connections alone are learned.
Rosenblatt drew the fixed connections at random near a place. Here they are derivatives of the
brightness in several directions, as later found in the retina's cells and in HOG (Dalal and Triggs
2005); units near each other, of one direction, are averaged. The response units are trained by
gradient descent on the cross entropy, not by the error-correction rule.
"""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import layers

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


def build(
    classes: int,
    size: int = 32,
    units: str = "edges",
    directions: int = 8,
    cell: int = 4,
    threshold: float = 0.03,
) -> keras.Model:
    """Perceptron with normalisation inside and logits out.

    Args:
        classes: Response units.
        size: Height and width of the picture.
        units: Association units: "edges", or "pixels", which leaves them out: a linear classifier.
        directions: In which brightness may rise.
        cell: Height and width, in pixels, of a region whose units are averaged.
        threshold: Least rise of brightness (0–1, between neighbours) that makes a unit fire.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if units not in ("edges", "pixels"):
        raise ValueError(f"units {units!r}: edges or pixels")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    if units == "edges":
        kernels = _derivatives(directions)
        x = layers.Conv2D(
            directions,
            3,
            name="association",
            trainable=False,
            kernel_initializer=keras.initializers.Constant(kernels),
            bias_initializer=keras.initializers.Constant(-100 * threshold),
        )(x)
        x = layers.ReLU(name="fired")(x)
        x = layers.AveragePooling2D(cell, padding="same", name="cells")(x)
    x = layers.Flatten(name="features")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="perceptron")


def _derivatives(directions: int) -> np.ndarray:
    """Kernels [3, 3, 3, directions]: a rise of brightness by 0.01 from pixel to pixel gives 1."""
    y, x = np.mgrid[-1:2, -1:2]
    nearness = np.exp(-(x**2 + y**2) / 2)
    angles = 2 * math.pi * np.arange(directions) / directions
    rises = nearness[..., None] * (np.cos(angles) * x[..., None] + np.sin(angles) * y[..., None])
    rises /= np.sum(nearness * x**2)
    # Pixels come as -1…1: twice the brightness.
    kernels = rises[:, :, None, :] * np.array(_LUMINANCE)[:, None] * 100 / 2
    return kernels.astype("float32")
