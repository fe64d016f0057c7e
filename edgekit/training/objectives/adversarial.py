"""Two networks against each other: one makes pictures, one tells them from real ones.

Goodfellow et al. 2014 (arXiv 1406.2661), with the loss that does not saturate. Model folders bring
the critic in their `training.py`: an `Adversarial` of their own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.training.objectives.base import Objective, Play, as_float
from edgekit.training.pictures import draw_rows

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

_LINES, _COLUMNS = 4, 12


def fooling(made: Any) -> Any:
    """What the maker minimizes: −log of how real its pictures seem to be, the batch's mean.

    Args:
        made: [B, ...], the critic's scores of made pictures, or of parts of them; above 0 is real.
    """
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.softplus(-made))


def telling(real: Any, made: Any) -> Any:
    """What the critic minimizes: the cross entropy of telling real pictures from made ones.

    Args:
        real: [B, ...], its scores of real pictures.
        made: [B, ...], its scores of made ones.
    """
    import tensorflow as tf

    return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(made))


def steepness(critic: keras.Model, real: Any) -> Any:
    """How steep a critic's opinion is about real pictures: R₁, what keeps both from overshooting.

    Mescheder, Geiger and Nowozin 2018 (arXiv 1801.04406): the squared length of the slope, the
    batch's mean.

    Args:
        critic: Pictures [B, ...] → scores; without batch normalisation, by which the score of one
            picture depends on the others.
        real: float32 [B, ...].
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(real)
        scores = tf.reduce_sum(critic(real, training=True))
    slopes = tape.gradient(scores, real)
    return tf.reduce_sum(tf.square(slopes)) / tf.cast(tf.shape(real)[0], tf.float32)


class Adversarial(Objective):
    """A critic learns to tell what the model makes from the labels, the model to be taken for real.

    Both learn from every batch, in one step.
    """

    @abstractmethod
    def critic(self, shape: Sequence[int]) -> keras.Model:
        """A new critic: pictures [B, *shape] in 0–1 → scores [B, ...], above 0 for real ones."""

    def penalty(self, critic: keras.Model, real: Any) -> Any:
        """What else the critic minimizes, a float32 scalar: nothing, as here."""
        return 0.0

    def companions(self, model: keras.Model) -> Sequence[keras.Model]:
        self._critic = self.critic(model.output.shape[1:])
        return [self._critic]

    def plays(self, model: keras.Model, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        import tensorflow as tf

        outputs = as_float(model(inputs, training=True))
        real = tf.cast(labels, tf.float32)
        # Each play moves its own weights alone: one look at the made pictures is enough for both.
        made = self._critic(outputs[0], training=True)
        told = telling(self._critic(real, training=True), made)
        told += self.penalty(self._critic, real)
        return [Play(told, [self._critic]), Play(fooling(made), [model])], outputs

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        return fooling(self._critic(outputs[0], training=True))

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        """How far the mean of what is made is from the mean label: mean squared over the pixels.

        A critic's opinion says nothing from one epoch to the next: it has learnt meanwhile.
        """
        apart = outputs[0].mean(axis=0, dtype="float64") - labels.mean(axis=0, dtype="float64")
        return float((apart**2).mean())

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        draw_made(outputs[0], labels, folder / "predictions.png")


def draw_made(made: Array, real: Array, path: Path) -> None:
    """Write a PNG with four rows of made pictures over one of real ones.

    Args:
        made: [N, height, width, 1 or 3] in 0–1.
        real: The same.
        path: Replaced whole.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = {
        "made" if line == 0 else " " * line: made[line * _COLUMNS : (line + 1) * _COLUMNS]
        for line in range(_LINES)
    }
    draw_rows({**rows, "real": real}, path)
