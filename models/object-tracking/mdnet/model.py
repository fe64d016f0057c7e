"""MDNet (Nam and Han 2016, arXiv 1510.07945), small: features by which one thing is told from all.

Shared layers are trained on many videos at once, each with a last layer of its own (in
`training.py`), and are all that is exported: a tracker fits a new last layer, a logistic regression
of these features, to the first frame of its video and goes on fitting it, while the graph stays as
it is. Smaller than the paper's: crops of 32 × 32 for 107 × 107, three convolutions with fewer
channels that are not trained before, dense layers of 96 and 64 for 512; a network that is never
changed on the device, where the paper also trains its dense layers online.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(size: int = 32, width: int = 24, units: int = 96, values: int = 64) -> keras.Model:
    """The shared layers.

    Args:
        size: Height and width of a crop, a multiple of 8.
        width: Channels of the first convolution; the next ones have twice as many.
        units: Of the first dense layer.
        values: Features.

    Returns:
        uint8 `crop` [N, size, size, 3] in 0–255 → float32 `features` [N, values], none below 0.
    """
    if size % 8:
        raise ValueError(f"size {size} must be a multiple of 8")
    crop = keras.Input((size, size, 3), dtype="uint8", name="crop")
    x: Any = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(crop)
    for index, (channels, kernel) in enumerate(((width, 5), (2 * width, 3), (2 * width, 3)), 1):
        x = layers.Conv2D(channels, kernel, 2, "same", use_bias=False, name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"norm{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(units, activation="relu", name="dense1")(x)
    x = layers.ReLU(name="relu")(layers.Dense(values, name="features")(x))
    return keras.Model(crop, x, name="mdnet")
