"""GPT: a decoder that says what comes next (Radford et al. 2019, GPT-2), for names, byte by byte.

Pre-norm layers, learned positions, causal attention, as in the paper; three layers of 64 channels
for its 12 to 48 of 768 to 1,600, ReLU for GELU, bytes for pairs of them, and an output layer of its
own where the paper uses the embedding twice.

One set of weights has two forms. The whole window takes all tokens at once: training, evaluation.
The step takes one token, its position and the keys and values of those before it, and gives the
logits of the next and this token's own key and value, which the caller writes at the position.
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
    depth: int = 3,
    heads: int = 4,
    size: int = 16,
    activation: str = "relu",
    dropout: float = 0.1,
    step: bool = False,
) -> keras.Model:
    """Decoder with logits out.

    Args:
        classes: Tokens that can come next.
        length: Tokens of a text at most.
        vocabulary: Tokens there are.
        width: Channels of a token.
        depth: Layers.
        heads: Attention heads.
        size: Channels of a head's query, key and value.
        activation: Of the perceptrons: "relu", which every accelerator has, or "gelu" (exact).
        dropout: Share of values dropped behind each branch in training.
        step: The form that takes one token.

    Returns:
        int32 `tokens` [N, length] → float32 `logits` [N, length, classes]. As a step: int32 `token`
        [N], int32 `position` [N], float32 `keys` and `values` [N, depth, heads, length, size] →
        float32 `logits` [N, classes], `new_keys` and `new_values` [N, depth, heads, size].
    """
    embedding = Embedding(vocabulary, length, width, name="embedding")
    blocks = [
        Block(heads, size, activation, dropout, name=f"layer{index}") for index in range(depth)
    ]
    norm = layers.LayerNormalization(epsilon=1e-6, name="norm")
    logits = layers.Dense(classes, name="logits")
    if not step:
        tokens = keras.Input((length,), dtype="int32", name="tokens")
        x = layers.Dropout(dropout, name="dropout")(embedding(tokens))
        for block in blocks:
            x = block(x)
        return keras.Model(tokens, logits(norm(x)), name="gpt")
    token = keras.Input((), dtype="int32", name="token")
    position = keras.Input((), dtype="int32", name="position")
    keys = keras.Input((depth, heads, length, size), name="keys")
    values = keras.Input((depth, heads, length, size), name="values")
    seen = Seen(length, name="seen")(position)
    x = ops.expand_dims(embedding(token, position=position), 1)
    new = []
    for index, block in enumerate(blocks):
        x, key, value = block(x, keys=keys[:, index], values=values[:, index], seen=seen)
        new.append((key, value))
    new_keys, new_values = (ops.stack(one, axis=1) for one in zip(*new, strict=True))
    scores = logits(norm(ops.squeeze(x, 1)))
    return keras.Model([token, position, keys, values], [scores, new_keys, new_values], name="gpt")


class Embedding(layers.Layer):
    """A learned vector for each token, and one for each place, together.

    Args:
        vocabulary: Tokens there are.
        length: Places there are.
        width: Channels.
    """

    def __init__(self, vocabulary: int, length: int, width: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        small = keras.initializers.RandomNormal
        self._words = self.add_weight((vocabulary, width), small(stddev=0.05), name="words")
        self._places = self.add_weight((length, width), small(stddev=0.05), name="places")

    def call(self, tokens: Any, position: Any = None) -> Any:
        """int32 [N, length], or [N] and its `position` [N] → float32 [..., width]."""
        places = self._places if position is None else ops.take(self._places, position, axis=0)
        return ops.take(self._words, tokens, axis=0) + places


class Seen(layers.Layer):
    """Which of the cache's places hold a token before `position`, and the token itself.

    int32 [N] → float32 [N, 1, 1, length + 1] of 0 and 1.
    """

    def __init__(self, length: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._table = np.tri(length, length + 1, -1, "float32")
        self._table[:, -1] = 1

    def call(self, position: Any) -> Any:
        return ops.take(self._table, position, axis=0)[:, None, None, :]


class Block(layers.Layer):
    """A pre-norm layer: attention to what came before, then a perceptron."""

    def __init__(
        self, heads: int, size: int, activation: str, dropout: float, **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        self._heads, self._size, self._activation = heads, size, activation
        self._drop = layers.Dropout(dropout)

    def build(self, shape: Any) -> None:
        width, inner = shape[-1], self._heads * self._size
        self._norm1 = layers.LayerNormalization(epsilon=1e-6, name="norm1")
        self._norm2 = layers.LayerNormalization(epsilon=1e-6, name="norm2")
        self._query, self._key, self._value = (
            layers.Dense(inner, name=name) for name in ("query", "key", "value")
        )
        self._join = layers.Dense(width, name="join")
        self._expand = layers.Dense(4 * width, activation=self._activation, name="expand")
        self._reduce = layers.Dense(width, name="reduce")
        for layer in (
            self._norm1, self._norm2, self._query, self._key, self._value, self._expand
        ):  # fmt: skip
            layer.build((None, None, width))
        self._join.build((None, None, inner))
        self._reduce.build((None, None, 4 * width))

    def call(
        self, x: Any, keys: Any = None, values: Any = None, seen: Any = None, training: bool = False
    ) -> Any:
        """Of a window [N, T, width] alone, or of one token and what came before it.

        Args:
            x: float32 [N, T, width]; T is 1 beside a cache.
            keys: float32 [N, heads, length, size], or None.
            values: Likewise.
            seen: [N, 1, 1, length + 1]: see `Seen`.
            training: Whether values are dropped.

        Returns:
            float32 [N, T, width]; beside a cache also the token's key and value [N, heads, size].
        """
        y = self._norm1(x)
        query, key, value = (self._split(part(y)) for part in (self._query, self._key, self._value))
        if keys is None:
            steps = x.shape[1]
            seen = np.tri(steps, dtype="float32")[None, None]
            found = self._attend(query, key, value, seen)
        else:
            # The own key stands behind the cache: what is written at the position comes later.
            every = (ops.concatenate(pair, axis=2) for pair in ((keys, key), (values, value)))
            found = self._attend(query, *every, seen)
        x = x + self._drop(self._join(found), training=training)
        y = self._reduce(self._expand(self._norm2(x)))
        x = x + self._drop(y, training=training)
        return x if keys is None else (x, ops.squeeze(key, 2), ops.squeeze(value, 2))

    def _attend(self, query: Any, key: Any, value: Any, seen: Any) -> Any:
        scores = ops.matmul(query * self._size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        looked = ops.softmax(scores * seen + (1.0 - seen) * _NOWHERE, axis=-1)
        found = ops.transpose(ops.matmul(looked, value), (0, 2, 1, 3))
        return ops.reshape(found, (-1, found.shape[1], self._heads * self._size))

    def _split(self, x: Any) -> Any:
        parts = ops.reshape(x, (-1, x.shape[1], self._heads, self._size))
        return ops.transpose(parts, (0, 2, 1, 3))
