"""MLP-Mixer (Tolstikhin et al. 2021, arXiv 2105.01601), small: perceptrons and nothing else.

Each layer has two perceptrons of one hidden layer with GELU: the first mixes the patches of every
channel, the second the channels of every patch; both follow a layer normalisation and are added to
what came in. No attention, no positions. Smaller than the paper's networks: pictures of 32
pixels, patches of 4, and fewer layers and channels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(
    classes: int,
    patch: int = 4,
    stem: str = "patches",
    width: int = 64,
    depth: int = 6,
    tokens_hidden: int = 64,
    channels_hidden: int = 256,
    activation: str = "gelu",
    size: int = 32,
) -> keras.Model:
    """MLP-Mixer with normalisation inside and logits out.

    Args:
        classes: Outputs.
        patch: Height and width of a patch.
        stem: "patches" (the paper's one convolution of a patch's size) or "convolutions" (3 × 3,
            stride 2, batch norm and ReLU, until a patch is one place: Xiao et al. 2021, arXiv
            2106.14881).
        width: Channels of a patch.
        depth: Layers.
        tokens_hidden: Hidden units of the perceptron over patches (the paper's D_S).
        channels_hidden: Hidden units of the perceptron over channels (D_C).
        activation: Of the perceptrons: "gelu" (exact) or "relu".
        size: Height and width of the picture, a multiple of `patch`.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if size % patch:
        raise ValueError(f"size {size} must be a multiple of patch {patch}")
    if stem not in ("convolutions", "patches"):
        raise ValueError(f"stem {stem!r}: convolutions or patches")
    if stem == "convolutions" and patch not in (2, 4, 8, 16):
        raise ValueError(f"patch {patch}: 2, 4, 8 or 16 with a stem of convolutions")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _stem(x, patch, width, stem)
    x = layers.Reshape(((size // patch) ** 2, width), name="tokens")(x)
    for index in range(depth):
        name = f"layer{index}"
        y = layers.Permute((2, 1), name=f"{name}_columns")(_norm(x, f"{name}_tokens"))
        y = _perceptron(y, tokens_hidden, activation, f"{name}_tokens")
        y = layers.Permute((2, 1), name=f"{name}_rows")(y)
        x = layers.Add(name=f"{name}_tokens_add")([x, y])
        name = f"{name}_channels"
        y = _perceptron(_norm(x, name), channels_hidden, activation, name)
        x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.GlobalAveragePooling1D(name="pool")(_norm(x, "last"))
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="mlp_mixer")


def _stem(x: Any, patch: int, width: int, stem: str) -> Any:
    if stem == "patches":
        return layers.Conv2D(width, patch, patch, name="patches")(x)
    for halving in range(patch.bit_length() - 2, -1, -1):
        channels = max(16, width >> halving)
        x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"stem{halving}")(x)
        x = layers.BatchNormalization(name=f"stem{halving}_norm")(x)
        x = layers.ReLU(name=f"stem{halving}_relu")(x)
    return layers.Conv2D(width, 1, name="patches")(x)


def _perceptron(x: Any, hidden: int, activation: str, name: str) -> Any:
    y = layers.Dense(hidden, activation=activation, name=f"{name}_expand")(x)
    return layers.Dense(x.shape[-1], name=f"{name}_reduce")(y)


def _norm(x: Any, name: str) -> Any:
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
