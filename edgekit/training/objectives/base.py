"""What an objective is: a loss in TensorFlow, and the same figure over a whole validation split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.training.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Objective(ABC):
    """What one task's training minimizes.

    Args:
        recipe: The loss's settings are in it.
        classes: How many the labels tell apart.
    """

    def __init__(self, recipe: Recipe, classes: int) -> None:
        self.recipe = recipe
        self.classes = classes

    @abstractmethod
    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        """Mean loss of a batch, inside a `tf.function`.

        Args:
            outputs: One float32 tensor [B, ...] per output of the model.
            labels: [B, ...], as the data set gives them; for classes also float32 [B, classes],
                shares of each, where an augmentation mixed samples.
        """

    @abstractmethod
    def hits(self, outputs: Sequence[Any], labels: Any) -> Any:
        """How many samples of a batch are right, float32 scalar; a negative number if unknown."""

    @abstractmethod
    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        """The loss without what only training adds (smoothing), over arrays of a whole split."""


def objective_for(task: str, recipe: Recipe, classes: int) -> Objective:
    """The objective of a task.

    Raises:
        ModelError: The task cannot be trained.
    """
    if task.endswith("classification"):
        from edgekit.training.objectives.classification import Classification

        return Classification(recipe, classes)
    raise ModelError(f"models for {task} cannot be trained")
