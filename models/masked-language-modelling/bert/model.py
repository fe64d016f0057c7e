"""BERT: an encoder that guesses what was hidden (Devlin et al. 2019, arXiv 1810.04805), of bytes.

Post-norm layers, learned positions, and the head of the paper: a dense layer and a norm before the
output. Three layers of 64 channels for its 12 of 768, ReLU for GELU, bytes for pieces of words, an
output layer of its own for the embedding used twice; no second sentence, so no segments.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

# Added to the scores of fill-ups. e^-24 is nothing, and int8 still tells the others apart.
_NOWHERE = -24.0


def build(
    classes: int,
    length: int = 32,
    vocabulary: int = 258,
    width: int = 64,
    depth: int = 3,
    heads: int = 4,
    activation: str = "relu",
    dropout: float = 0.1,
) -> keras.Model:
    """Encoder with logits out.

    Args:
        classes: Tokens that can be hidden.
        length: Tokens of a text; 0 fills up.
        vocabulary: Tokens there are, the mask among them.
        width: Channels of a token, a multiple of `heads`.
        depth: Layers.
        heads: Attention heads.
        activation: Of the perceptrons: "relu", which every accelerator has, or "gelu" (exact).
        dropout: Share of values dropped behind each branch in training.

    Returns:
        int32 `tokens` [N, length] → float32 `logits` [N, length, classes].
    """
    if width % heads:
        raise ValueError(f"width {width} must be a multiple of heads {heads}")
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    there = There(name="there")(tokens)
    x = layers.Embedding(vocabulary, width, name="embedding")(tokens)
    x = Positions(name="positions")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="embedding_norm")(x)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    for index in range(depth):
        name = f"layer{index}"
        y = Attention(heads, name=f"{name}_attention")([x, there])
        x = layers.Add(name=f"{name}_add1")([x, layers.Dropout(dropout, name=f"{name}_drop1")(y)])
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
        y = layers.Dense(4 * width, activation=activation, name=f"{name}_expand")(x)
        y = layers.Dense(width, name=f"{name}_reduce")(y)
        x = layers.Add(name=f"{name}_add2")([x, layers.Dropout(dropout, name=f"{name}_drop2")(y)])
        x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    x = layers.Dense(width, activation=activation, name="head")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="head_norm")(x)
    return keras.Model(tokens, layers.Dense(classes, name="logits")(x), name="bert")


class There(layers.Layer):
    """1.0 where there is a token, 0.0 where 0 fills up: float32 [N, 1, 1, length]."""

    def call(self, tokens: Any) -> Any:
        # Cut to 0…1 as integers: a quantizer would give token 1 and token 0 the same step.
        return ops.cast(ops.minimum(tokens, 1), "float32")[:, None, None, :]


class Positions(layers.Layer):
    """Adds a learned vector to each place."""

    def build(self, shape: Any) -> None:
        small = keras.initializers.RandomNormal(stddev=0.05)
        self._table = self.add_weight(shape[1:], small, name="table")

    def call(self, x: Any) -> Any:
        return x + self._table


class Attention(layers.Layer):
    """Every token looks at every token that is no fill-up, before it and behind it."""

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
        x, there = inputs
        query, key, value = (self._split(part(x)) for part in self._parts)
        size = self._width // self._heads
        scores = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        # Added alone: OpenVINO's fusion of attention takes a product with the mask for a scale.
        looked = ops.softmax(scores + (1.0 - there) * _NOWHERE, axis=-1)
        seen = ops.transpose(ops.matmul(looked, value), (0, 2, 1, 3))
        return self._join(ops.reshape(seen, (-1, self._length, self._width)))

    def _split(self, x: Any) -> Any:
        size = self._width // self._heads
        parts = ops.reshape(x, (-1, self._length, self._heads, size))
        return ops.transpose(parts, (0, 2, 1, 3))
