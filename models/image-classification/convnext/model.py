"""ConvNeXt (Liu et al. 2022, arXiv 2201.03545), small: convolutions built like a transformer.

A block is a 7 × 7 depthwise convolution, layer normalisation, and a perceptron of four times the
channels with GELU, scaled and added to what came in. Layer normalisation stands before each
halving and behind the last pooling, too. Smaller than the paper's networks: pictures of 32 pixels,
two stages for four, and fewer blocks and channels. Layer scale
begins at 1 and no paths are dropped: both are for networks of many blocks. A stem of strided
convolutions reads the patches, which trains in a fraction of the steps: Xiao et al. 2021, arXiv
2106.14881.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(
    classes: int,
    width: int = 48,
    stages: int = 2,
    blocks: int = 3,
    kernel: int = 7,
    patch: int = 4,
    stem: str = "convolutions",
    activation: str = "gelu",
    size: int = 32,
) -> keras.Model:
    """ConvNeXt with normalisation inside and logits out.

    Args:
        classes: Outputs.
        width: Channels of the first stage; each further one has twice as many.
        stages: Each further one has half the height and width.
        blocks: In each stage.
        kernel: Height and width of the depthwise convolutions.
        patch: Height and width of a patch, one place of the first stage.
        stem: "convolutions" (3 × 3, stride 2, batch norm and ReLU, until a patch is one place) or
            "patches" (the paper's one convolution of a patch's size).
        activation: Of the perceptrons: "gelu" (exact) or "relu".
        size: Height and width of the picture, a multiple of `patch` · 2^(`stages` − 1).

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if stem not in ("convolutions", "patches"):
        raise ValueError(f"stem {stem!r}: convolutions or patches")
    if stem == "convolutions" and patch not in (2, 4, 8, 16):
        raise ValueError(f"patch {patch}: 2, 4, 8 or 16 with a stem of convolutions")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    for stage in range(stages):
        channels = width << stage
        if stage:
            x = _norm(x, f"stage{stage}")
            x = layers.Conv2D(channels, 2, 2, name=f"stage{stage}_halve")(x)
        else:
            x = _norm(_stem(x, patch, channels, stem), "patches")
        for index in range(blocks):
            x = _block(x, kernel, activation, f"stage{stage}_block{index}")
    x = _norm(layers.GlobalAveragePooling2D(name="pool")(x), "last")
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="convnext")


def _stem(x: Any, patch: int, width: int, stem: str) -> Any:
    if stem == "patches":
        return layers.Conv2D(width, patch, patch, name="patches")(x)
    for halving in range(patch.bit_length() - 2, -1, -1):
        channels = max(16, width >> halving)
        x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"stem{halving}")(x)
        x = layers.BatchNormalization(name=f"stem{halving}_norm")(x)
        x = layers.ReLU(name=f"stem{halving}_relu")(x)
    return layers.Conv2D(width, 1, name="patches")(x)


def _block(x: Any, kernel: int, activation: str, name: str) -> Any:
    channels = x.shape[-1]
    y = layers.DepthwiseConv2D(kernel, padding="same", name=f"{name}_depthwise")(x)
    y = layers.Dense(4 * channels, activation=activation, name=f"{name}_expand")(_norm(y, name))
    y = layers.Dense(channels, name=f"{name}_reduce")(y)
    return layers.Add(name=f"{name}_add")([x, Scale(name=f"{name}_scale")(y)])


def _norm(x: Any, name: str) -> Any:
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)


class Scale(layers.Layer):
    """The paper's layer scale: a factor for each channel, learned, beginning at 1."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.factors = self.add_weight(shape=(shape[-1],), initializer="ones", name="factors")

    def call(self, x: Any) -> Any:
        return x * self.factors
