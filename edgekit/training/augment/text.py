"""Augmentation of texts, as tokens: some become unknown, some go missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from edgekit.fields import Fields
from edgekit.spec import InputSpec
from edgekit.training.augment.base import Augmentation, streams

UNKNOWN = 1  # in every tokenizer; 0 fills up


@dataclass(frozen=True)
class TextAugmentation(Augmentation):
    """What happens to a text's tokens. Everything is drawn for each token by itself.

    Attributes:
        unknown: Chance that a token becomes the unknown one (word dropout, arXiv 1511.06349).
        delete: Chance that a token goes missing; those behind it move up. One always stays.
    """

    unknown: float = 0.0
    delete: float = 0.0

    @classmethod
    def read(cls, fields: Fields) -> Self:
        usual = cls()
        return cls(
            unknown=fields.number("unknown", usual.unknown, high=0.9),
            delete=fields.number("delete", usual.delete, high=0.9),
        )

    def apply(
        self, inputs: Any, labels: Any, seed: Any, *, spec: InputSpec, classes: int
    ) -> tuple[Any, Any]:
        import tensorflow as tf

        seeds = streams(seed, 2)
        if self.delete:
            chance = _chances(inputs, seeds[0])
            kept = (chance >= self.delete) | (
                chance >= tf.reduce_max(chance, axis=1, keepdims=True)
            )
            inputs = tf.where(kept, inputs, tf.zeros_like(inputs))
            order = tf.argsort(tf.cast(~kept, tf.int32), axis=1, stable=True)
            inputs = tf.gather(inputs, order, axis=1, batch_dims=1)
        if self.unknown:
            unknown = _chances(inputs, seeds[1]) < self.unknown
            # Fill-ups are smaller than the unknown token and stay.
            inputs = tf.where(unknown, tf.minimum(inputs, UNKNOWN), inputs)
        return inputs, labels


def _chances(inputs: Any, seed: Any) -> Any:
    """Of each token, uniform in 0–1; of fill-ups, which take no part, −1."""
    import tensorflow as tf

    chance = tf.random.stateless_uniform(tf.shape(inputs), seed)
    return tf.where(inputs > 0, chance, -tf.ones_like(chance))
