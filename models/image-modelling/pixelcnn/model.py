"""PixelCNN (van den Oord et al. 2016, arXiv 1601.06759, sections 3.4 and 3.5), small.

A picture is made pixel by pixel, row by row. The model says how likely each grey level is for a
pixel, of those above it and to its left: kernels are masked so that they see nothing else. Mask A,
of the first convolution, leaves the pixel itself out, mask B of all later ones keeps what is known
of it. As in the paper's Table 1: a 7 × 7 convolution, residual blocks that narrow, look
around by 3 × 3 and widen again, two 1 × 1 convolutions, a softmax. Smaller: 6 blocks of 24 and 48
channels for 15 of 128 and 256, 4 grey levels for 256, 16 × 16 pixels for 32 × 32.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers


def build(
    classes: int, size: int = 16, width: int = 24, depth: int = 6, head: int = 64, levels: int = 4
) -> keras.Model:
    """PixelCNN with normalisation inside and logits out.

    Args:
        classes: Grey levels told apart.
        size: Height and width of the picture.
        width: Channels within a residual block; between blocks there are twice as many.
        depth: Residual blocks.
        head: Channels of the last two 1 × 1 convolutions before the logits.
        levels: Grey levels of the input; 0 is black.

    Returns:
        uint8 `picture` [N, size, size, 1], levels from 0 → float32 `logits`
        [N, size, size, classes], each of the pixels before it alone.
    """
    picture = keras.Input((size, size, 1), dtype="uint8", name="picture")
    x = layers.Rescaling(2 / (levels - 1), offset=-1, name="normalise")(picture)
    x = MaskedConv2D("A", 2 * width, 7, padding="same", name="first")(x)
    for block in range(depth):
        name = f"block{block}"
        y = layers.ReLU(name=f"{name}_relu")(x)
        y = layers.Conv2D(width, 1, activation="relu", name=f"{name}_narrow")(y)
        y = MaskedConv2D("B", width, 3, padding="same", activation="relu", name=f"{name}_around")(y)
        y = layers.Conv2D(2 * width, 1, name=f"{name}_widen")(y)
        x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.ReLU(name="head_relu")(x)
    for number in (1, 2):
        x = layers.Conv2D(head, 1, activation="relu", name=f"head{number}")(x)
    return keras.Model(picture, layers.Conv2D(classes, 1, name="logits")(x), name="pixelcnn")


class MaskedConv2D(layers.Conv2D):
    """A convolution that sees the rows above, and of its own row what lies to the left.

    Args:
        mask: "A" without the pixel itself, "B" with it.
        filters: As of `Conv2D`, like what follows.
        kernel_size: Odd.
        **keywords: Of `Conv2D`.
    """

    def __init__(self, mask: str, filters: int, kernel_size: int, **keywords: Any) -> None:
        super().__init__(filters, kernel_size, **keywords)
        middle = kernel_size // 2
        seen = np.ones((kernel_size, kernel_size, 1, 1), np.float32)
        seen[middle, middle + (mask == "B") :] = 0
        seen[middle + 1 :] = 0
        self._seen = seen

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, kernel * self._seen)
