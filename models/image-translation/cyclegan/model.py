"""CycleGAN: a translator of pictures (Zhu, Park, Isola and Efros 2017, arXiv 1703.10593).

The generator of the paper's section 7.1: a convolution, halvings, residual blocks, as many
doublings, instance normalisation and ReLU throughout. Smaller: one halving and two blocks of a few
channels for the paper's two and six, kernels of 3 × 3 at both ends for those of 7 × 7, zeros at the
edges for reflections. It is learnt without pairs, together with a translator back and two critics,
which are in `training.py`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(size: int = 32, width: int = 16, blocks: int = 2) -> keras.Model:
    """Translator with normalisation inside; the picture comes out in 0–1.

    Args:
        size: Height and width of the picture, even.
        width: Channels of the first convolution, twice as many at half the size.
        blocks: Residual blocks.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `picture` [N, size, size, 3] in 0–1.
    """
    if size % 2:
        raise ValueError(f"size {size} must be even")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255, name="normalise")(image)
    return keras.Model(image, translator(size, width, blocks)(x), name="cyclegan")


def translator(size: int, width: int, blocks: int) -> keras.Model:
    """What lies between pictures in 0–1 and pictures in 0–1, [N, size, size, 3]."""
    picture = keras.Input((size, size, 3), name="picture")
    x = _layer(layers.Rescaling(2.0, offset=-1.0, name="centre")(picture), width, "first")
    x = _layer(x, 2 * width, "halve", strides=2)
    for index in range(blocks):
        inner = _layer(x, 2 * width, f"block{index}_a")
        inner = layers.Conv2D(2 * width, 3, padding="same", use_bias=False, name=f"block{index}_b")(
            inner
        )
        inner = InstanceNormalization(name=f"block{index}_b_norm")(inner)
        x = layers.Add(name=f"block{index}")([x, inner])
    x = layers.Conv2DTranspose(width, 4, 2, "same", use_bias=False, name="double")(x)
    x = layers.ReLU(name="double_relu")(InstanceNormalization(name="double_norm")(x))
    # The paper's tanh, moved to 0–1.
    x = layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="last")(x)
    return keras.Model(picture, x, name="translator")


def _layer(x: Any, channels: int, name: str, strides: int = 1) -> Any:
    x = layers.Conv2D(channels, 3, strides, "same", use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(InstanceNormalization(name=f"{name}_norm")(x))


class InstanceNormalization(layers.Layer):
    """Each channel of each picture to mean 0 and deviation 1, then scaled and moved.

    Ulyanov, Vedaldi and Lempitsky 2016 (arXiv 1607.08022). The small number under the root is a
    thousandth: of a channel that is nearly constant noise would be made, and its 8-bit range.
    """

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight((shape[-1],), initializer="ones", name="scale")
        self.shift = self.add_weight((shape[-1],), initializer="zeros", name="shift")

    def call(self, inputs: Any) -> Any:
        mean = ops.mean(inputs, axis=(1, 2), keepdims=True)
        apart = inputs - mean
        variance = ops.mean(ops.square(apart), axis=(1, 2), keepdims=True)
        return apart * (ops.rsqrt(variance + 1e-3) * self.scale) + self.shift
