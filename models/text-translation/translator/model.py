"""An encoder and a decoder that translates (Vaswani et al. 2017, arXiv 1706.03762), of bytes.

Post-norm layers, ReLU, and positions of sines and cosines, as in the paper; two layers of 64
channels on each side for its six of 512, bytes for pairs of them, and tables of their own where the
paper uses one for both texts and for the output.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

# Added to the scores of what may not be seen. e^-24 is nothing, and int8 still tells scores apart.
_NOWHERE = -24.0


def build(
    classes: int,
    length: int = 32,
    vocabulary: int = 257,
    width: int = 64,
    depth: int = 2,
    heads: int = 4,
    dropout: float = 0.1,
) -> keras.Model:
    """Translator with logits out.

    Args:
        classes: Tokens that can come next.
        length: Tokens of a text; 0 fills up.
        vocabulary: Tokens there are.
        width: Channels of a token, a multiple of `heads` and even.
        depth: Layers of the encoder, and of the decoder.
        heads: Attention heads.
        dropout: Share of values dropped behind each branch in training.

    Returns:
        int32 `source` [N, length] and `target` [N, length], what was written so far → float32
        `logits` [N, length, classes] of what comes next at each step.
    """
    if width % heads or width % 2:
        raise ValueError(f"width {width} must be even and a multiple of heads {heads}")
    source = keras.Input((length,), dtype="int32", name="source")
    target = keras.Input((length,), dtype="int32", name="target")
    there = There(name="there")(source)
    x = layers.Embedding(vocabulary, width, name="source_embedding")(source)
    x = layers.Dropout(dropout, name="source_dropout")(Positions(name="source_positions")(x))
    for index in range(depth):
        name = f"encoder{index}"
        x = _added(x, Attention(heads, name=f"{name}_self")([x, x, there]), dropout, f"{name}_1")
        x = _added(x, _perceptron(x, width, name), dropout, f"{name}_2")
    y = layers.Embedding(vocabulary, width, name="target_embedding")(target)
    y = layers.Dropout(dropout, name="target_dropout")(Positions(name="target_positions")(y))
    for index in range(depth):
        name = f"decoder{index}"
        looked = Attention(heads, name=f"{name}_self")([y, y])
        y = _added(y, looked, dropout, f"{name}_1")
        looked = Attention(heads, name=f"{name}_cross")([y, x, there])
        y = _added(y, looked, dropout, f"{name}_2")
        y = _added(y, _perceptron(y, width, name), dropout, f"{name}_3")
    logits = layers.Dense(classes, name="logits")(y)
    return keras.Model([source, target], logits, name="translator")


def _added(x: Any, branch: Any, dropout: float, name: str) -> Any:
    branch = layers.Dropout(dropout, name=f"{name}_drop")(branch)
    total = layers.Add(name=f"{name}_add")([x, branch])
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(total)


def _perceptron(x: Any, width: int, name: str) -> Any:
    x = layers.Dense(4 * width, activation="relu", name=f"{name}_expand")(x)
    return layers.Dense(width, name=f"{name}_reduce")(x)


class There(layers.Layer):
    """1.0 where there is a token, 0.0 where 0 fills up: float32 [N, 1, 1, length]."""

    def call(self, tokens: Any) -> Any:
        # Cut to 0…1 as integers: a quantizer would give token 1 and token 0 the same step.
        return ops.cast(ops.minimum(tokens, 1), "float32")[:, None, None, :]


class Positions(layers.Layer):
    """Scales embeddings by the root of their width and adds sines and cosines of the place."""

    def build(self, shape: Any) -> None:
        _, length, width = shape
        angles = np.arange(length)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
        self._table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")
        self._scale = float(width) ** 0.5

    def call(self, x: Any) -> Any:
        return x * self._scale + self._table


class Attention(layers.Layer):
    """Tokens of a text look at those of the other, or of their own, at none behind them."""

    def __init__(self, heads: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._heads = heads

    def build(self, shapes: Any) -> None:
        _, self._length, self._width = shapes[0]
        self._parts = [layers.Dense(self._width, name=name) for name in ("query", "key", "value")]
        self._join = layers.Dense(self._width, name="join")
        for layer in (*self._parts, self._join):
            layer.build(shapes[0])

    def call(self, inputs: Any) -> Any:
        """Of who looks and what is seen, [N, length, width], and where that is no fill-up.

        Without the last, no token sees one behind it.
        """
        x, other, *there = inputs
        seen = there[0] if there else np.tri(self._length, dtype="float32")[None, None]
        texts = (x, other, other)
        query, key, value = (
            self._split(part(text)) for part, text in zip(self._parts, texts, strict=True)
        )
        size = self._width // self._heads
        scores = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        # Added alone: OpenVINO's fusion of attention takes a product with the mask for a scale.
        looked = ops.softmax(scores + (1.0 - seen) * _NOWHERE, axis=-1)
        found = ops.transpose(ops.matmul(looked, value), (0, 2, 1, 3))
        return self._join(ops.reshape(found, (-1, self._length, self._width)))

    def _split(self, x: Any) -> Any:
        size = self._width // self._heads
        parts = ops.reshape(x, (-1, self._length, self._heads, size))
        return ops.transpose(parts, (0, 2, 1, 3))
