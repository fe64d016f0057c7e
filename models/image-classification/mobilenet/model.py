"""MobileNet in its four versions, from keras.applications.

v1: Howard et al. 2017, arXiv 1704.04861. v2: Sandler et al. 2018, arXiv 1801.04381. v3: Howard et
al. 2019, arXiv 1905.02244.
"""

from __future__ import annotations

from functools import partial

import keras

_BACKBONES = {
    "v1": keras.applications.MobileNet,
    "v2": keras.applications.MobileNetV2,
    "v3-small": partial(keras.applications.MobileNetV3Small, include_preprocessing=False),
    "v3-large": partial(keras.applications.MobileNetV3Large, include_preprocessing=False),
}


def build(
    classes: int,
    version: str = "v2",
    width: float = 0.35,
    size: int = 96,
    minimalistic: bool = False,
    pretrained: str | None = None,
) -> keras.Model:
    """MobileNet with normalisation inside and logits out.

    Args:
        classes: Outputs.
        version: "v1", "v2", "v3-small" or "v3-large".
        width: Multiplier of every layer's channels (`alpha`).
        size: Height and width of the picture, at least 32.
        minimalistic: v3 without squeeze-excite, with ReLU for hard-swish and 3 × 3 kernels only:
            what accelerators like.
        pretrained: "imagenet" for the backbone's weights as Keras publishes them.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if version not in _BACKBONES:
        raise ValueError(f"version {version!r}: one of {', '.join(_BACKBONES)}")
    if minimalistic and not version.startswith("v3"):
        raise ValueError(f"minimalistic: only v3 has such a variant, not {version}")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    pixels = keras.layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    extra = {"minimalistic": minimalistic} if version.startswith("v3") else {}
    backbone = _BACKBONES[version](
        input_tensor=pixels,
        input_shape=(size, size, 3),
        alpha=width,
        include_top=False,
        weights=pretrained,
        **extra,
    )
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    kept = keras.layers.Dropout(0.1, name="dropout")(pooled)
    logits = keras.layers.Dense(classes, name="logits")(kept)
    return keras.Model(image, logits, name="mobilenet")
