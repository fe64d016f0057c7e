"""VGG (Simonyan and Zisserman 2015, arXiv 1409.1556): nothing but 3 × 3 convolutions, and pooling.

The paper's configurations A, B, D and E with an eighth of the channels, for pictures of 32 × 32
instead of 224 × 224, so dense layers read one place. Batch normalisation (arXiv 1502.03167), which
the paper had not yet, does what its first weights from a shallower network did: 16 layers train.
"""

from __future__ import annotations

import keras
from keras import layers

_BLOCKS = {  # convolutions before each pooling, by layers with weights
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


def build(
    classes: int,
    size: int = 32,
    depth: int = 16,
    width: int = 8,
    dense: int = 128,
    batch_norm: bool = True,
    dropout: float = 0.2,
) -> keras.Model:
    """VGG with normalisation inside and logits out.

    Args:
        classes: Outputs.
        size: Height and width of the picture, at least 32.
        depth: Layers with weights: 11, 13, 16 or 19.
        width: Channels of the first block (there 64), doubled three times.
        dense: Units of each of the two dense layers (there 4096).
        batch_norm: Whether a convolution is followed by batch normalisation.
        dropout: Share of values dropped behind the dense layers while training.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if depth not in _BLOCKS:
        raise ValueError(f"depth {depth}: one of {', '.join(map(str, _BLOCKS))}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    for block, count in enumerate(_BLOCKS[depth], start=1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            x = layers.Conv2D(
                width << min(block - 1, 3),
                3,
                padding="same",
                use_bias=not batch_norm,
                kernel_initializer="he_normal",
                name=name,
            )(x)
            if batch_norm:
                x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.Flatten(name="flat")(x)
    for name in ("dense1", "dense2"):
        x = layers.Dense(dense, activation="relu", kernel_initializer="he_normal", name=name)(x)
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="vgg")
