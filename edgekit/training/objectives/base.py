"""What an objective is: a loss in TensorFlow, and the same figure over a whole validation split.

Most tasks have one loss, of what the model gives for a batch. A model folder whose training is not
its task's (a generator with its critic, say) brings an objective of its own in `training.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import EdgekitError, ModelError
from edgekit.loading import TRAINING_FILE, call_in_folder
from edgekit.models import ModelSource
from edgekit.training.recipe import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np

    from edgekit.datasets import Dataset
    from edgekit.metrics.playing import Policy
    from edgekit.training.feed import Source

    Array = np.ndarray[Any, Any]

# The first whose end is the task's; what labels are is said behind its hyphen.
_OBJECTIVES = {
    "object-detection": "edgekit.training.objectives.detection:Detection",
    "classification": "edgekit.training.objectives.classification:Classification",
    "tagging": "edgekit.training.objectives.classification:Classification",
    "reading": "edgekit.training.objectives.classification:Classification",
    "segmentation": "edgekit.training.objectives.classification:Classification",
    "modelling": "edgekit.training.objectives.classification:Classification",
    "text-translation": "edgekit.training.objectives.classification:Classification",
    "tracking": "edgekit.training.objectives.regression:Boxes",
    "reconstruction": "edgekit.training.objectives.regression:Regression",
}


@dataclass(frozen=True, slots=True)
class Play:
    """A loss, and the models whose weights it moves; no weight is moved by two plays.

    Attributes:
        loss: float32 scalar.
        models: They share no weights with those of other plays.
    """

    loss: Any
    models: Sequence[keras.Model]


class Objective(ABC):
    """What one task's training minimizes.

    Args:
        recipe: The loss's settings are in it.
        classes: How many the labels tell apart.

    Attributes:
        failure: Why it failed inside a `tf.function`, where TensorFlow keeps only the text.
    """

    failure: EdgekitError | None = None

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

    def companions(self, model: keras.Model) -> Sequence[keras.Model]:
        """Models that are trained beside `model` and are not part of it: a critic, say.

        Called once for each model under training, before the first step; the same models in the
        same order each time.
        """
        return ()

    def experience(self, policy: Policy, dataset: Dataset, *, seed: int) -> Source | None:
        """Where samples come from instead of the data set: what the policy under training meets.

        Asked before `companions`, read after it.

        Args:
            policy: The model as it is when it is asked: states → outputs.
            dataset: What is trained on.
            seed: Of the training.

        Returns:
            None, as here, for the data set's own samples.
        """
        return None

    def plays(self, model: keras.Model, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        """Run a batch through `model` in training, inside a `tf.function`.

        Args:
            model: What is trained: the whole, or only its head.
            inputs: [B, *shape], or a list of such; what a frozen backbone made of them.
            labels: [B, ...].

        Returns:
            What is minimized, the loss to be shown first; and the outputs, float32.
        """
        outputs = as_float(model(inputs, training=True))
        loss = self.loss(outputs, labels)
        total = loss + sum(model.losses) if model.losses else loss
        return [Play(total, [model])], outputs

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


def as_float(outputs: Any) -> list[Any]:
    """A model's outputs as a list of float32 tensors."""
    import keras
    import tensorflow as tf

    return [tf.cast(output, tf.float32) for output in keras.tree.flatten(outputs)]


def objective_for(
    task: str, recipe: Recipe, classes: int, *, source: ModelSource | None = None
) -> Objective:
    """The objective of a task, or the own one of a model folder that brings one.

    Raises:
        ModelError: The task has none and the folder brings none, or its own is not one.
    """
    if source is not None and (source.path / TRAINING_FILE).is_file():
        own = call_in_folder(source, TRAINING_FILE, "objective", recipe=recipe, classes=classes)
        if not isinstance(own, Objective):
            raise ModelError(
                f"{source.path / TRAINING_FILE}: objective() gave {type(own).__name__}, not an "
                "edgekit.training.objectives.Objective"
            )
        # Imported here: it is an objective itself.
        from edgekit.training.objectives.guarded import Guarded

        return Guarded(own, source.path / TRAINING_FILE)
    for end, place in _OBJECTIVES.items():
        if task.endswith(end):
            module, _, name = place.partition(":")
            found: Objective = getattr(import_module(module), name)(recipe, classes)
            return found
    raise ModelError(
        f"models for {task} need an objective of their own",
        hint=f"{TRAINING_FILE} beside model.py with objective(recipe, classes) (docs/train.md)",
    )
