"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, Proceedings of the IEEE 86).

At the paper's size: maps of 6, 16 and 120, 84 units behind them, sub-sampling with a learned factor
and bias a map, the scaled tanh of its appendix A. Three things are plainer: the second convolution
reads all maps, not a table's choice of them; the output is a dense layer, not radial basis
functions around drawn characters; and the picture's brightness comes from its colours.

Biases begin at random. A network of tanh without biases is an odd function: the negative of a
picture gives the negative of the logits. Light letters on dark and dark ones on light then cancel
out, and training stays at chance.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


def build(classes: int, size: int = 32, activation: str = "tanh") -> keras.Model:
    """LeNet-5 with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture, at least 32.
        activation: "tanh", the paper's scaled one, or "relu".

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if activation not in ("tanh", "relu"):
        raise ValueError(f"activation {activation!r}: tanh or relu")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    # Ordinary pictures have a deviation of a quarter: twice as much gives half of the paper's 1.
    x = layers.Rescaling(1 / 63.75, offset=-2, name="normalise")(image)
    x = layers.Conv2D(
        1,
        1,
        use_bias=False,
        trainable=False,
        kernel_initializer=keras.initializers.Constant(np.reshape(_LUMINANCE, (1, 1, 3, 1))),
        name="brightness",
    )(x)
    for index, (maps, kernel) in enumerate(((6, 5), (16, 5), (120, 5))):
        name = f"c{2 * index + 1}"
        x = layers.Conv2D(maps, kernel, **_start(), name=name)(x)
        x = _squash(x, activation, f"{name}_squash")
        if maps < 120:
            x = _sub_sample(x, activation, f"s{2 * index + 2}")
    x = layers.Flatten(name="flat")(x)
    x = _squash(layers.Dense(84, **_start(), name="f6")(x), activation, "f6_squash")
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="lenet")


def _start() -> dict[str, Any]:
    return {
        "kernel_initializer": "lecun_uniform",
        "bias_initializer": keras.initializers.RandomUniform(-1, 1),
    }


def _sub_sample(x: Any, activation: str, name: str) -> Any:
    """Means of 2 × 2, times a factor of the map, plus a bias of the map."""
    x = layers.AveragePooling2D(2, name=f"{name}_mean")(x)
    x = layers.DepthwiseConv2D(
        1,
        depthwise_initializer="ones",
        bias_initializer=keras.initializers.RandomUniform(-1, 1),
        name=name,
    )(x)
    return _squash(x, activation, f"{name}_squash")


def _squash(x: Any, activation: str, name: str) -> Any:
    """1.7159 tanh(2/3 x), which gives back ±1 for ±1; or ReLU."""
    if activation == "relu":
        return layers.ReLU(name=name)(x)
    x = layers.Rescaling(2 / 3, name=f"{name}_in")(x)
    x = layers.Activation("tanh", name=f"{name}_tanh")(x)
    return layers.Rescaling(1.7159, name=name)(x)
