"""How `cyclegan` is trained: there and back must give the same picture (arXiv 1703.10593)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from edgekit.training.objectives import Play
from edgekit.training.objectives.adversarial import Adversarial
from edgekit.training.pictures import draw_rows
from edgekit.training.recipe import Recipe

_WIDTH = 24  # of a critic
_CYCLE = 10.0  # what a level of 0–1 missed on the way back costs, against the critics


def objective(recipe: Recipe, classes: int) -> Adversarial:
    """The losses of two translators and two critics."""
    return ThereAndBack(recipe, classes)


class ThereAndBack(Adversarial):
    """The model translates samples to the labels' kind of pictures, its companion translates back.

    A critic of parts of pictures for each kind, and least squares for the cross entropy, as in the
    paper; without its memory of earlier pictures.
    """

    def critic(self, shape: Sequence[int]) -> keras.Model:
        picture = keras.Input(shape, name="picture")
        x = layers.Rescaling(2.0, offset=-1.0)(picture)
        for level in range(2):
            x = layers.Conv2D(_WIDTH << level, 4, 2, "same")(x)
            if level:
                x = layers.GroupNormalization(-1)(x)
            x = layers.LeakyReLU(negative_slope=0.2)(x)
        return keras.Model(picture, layers.Conv2D(1, 3, padding="same")(x), name="critic")

    def companions(self, model: keras.Model) -> Sequence[keras.Model]:
        self._there = model.get_layer("translator")
        self._back = _anew(self._there)
        self._of_there, self._of_back = (self.critic(model.output.shape[1:]) for _ in range(2))
        return [self._back, self._of_there, self._of_back]

    def plays(self, model: keras.Model, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        here = tf.cast(inputs, tf.float32) / 255
        there = tf.cast(labels, tf.float32)
        made_there, made_here = self._there(here), self._back(there)
        seen_there, seen_here = self._of_there(made_there), self._of_back(made_here)
        told = _squares(self._of_there(there), 1) + _squares(seen_there, 0)
        told += _squares(self._of_back(here), 1) + _squares(seen_here, 0)
        missed = _apart(self._back(made_there), here) + _apart(self._there(made_here), there)
        fooled = _squares(seen_there, 1) + _squares(seen_here, 1)
        plays = [
            Play(_CYCLE * missed + fooled, [model, self._back]),
            Play(told / 2, [self._of_there, self._of_back]),
        ]
        return plays, [made_there]

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        return _squares(self._of_there(outputs[0]), 1)

    def draw(
        self, outputs: Sequence[Any], inputs: Any, labels: Any, classes: Sequence[str], folder: Path
    ) -> None:
        rows = {"given": inputs, "made": outputs[0], "others": labels}
        draw_rows(rows, folder / "predictions.png")


def _anew(model: keras.Model) -> keras.Model:
    """The same layers with weights of their own."""
    return keras.models.clone_model(model)


def _squares(scores: Any, wanted: float) -> Any:
    return tf.reduce_mean(tf.square(scores - wanted))


def _apart(first: Any, second: Any) -> Any:
    return tf.reduce_mean(tf.abs(first - second))
