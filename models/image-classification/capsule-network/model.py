"""Capsule network (Sabour et al. 2017, arXiv 1710.09829), small: dynamic routing between capsules.

A convolution, one that gives the primary capsules (vectors of 8), and a capsule for each class. How
much of each primary capsule goes to which class is found out anew for every picture, by three
rounds of routing by agreement (the paper's procedure 1), unrolled in the graph. A capsule's length
says how sure it is of its class. Smaller than the paper's network: fewer channels and capsules,
strides of 2 in both convolutions, no decoder that draws the picture anew. Primary capsules are
normalised and limited before they are squashed, for the sake of 8 bits. Logits are ten times the
lengths, which the paper's margin loss is about (training.py).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

SCALE = 10.0  # logit of a capsule of length 1
# Of the numbers in a primary capsule: eight of them at the limit are a capsule of length 0.97. With
# none, a few grow so large that a scale that holds them leaves 8 bits little for the rest.
LIMIT = 2.0
# Normalised numbers are as wide as 1, and their capsules as long as 0.9: nothing to learn from.
WIDTH = 0.1


def build(
    classes: int,
    width: int = 48,
    types: int = 8,
    values: int = 8,
    class_values: int = 8,
    rounds: int = 3,
    size: int = 32,
) -> keras.Model:
    """Capsule network with normalisation inside and logits out.

    Args:
        classes: Outputs.
        width: Channels of the first convolution.
        types: Kinds of primary capsules; there is one of each kind at each of 4 × 4 places.
        values: Numbers in a primary capsule.
        class_values: Numbers in a class's capsule.
        rounds: Of routing, at least 1.
        size: Height and width of the picture, at least 32.

    Returns:
        uint8 `image` [N, size, size, 3] in 0–255 → float32 `logits` [N, classes], each from 0 to
        10.
    """
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="normalise")(image)
    x = layers.Conv2D(width, 9, 2, activation="relu", name="convolution")(x)
    x = layers.Conv2D(types * values, 5, 2, use_bias=False, name="primary")(x)
    x = layers.BatchNormalization(
        gamma_initializer=keras.initializers.Constant(WIDTH), name="primary_bn"
    )(x)
    x = ops.clip(x, -LIMIT, LIMIT)
    x = layers.Reshape((-1, values), name="capsules")(x)
    x = Squash(name="squash")(x)
    x = ClassCapsules(classes, class_values, rounds, name="classes")(x)
    lengths = Length(name="lengths")(x)
    logits = layers.Rescaling(SCALE, name="logits")(lengths)
    return keras.Model(image, logits, name="capsule_network")


class Squash(layers.Layer):
    """Vectors [..., D] of any length → of the same direction, and a length below 1 (equation 1)."""

    def call(self, x: Any) -> Any:
        return _squash(x)


class ClassCapsules(layers.Layer):
    """Primary capsules [N, I, D] → a capsule for each class, [N, J, E], before squashing.

    Args:
        classes: J.
        values: E.
        rounds: Of routing.
    """

    def __init__(self, classes: int, values: int, rounds: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._classes, self._values, self._rounds = classes, values, rounds

    def build(self, shape: tuple[int | None, ...]) -> None:
        _, capsules, size = shape
        self.matrices = self.add_weight(
            shape=(capsules, size, self._classes * self._values),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="matrices",
        )

    def call(self, x: Any) -> Any:
        capsules = x.shape[1]
        # What each primary capsule predicts of each class: [N, J, I, E].
        said = ops.matmul(ops.transpose(x, (1, 0, 2)), self.matrices)
        said = ops.reshape(said, (capsules, -1, self._classes, self._values))
        said = ops.transpose(said, (1, 2, 0, 3))
        # The first round's logits are all 0, so that every class gets the same share.
        found = ops.sum(said, axis=2) / self._classes
        logits = 0.0
        for _ in range(self._rounds - 1):
            agreement = ops.matmul(said, _squash(found)[..., None])[..., 0]
            logits = logits + ops.transpose(agreement, (0, 2, 1))
            shares = ops.transpose(ops.softmax(logits), (0, 2, 1))
            found = ops.matmul(shares[:, :, None], said)[:, :, 0]
        return found


class Length(layers.Layer):
    """Vectors [N, J, E] → their lengths [N, J] once squashed: s² / (1 + s²)."""

    def call(self, x: Any) -> Any:
        return 1 - _over_one_plus(ops.sum(x * x, axis=-1))


def _squash(x: Any) -> Any:
    squares = ops.sum(x * x, axis=-1, keepdims=True)
    return x * (ops.sqrt(squares + 1e-7) * _over_one_plus(squares))


def _over_one_plus(squares: Any) -> Any:
    """1 / (1 + s²), of an operator that has an 8-bit form everywhere; a division has none."""
    root = ops.rsqrt(1 + squares)
    return root * root
