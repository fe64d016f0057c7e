"""Network in network (Lin, Chen and Yan 2014, arXiv 1312.4400).

Its network for CIFAR-10, with an eighth of the channels: three blocks, each a convolution and two
of 1 × 1, which are a small perceptron at every place. No dense layer: the last block has a map a
class, and a class's logit is its map's mean.
"""

from __future__ import annotations

import keras
from keras import layers


def build(classes: int, size: int = 32, width: int = 24, dropout: float = 0.1) -> keras.Model:
    """Network in network with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture.
        width: Channels of a convolution (there 192).
        dropout: Share of values dropped between blocks while training (there 0.5).

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    blocks = (
        (5, (width, 5 * width // 6, width // 2)),
        (5, (width, width, width)),
        (3, (width, width)),
    )
    for number, (kernel, channels) in enumerate(blocks, start=1):
        for index, count in enumerate(channels):
            name = f"block{number}_{index}"
            x = layers.Conv2D(
                count,
                1 if index else kernel,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=name,
            )(x)
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        if number < len(blocks):
            pooling = layers.MaxPooling2D if number == 1 else layers.AveragePooling2D
            x = pooling(3, 2, "same", name=f"pool{number}")(x)
            x = layers.Dropout(dropout, name=f"block{number}_dropout")(x)
    x = layers.Conv2D(classes, 1, name="maps")(x)
    x = layers.GlobalAveragePooling2D(name="logits")(x)
    return keras.Model(image, x, name="network_in_network")
