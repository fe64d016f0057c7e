"""ResNet for small pictures (He et al. 2015, arXiv 1512.03385, section 4.2), and version 2.

A 3 × 3 convolution, then three stages of residual blocks with 16, 32 and 64 channels; the second
and third halve height and width. "v1" adds, then applies ReLU; its shortcuts have no weights.
"v2" is that of "Identity mappings" (He et al. 2016, arXiv 1603.05027): normalisation and ReLU come
before each convolution, and nothing stands on the way of the sum.

Smaller than the papers' networks: one block a stage where they have 3 to 18 (and 18 to 111).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(
    classes: int,
    version: str = "v1",
    blocks: int = 1,
    width: int = 16,
    bottleneck: bool = False,
    size: int = 32,
) -> keras.Model:
    """ResNet of 6 · blocks + 2 layers (9 · blocks + 2 with bottlenecks), logits out.

    Args:
        classes: Outputs.
        version: "v1", or "v2" with normalisation and ReLU before the convolutions.
        blocks: Residual blocks in each of the three stages.
        width: Channels of the first stage; the second has twice, the third four times as many.
        bottleneck: Blocks of 1 × 1, 3 × 3 and 1 × 1 convolutions, the last to four times the
            channels, for blocks of two 3 × 3; "v2" only.
        size: Height and width of the picture, a multiple of 4.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if version not in ("v1", "v2"):
        raise ValueError(f"version {version!r}: v1 or v2")
    if bottleneck and version == "v1":
        raise ValueError("bottleneck: only v2 has such blocks here")
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _convolution(x, width, 3, 1, "stem")
    if version == "v1":
        x = _relu_of_norm(x, "stem")
    for stage in range(3):
        for index in range(blocks):
            stride = 2 if stage and not index else 1
            name = f"stage{stage}_block{index}"
            if version == "v1":
                x = _block(x, width << stage, stride, name)
            else:
                x = _preactivated(x, width << stage, stride, bottleneck, name)
    if version == "v2":
        x = _relu_of_norm(x, "last")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="resnet")


def _block(x: Any, channels: int, stride: int, name: str) -> Any:
    y = _relu_of_norm(_convolution(x, channels, 3, stride, f"{name}_first"), f"{name}_first")
    y = _convolution(y, channels, 3, 1, f"{name}_second")
    y = layers.BatchNormalization(name=f"{name}_second_norm")(y)
    if stride > 1:
        x = Shortcut(channels, name=f"{name}_shortcut")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _preactivated(x: Any, channels: int, stride: int, bottleneck: bool, name: str) -> Any:
    y = _relu_of_norm(x, f"{name}_first")
    out = 4 * channels if bottleneck else channels
    if x.shape[-1] != out:
        x = layers.Conv2D(out, 1, stride, "same", name=f"{name}_shortcut")(y)
    if bottleneck:
        y = _convolution(y, channels, 1, 1, f"{name}_reduce")
        y = _relu_of_norm(y, f"{name}_reduce")
    y = _convolution(y, channels, 3, stride, f"{name}_middle")
    y = _relu_of_norm(y, f"{name}_middle")
    y = layers.Conv2D(out, 1 if bottleneck else 3, padding="same", name=f"{name}_last")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def _convolution(x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    return layers.Conv2D(
        channels,
        kernel,
        stride,
        "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_convolution",
    )(x)


def _relu_of_norm(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


class Shortcut(layers.Layer):
    """Every second row and column, and new channels of zeros: the paper's option A, no weights.

    Args:
        channels: Afterwards.
    """

    def __init__(self, channels: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._channels = channels

    def call(self, x: Any) -> Any:
        new = self._channels - x.shape[-1]
        sides = [[0, 0], [0, 0], [0, 0], [new // 2, new - new // 2]]
        return ops.pad(x[:, ::2, ::2, :], sides)
