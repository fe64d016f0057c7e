"""Swin transformer (Liu et al. 2021, arXiv 2103.14030), small: attention within shifted windows.

Tokens attend to those of their own window, with a learned bias for each relative position. Every
second block shifts the windows by half, so that neighbours meet. Between stages four neighbouring
tokens become one of twice the channels. Smaller than the paper's networks: pictures of 32 pixels,
windows of 4 × 4 for 7 × 7, two stages for four, and fewer blocks and channels. A stem of strided
convolutions reads the patches, which trains in a fraction of the steps: Xiao et al. 2021, arXiv
2106.14881.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

# Added to the score of a pair that must not meet. The paper's −100 hides as well, but reads like a
# score; one that no score can be is fitted to 8 bits by the export.
_APART = -1e9


def build(
    classes: int,
    width: int = 48,
    stages: int = 2,
    depth: int = 2,
    heads: int = 3,
    patch: int = 4,
    stem: str = "convolutions",
    window: int = 4,
    activation: str = "gelu",
    size: int = 32,
) -> keras.Model:
    """Swin transformer with normalisation inside and logits out.

    Args:
        classes: Outputs.
        width: Channels of the first stage; each further one has twice as many.
        stages: Each further one has half the height and width.
        depth: Blocks in each stage.
        heads: Attention heads of the first stage; they multiply like the channels.
        patch: Height and width of a patch.
        stem: "convolutions" (3 × 3, stride 2, batch norm and ReLU, until a patch is one place) or
            "patches" (the paper's one convolution of a patch's size).
        window: Height and width of a window, in tokens.
        activation: Of the perceptrons: "gelu" (exact) or "relu".
        size: Height and width of the picture, a multiple of `patch` · `window` ·
            2^(`stages` − 1).

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes].
    """
    if stem not in ("convolutions", "patches"):
        raise ValueError(f"stem {stem!r}: convolutions or patches")
    if stem == "convolutions" and patch not in (2, 4, 8, 16):
        raise ValueError(f"patch {patch}: 2, 4, 8 or 16 with a stem of convolutions")
    smallest = patch * window << (stages - 1)
    if size % smallest or width % heads:
        raise ValueError(
            f"size {size} must be a multiple of {smallest} (patches, windows, stages), "
            f"width {width} one of heads {heads}"
        )
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = _norm(_stem(x, patch, width, stem), "patches")
    for stage in range(stages):
        if stage:
            x = _norm(Merge(name=f"stage{stage}_merge")(x), f"stage{stage}")
            x = layers.Dense(width << stage, use_bias=False, name=f"stage{stage}_reduce")(x)
        # A stage that is one window has no neighbours to meet.
        shift = window // 2 if x.shape[1] > window else 0
        for index in range(depth):
            name = f"stage{stage}_block{index}"
            x = _block(x, heads << stage, window, shift * (index % 2), activation, name)
    x = layers.GlobalAveragePooling2D(name="pool")(_norm(x, "last"))
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="swin")


def _stem(x: Any, patch: int, width: int, stem: str) -> Any:
    if stem == "patches":
        return layers.Conv2D(width, patch, patch, name="patches")(x)
    for halving in range(patch.bit_length() - 2, -1, -1):
        channels = max(16, width >> halving)
        x = layers.Conv2D(channels, 3, 2, "same", use_bias=False, name=f"stem{halving}")(x)
        x = layers.BatchNormalization(name=f"stem{halving}_norm")(x)
        x = layers.ReLU(name=f"stem{halving}_relu")(x)
    return layers.Conv2D(width, 1, name="patches")(x)


def _block(x: Any, heads: int, window: int, shift: int, activation: str, name: str) -> Any:
    channels = x.shape[-1]
    attention = WindowAttention(heads, window, shift, name=f"{name}_attention")
    y = attention(_norm(x, f"{name}_attention"))
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = _norm(x, f"{name}_perceptron")
    y = layers.Dense(4 * channels, activation=activation, name=f"{name}_expand")(y)
    y = layers.Dense(channels, name=f"{name}_reduce")(y)
    return layers.Add(name=f"{name}_add2")([x, y])


def _norm(x: Any, name: str) -> Any:
    return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)


class WindowAttention(layers.Layer):
    """Multi-head self-attention of the tokens of each window.

    [N, H, W, C] → the same. Windows of `window` × `window` tokens start `shift` rows and columns
    further on, and wrap around; pairs that only meet by wrapping are kept apart.
    """

    def __init__(self, heads: int, window: int, shift: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._heads, self._window, self._shift = heads, window, shift

    def build(self, shape: tuple[int | None, ...]) -> None:
        _, height, width, channels = shape
        inner = (None, (height // self._window) * (width // self._window), self._window**2)
        for name in ("query", "key", "value", "project"):
            dense = layers.Dense(channels, name=name)
            dense.build((*inner, channels))
            setattr(self, name, dense)
        self.bias = self.add_weight(
            shape=((2 * self._window - 1) ** 2, self._heads),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="bias",
        )
        self._apart = _apart(height, width, self._window, self._shift) if self._shift else None

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        x = _windows(_rolled(x, self._shift), self._window)
        query, key, value = (self._split(dense(x)) for dense in (self.query, self.key, self.value))
        query = query * (channels // self._heads) ** -0.5
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) + self._biases(x.shape[1])
        x = self._merge(ops.matmul(ops.softmax(scores), value))
        return _rolled(_joined(self.project(x), height, width, self._window), -self._shift)

    def _split(self, x: Any) -> Any:
        """[N, windows, tokens, C] → [N, windows · heads, tokens, C / heads]."""
        _, windows, tokens, channels = x.shape
        size = channels // self._heads
        x = ops.reshape(x, (-1, windows, tokens, self._heads, size))
        x = ops.transpose(x, (0, 1, 3, 2, 4))
        return ops.reshape(x, (-1, windows * self._heads, tokens, size))

    def _merge(self, x: Any) -> Any:
        """[N, windows · heads, tokens, C / heads] → [N, windows, tokens, C]."""
        _, windows, tokens, size = x.shape
        windows //= self._heads
        x = ops.reshape(x, (-1, windows, self._heads, tokens, size))
        return ops.reshape(
            ops.transpose(x, (0, 1, 3, 2, 4)), (-1, windows, tokens, self._heads * size)
        )

    def _biases(self, windows: int) -> Any:
        """What is added to scores, [1, 1 or windows · heads, tokens, tokens]."""
        bias = ops.transpose(ops.take(self.bias, _relative(self._window), axis=0), (2, 0, 1))
        apart = np.zeros((windows, 1, 1, 1), "float32") if self._apart is None else self._apart
        return ops.reshape(bias[None] + apart, (1, windows * self._heads, *bias.shape[1:]))


class Merge(layers.Layer):
    """[N, H, W, C] → [N, H / 2, W / 2, 4 C]: four neighbours become one token."""

    def call(self, x: Any) -> Any:
        _, height, width, channels = x.shape
        return ops.reshape(_windows(x, 2), (-1, height // 2, width // 2, 4 * channels))


def _windows(x: Any, window: int) -> Any:
    """[N, H, W, C] → [N, windows, tokens, C]."""
    _, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = ops.reshape(x, (-1, rows, window, columns, window * channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4))
    return ops.reshape(x, (-1, rows * columns, window * window, channels))


def _joined(x: Any, height: int, width: int, window: int) -> Any:
    """[N, windows, tokens, C] → [N, H, W, C]."""
    channels = x.shape[-1]
    x = ops.reshape(x, (-1, height // window, width // window, window, window * channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, height, width, channels))


def _rolled(x: Any, shift: int) -> Any:
    """Rows and columns begin `shift` further on; those before come last."""
    if not shift:
        return x
    x = ops.concatenate([x[:, shift:], x[:, :shift]], axis=1)
    return ops.concatenate([x[:, :, shift:], x[:, :, :shift]], axis=2)


def _relative(window: int) -> Any:
    """Number of the relative position of each pair of tokens, int32 [tokens, tokens]."""
    y, x = np.divmod(np.arange(window**2), window)
    rows = y[:, None] - y[None] + window - 1
    columns = x[:, None] - x[None] + window - 1
    return (rows * (2 * window - 1) + columns).astype("int32")


def _apart(height: int, width: int, window: int, shift: int) -> Any:
    """`_APART` for pairs of a window that are neighbours by wrapping only, else 0.

    float32 [windows, 1, tokens, tokens].
    """
    regions = [np.digitize(np.arange(n), (n - window, n - shift)) for n in (height, width)]
    number = (3 * regions[0][:, None] + regions[1][None]).astype("float32")
    number = number.reshape(height // window, window, width // window, window)
    number = number.transpose(0, 2, 1, 3).reshape(-1, 1, window**2)
    return np.where(number.transpose(0, 2, 1) == number, 0.0, _APART).astype("float32")[:, None]
