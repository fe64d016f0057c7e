"""What an objective is: a loss in TensorFlow, and the same figure over a whole validation split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
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

    def hits(self, outputs: Sequence[Any], labels: Any) -> Any | None:
        """How many samples of a batch are right, float32 scalar.

        None, as here, for a task whose samples are not simply right or wrong: its training then
        has a loss, and a metric on validation samples only.
        """
        return None

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        """Write pictures of what a model does into a run folder, PNG, for a person; none, as here.

        The training's report shows every PNG in the folder but `curves.png`.

        Args:
            outputs: One [N, ...] array per output of the model.
            inputs: [N, *shape], what it was given; of several inputs the first.
            labels: [N, ...].
            classes: Names of the classes.
            folder: The run folder.
        """
        return

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
    if task == "object-detection":
        # By name, so that this file needs no change when that one comes or goes.
        module = import_module("edgekit.training.objectives.detection")
        objective: Objective = module.Detection(recipe, classes)
        return objective
    raise ModelError(f"models for {task} cannot be trained")
