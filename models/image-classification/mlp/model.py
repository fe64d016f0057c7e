"""A multilayer perceptron (Rumelhart, Hinton and Williams 1986, Nature 323).

Every pixel is joined to every hidden unit: the network is not told which pixels are neighbours.
Its hidden units are ReLU (Nair and Hinton 2010) instead of sigmoids, and train in fewer steps.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


def build(
    classes: int, size: int = 32, width: int = 256, depth: int = 2, activation: str = "relu"
) -> keras.Model:
    """Multilayer perceptron with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture.
        width: Units of a hidden layer.
        depth: Hidden layers.
        activation: Of the hidden units: "relu", "tanh" or "sigmoid".

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = layers.Conv2D(
        1,
        1,
        use_bias=False,
        trainable=False,
        kernel_initializer=keras.initializers.Constant(np.reshape(_LUMINANCE, (1, 1, 3, 1))),
        name="brightness",
    )(x)
    x = layers.Flatten(name="pixels")(x)
    start = "he_normal" if activation == "relu" else "glorot_uniform"
    for index in range(depth):
        x = layers.Dense(
            width, activation=activation, kernel_initializer=start, name=f"hidden{index}"
        )(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="mlp")
