"""AlexNet (Krizhevsky, Sutskever and Hinton 2012, NeurIPS 25).

For small pictures: the first kernels are 5 × 5 and 3 × 3 (there 11 × 11 in steps of 4, and 5 × 5),
with an eighth of the channels. The rest is kept: five convolutions, of which the second, fourth and
fifth are cut into two towers (there: two GPUs), local response normalisation behind the first two,
overlapping pooling, two dense layers with dropout.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers


def build(
    classes: int,
    size: int = 32,
    width: float = 0.125,
    towers: int = 2,
    response_norm: bool = True,
    dropout: float = 0.2,
) -> keras.Model:
    """AlexNet with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture, at least 32.
        width: Factor on the paper's channels: 96, 256, 384, 384, 256 and 1024 for its dense 4096.
        towers: Into which the second, fourth and fifth convolution are cut; 1 cuts none.
        response_norm: Whether the first two are normalised by their neighbours in channel.
        dropout: Share of values dropped behind the dense layers while training.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    first, second, third, dense = (int(width * n) for n in (96, 256, 384, 1024))
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolution(x, first, 5, 1, "conv1")
    if response_norm:
        x = ResponseNorm(name="norm1")(x)
    x = layers.MaxPooling2D(3, 2, "same", name="pool1")(x)
    x = _convolution(x, second, 3, towers, "conv2")
    if response_norm:
        x = ResponseNorm(name="norm2")(x)
    x = layers.MaxPooling2D(3, 2, "same", name="pool2")(x)
    x = _convolution(x, third, 3, 1, "conv3")
    x = _convolution(x, third, 3, towers, "conv4")
    x = _convolution(x, second, 3, towers, "conv5")
    x = layers.MaxPooling2D(3, 2, "same", name="pool5")(x)
    x = layers.Flatten(name="flat")(x)
    for name in ("dense6", "dense7"):
        x = layers.Dense(dense, activation="relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="alexnet")


def _convolution(x: Any, channels: int, kernel: int, towers: int, name: str) -> Any:
    """Each tower sees its own share of the channels that come in."""
    share = x.shape[-1] // towers
    parts = [
        layers.Conv2D(
            channels // towers,
            kernel,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_{tower}" if towers > 1 else name,
        )(x[..., tower * share : (tower + 1) * share] if towers > 1 else x)
        for tower in range(towers)
    ]
    return layers.Concatenate(name=name)(parts) if towers > 1 else parts[0]


class ResponseNorm(layers.Layer):
    """x / (2 + α Σ x²)^¾ over five neighbouring channels (section 3.3).

    TensorFlow's own operation, which the runtimes have as one, too. The paper's α of 0.0001 is for
    pixels up to 255; with those of -1…1, 1 does what it did.
    """

    def call(self, x: Any) -> Any:
        return tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1.0, beta=0.75)
