"""A small text encoder: the transformer of Vaswani et al. 2017 (arXiv 1706.03762), pre-norm.

Layers normalise before attention and before the perceptron (arXiv 2002.04745). The classifier sees
the mean and the maximum over the tokens, behind the layers and before them: without pre-training,
the plain bag of words carries much of what a sentence is about (arXiv 1607.01759).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

# Added to the scores of fill-ups. e^-24 is nothing beside a word, and int8 still resolves the
# scores: with the usual -1e9 in the same tensor, all words would have the same score.
_NOWHERE = -24.0


def build(
    classes: int,
    length: int = 40,
    vocabulary: int = 4000,
    width: int = 192,
    depth: int = 1,
    heads: int = 4,
    expansion: int = 2,
    activation: str = "relu",
    dropout: float = 0.4,
) -> keras.Model:
    """Text encoder with logits out.

    Args:
        classes: Outputs.
        length: Tokens of a text; 0 fills up.
        vocabulary: Tokens there are.
        width: Channels of a token, a multiple of `heads`.
        depth: Layers.
        heads: Attention heads.
        expansion: How much wider the perceptrons are.
        activation: Of the perceptrons: "relu", which every accelerator has, or "gelu" (exact).
        dropout: Share of values dropped behind each branch and before the classifier in training.

    Returns:
        int32 `tokens` [N, length] → float32 `logits` [N, classes].
    """
    if width % heads:
        raise ValueError(f"width {width} must be a multiple of heads {heads}")
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    words = Words(name="words")(tokens)
    shares = Shares(name="shares")(tokens)
    bag = layers.Embedding(vocabulary, width, name="embedding")(tokens)
    x = Positions(name="positions")(bag)
    x = layers.Dropout(dropout, name="positions_dropout")(x)
    for index in range(depth):
        name = f"layer{index}"
        y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
        y = Attention(heads, name=f"{name}_attention")([y, words])
        x = layers.Add(name=f"{name}_add1")([x, layers.Dropout(dropout, name=f"{name}_drop1")(y)])
        y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
        y = layers.Dense(expansion * width, activation=activation, name=f"{name}_expand")(y)
        y = layers.Dense(width, name=f"{name}_reduce")(y)
        x = layers.Add(name=f"{name}_add2")([x, layers.Dropout(dropout, name=f"{name}_drop2")(y)])
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    pooled = [
        Pooling(name="pool")([x, words, shares]),
        Pooling(name="bag")([bag, words, shares]),
    ]
    x = layers.Concatenate(name="features")(pooled)
    x = layers.Dropout(dropout, name="features_dropout")(x)
    return keras.Model(tokens, layers.Dense(classes, name="logits")(x), name="text_transformer")


class Words(layers.Layer):
    """1.0 where there is a token, 0.0 where 0 fills up: float32 [N, length, 1]."""

    def call(self, tokens: Any) -> Any:
        # Cut to 0…1 as integers: a quantizer would give token 1 and token 0 the same step.
        return ops.expand_dims(ops.cast(ops.minimum(tokens, 1), "float32"), -1)


class Shares(layers.Layer):
    """What each token counts for in a mean: one over their number, 0.0 for fill-ups.

    float32 [N, length, 1].
    """

    def call(self, tokens: Any) -> Any:
        there = ops.minimum(tokens, 1)
        count = ops.maximum(ops.sum(there, axis=1, keepdims=True), 1)
        return ops.expand_dims(ops.cast(there, "float32") / ops.cast(count, "float32"), -1)


class Positions(layers.Layer):
    """Adds a learned vector to each place."""

    def build(self, shape: Any) -> None:
        self._table = self.add_weight(
            shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02), name="table"
        )

    def call(self, x: Any) -> Any:
        return x + self._table


class Attention(layers.Layer):
    """Every token looks at every token that is no fill-up."""

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
        x, words = inputs
        query, key, value = (self._split(part(x)) for part in self._parts)
        size = self._width // self._heads
        scores = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        # [N, 1, 1, length]: what is looked at, the same for all heads and for all who look.
        there = ops.expand_dims(ops.transpose(words, (0, 2, 1)), 1)
        looked = ops.softmax(scores * there + (1.0 - there) * _NOWHERE, axis=-1)
        seen = ops.transpose(ops.matmul(looked, value), (0, 2, 1, 3))
        return self._join(ops.reshape(seen, (-1, self._length, self._width)))

    def _split(self, x: Any) -> Any:
        size = self._width // self._heads
        parts = ops.reshape(x, (-1, self._length, self._heads, size))
        return ops.transpose(parts, (0, 2, 1, 3))


class Pooling(layers.Layer):
    """Mean and maximum over the tokens that are no fill-ups; without any, zeros."""

    def call(self, inputs: Any) -> Any:
        x, words, shares = inputs
        # A product of matrices, as quantizers keep its sums in 32 bits: a plain sum over the tokens
        # of a long text takes the 8 bits that a short one needs.
        mean = ops.matmul(ops.transpose(shares, (0, 2, 1)), x)
        highest = ops.max(ops.relu(x) * words, axis=1)
        return ops.concatenate([ops.squeeze(mean, 1), highest], axis=-1)
