"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) from keras.applications."""

from __future__ import annotations

import keras


def build(classes: int, width: float = 0.35, size: int = 96) -> keras.Model:
    """MobileNetV2 with normalisation inside and logits out.

    Args:
        classes: Outputs.
        width: Multiplier of every layer's channels (`alpha`).
        size: Height and width of the picture, at least 32.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    pixels = keras.layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    backbone = keras.applications.MobileNetV2(
        input_tensor=pixels,
        input_shape=(size, size, 3),
        alpha=width,
        include_top=False,
        weights=None,
    )
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    kept = keras.layers.Dropout(0.1, name="dropout")(pooled)
    logits = keras.layers.Dense(classes, name="logits")(kept)
    return keras.Model(image, logits, name="mobilenet")
