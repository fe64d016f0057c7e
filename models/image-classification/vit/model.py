"""ViT (Dosovitskiy et al. 2021, arXiv 2010.11929), tiny, as in "Better plain ViT baselines".

Mean pooling for the class token and fixed sine-cosine positions: Beyer et al. 2022, arXiv
2205.01580. A stem of strided convolutions for the single patch convolution, which trains in a
fraction of the steps: Xiao et al. 2021, arXiv 2106.14881.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers


def build(
    classes: int,
    size: int = 64,
    patch: int = 8,
    width: int = 128,
    depth: int = 6,
    heads: int = 4,
    stem: str = "convolutions",
    activation: str = "gelu",
    dropout: float = 0.1,
) -> keras.Model:
    """Vision transformer with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture, a multiple of `patch`.
        patch: Height and width of a patch.
        width: Channels of a token, a multiple of `heads` and of 4.
        depth: Layers.
        heads: Attention heads.
        stem: "convolutions" (3 × 3, stride 2, batch norm and ReLU, until a patch is one place) or
            "patches" (the paper's one convolution of a patch's size).
        activation: Of the perceptrons: "gelu" (exact) or "relu", which every accelerator has.
        dropout: Share of values dropped behind each branch while training.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if stem not in ("convolutions", "patches"):
        raise ValueError(f"stem {stem!r}: convolutions or patches")
    if stem == "convolutions" and patch not in (2, 4, 8, 16):
        raise ValueError(f"patch {patch}: 2, 4, 8 or 16 with a stem of convolutions")
    if size % patch or width % heads or width % 4:
        raise ValueError(
            f"size {size} must be a multiple of patch {patch}, "
            f"width {width} one of heads {heads} and of 4"
        )
    side = size // patch
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    if stem == "convolutions":
        for halving in range(patch.bit_length() - 2, -1, -1):
            channels = max(16, width >> halving)
            x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"stem{halving}")(x)
            x = layers.BatchNormalization(name=f"stem{halving}_norm")(x)
            x = layers.ReLU(name=f"stem{halving}_relu")(x)
        x = layers.Conv2D(width, 1, name="patches")(x)
    else:
        x = layers.Conv2D(width, patch, patch, name="patches")(x)
    x = layers.Reshape((side * side, width), name="tokens")(x)
    x = Positions(side, width, name="positions")(x)
    for index in range(depth):
        x = _layer(x, width, heads, activation, dropout, f"layer{index}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="vit")


def _layer(x: Any, width: int, heads: int, activation: str, dropout: float, name: str) -> Any:
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    y = layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(y, y)
    x = layers.Add(name=f"{name}_add1")([x, layers.Dropout(dropout)(y)])
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = layers.Dense(4 * width, activation=activation, name=f"{name}_expand")(y)
    y = layers.Dense(width, name=f"{name}_reduce")(y)
    return layers.Add(name=f"{name}_add2")([x, layers.Dropout(dropout)(y)])


class Positions(layers.Layer):
    """Adds fixed sine-cosine positions of a square of tokens.

    Args:
        side: Tokens along an edge.
        width: Channels, a multiple of 4.
    """

    def __init__(self, side: int, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        rates = 1 / 10_000 ** (np.arange(width // 4) / max(1, width // 4 - 1))
        y, x = np.divmod(np.arange(side * side), side)
        angles = [axis[:, None] * rates for axis in (x, y)]
        parts = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
        self._table = np.concatenate(parts, axis=1).astype("float32")

    def call(self, x: Any) -> Any:
        return x + self._table
