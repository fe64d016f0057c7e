"""C3D (Tran et al. 2015, arXiv 1412.0767) for short, small clips: convolutions in space and time.

As in the paper every kernel is 3 × 3 × 3, pooling is by maxima, and the first pooling leaves time
alone, so that motion is not lost early. Made smaller: four convolutions instead of eight, 8 to 48
channels instead of 64 to 512, one dense layer instead of two, clips of 8 frames of 32 × 32 pixels
instead of 16 of 112 × 112.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


def build(
    classes: int,
    frames: int = 8,
    size: int = 32,
    width: int = 8,
    dense: int = 64,
    dropout: float = 0.2,
) -> keras.Model:
    """Classifier of clips with logits out.

    Args:
        classes: Outputs.
        frames: Of a clip, a multiple of 8.
        size: Height and width of a frame in pixels, a multiple of 16.
        width: Channels of the first convolution.
        dense: Units of the dense layer.
        dropout: Share of values dropped around the dense layer in training.

    Returns:
        uint8 `clip` [N, frames, size, size, 1] → float32 `logits` [N, classes].
    """
    if frames % 8 or size % 16:
        raise ValueError(f"frames {frames} and size {size} must be multiples of 8 and 16")
    clip = keras.Input((frames, size, size, 1), dtype="uint8", name="clip")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(clip)
    for number, channels in enumerate((width, 2 * width, 4 * width, 6 * width), start=1):
        x = layers.Conv3D(channels, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = _pooled_in_space(x, name=f"pool{number}")
        if number > 1:
            x = _pooled_in_time(x, name=f"pool{number}_time")
    x = layers.Flatten(name="flat")(x)
    x = layers.Dropout(dropout, name="flat_dropout")(x)
    x = layers.Dense(dense, activation="relu", name="fc6")(x)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(clip, layers.Dense(classes, name="logits")(x), name="conv3d")


# Pooling in two dimensions, twice: TFLite has none in three. A maximum of maxima is the same.
def _pooled_in_space(x: Any, name: str) -> Any:
    _, frames, height, width, channels = x.shape
    x = layers.Reshape((frames * height, width, channels), name=f"{name}_rows")(x)
    x = layers.MaxPooling2D(2, name=name)(x)
    return layers.Reshape((frames, height // 2, width // 2, channels), name=f"{name}_clip")(x)


def _pooled_in_time(x: Any, name: str) -> Any:
    _, frames, height, width, channels = x.shape
    x = layers.Reshape((frames, height * width, channels), name=f"{name}_rows")(x)
    x = layers.MaxPooling2D((2, 1), name=name)(x)
    return layers.Reshape((frames // 2, height, width, channels), name=f"{name}_clip")(x)
