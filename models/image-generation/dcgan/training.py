"""How `dcgan` is trained: a critic of strided convolutions against it (arXiv 1511.06434)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from edgekit.training.objectives.adversarial import Adversarial, steepness
from edgekit.training.recipe import Recipe

_WIDTH = 16
_STEEP = 0.05


def objective(recipe: Recipe, classes: int) -> Adversarial:
    """The critic's and the generator's losses."""
    return AgainstCritic(recipe, classes)


class AgainstCritic(Adversarial):
    """Three strided convolutions with leaky ReLU.

    Without the paper's batch normalisation, by which so small a critic told real batches from made
    ones within a hundred steps; R₁ holds it back instead.
    """

    def critic(self, shape: Sequence[int]) -> keras.Model:
        picture = keras.Input(shape, name="picture")
        x = layers.Rescaling(2.0, offset=-1.0)(picture)
        for level in range(3):
            x = layers.Conv2D(_WIDTH << level, 4, 2, "same")(x)
            x = layers.LeakyReLU(negative_slope=0.2)(x)
        return keras.Model(picture, layers.Dense(1)(layers.Flatten()(x)), name="critic")

    def penalty(self, critic: keras.Model, real: Any) -> Any:
        return _STEEP * steepness(critic, real)
