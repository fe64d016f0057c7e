"""Which language a short text is in, read byte by byte: convolutions, then a small transformer.

Two strided convolutions make one token of four bytes (as in CharFormer and CANINE, arXiv
2103.06874), and pre-norm layers (arXiv 1706.03762, 2002.04745) look at all of them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def build(
    classes: int,
    length: int = 128,
    vocabulary: int = 257,
    width: int = 96,
    depth: int = 2,
    heads: int = 4,
    activation: str = "relu",
    dropout: float = 0.1,
) -> keras.Model:
    """Language identifier with logits out.

    Args:
        classes: Outputs.
        length: Bytes of a text, a multiple of 4; 0 fills up.
        vocabulary: Numbers there are: 256 bytes and the fill-up.
        width: Channels of a token, a multiple of `heads`.
        depth: Layers.
        heads: Attention heads.
        activation: Everywhere: "relu", which every accelerator has, or "gelu" (exact).
        dropout: Share of values dropped behind each branch and before the classifier in training.

    Returns:
        int32 `tokens` [N, length] → float32 `logits` [N, classes].
    """
    if length % 4 or width % heads:
        raise ValueError(
            f"length {length} must be a multiple of 4, width {width} one of heads {heads}"
        )
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    there = Bytes(name="bytes")(tokens)
    x = layers.Embedding(vocabulary, width // 2, name="embedding")(tokens)
    x = layers.Multiply(name="filled")([x, there])
    for index, (channels, kernel) in enumerate(((width, 5), (width, 5))):
        x = layers.Conv1D(channels, kernel, 2, "same", activation=activation, name=f"stem{index}")(
            x
        )
        there = layers.MaxPooling1D(2, name=f"there{index}")(there)
        x = layers.Multiply(name=f"stem{index}_filled")([x, there])
    x = Positions(name="positions")(x)
    for index in range(depth):
        x = _layer(x, width, heads, activation, dropout, f"layer{index}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = Pooling(name="pool")([x, tokens])
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(tokens, layers.Dense(classes, name="logits")(x), name="language_id")


def _layer(x: Any, width: int, heads: int, activation: str, dropout: float, name: str) -> Any:
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    y = layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(y, y)
    y = layers.Dropout(dropout, name=f"{name}_dropout1")(y)
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = layers.Dense(2 * width, activation=activation, name=f"{name}_expand")(y)
    y = layers.Dense(width, name=f"{name}_reduce")(y)
    y = layers.Dropout(dropout, name=f"{name}_dropout2")(y)
    return layers.Add(name=f"{name}_add2")([x, y])


class Bytes(layers.Layer):
    """1.0 where there is a byte, 0.0 where 0 fills up: float32 [N, length, 1]."""

    def call(self, tokens: Any) -> Any:
        # Cut to 0…1 as integers: a quantizer would give token 1 and token 0 the same step.
        return ops.expand_dims(ops.cast(ops.minimum(tokens, 1), "float32"), -1)


class Positions(layers.Layer):
    """Adds a learned vector to each place."""

    def build(self, shape: Any) -> None:
        self._table = self.add_weight(
            shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02), name="table"
        )

    def call(self, x: Any) -> Any:
        return x + self._table


class Pooling(layers.Layer):
    """Mean over the tokens that hold a byte; without any, zeros.

    A product of matrices, as quantizers keep its sums in 32 bits: a plain sum over the tokens of a
    long text takes the 8 bits that a short one needs.
    """

    def call(self, inputs: Any) -> Any:
        x, tokens = inputs
        length = x.shape[1]
        parts = ops.reshape(ops.minimum(tokens, 1), (-1, length, tokens.shape[1] // length))
        there = ops.max(parts, axis=2)
        count = ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)
        shares = ops.cast(there, "float32") / ops.cast(count, "float32")
        return ops.squeeze(ops.matmul(ops.expand_dims(shares, 1), x), 1)
