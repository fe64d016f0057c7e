"""What an augmentation is: settings of a recipe, and what they do to a whole batch.

Everything random comes from a seed that the caller hands in with each batch, (seed of the training,
step): a training that was stopped goes on with the very samples it would have seen. Knows batches.
Does not know data sets, models or epochs.

A task adds its own in one file beside this one and one line in `_CLASSES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self

from edgekit.errors import ModelError
from edgekit.fields import Fields
from edgekit.spec import InputSpec

# (inputs [B, *shape], labels [B, ...], seed int32 [2]) → (inputs, labels), inside a `tf.function`.
Augmenter = Callable[[Any, Any, Any], tuple[Any, Any]]

_CLASSES = {
    "image-classification": "edgekit.training.augment.image:ImageAugmentation",
    "object-detection": "edgekit.training.augment.detection:DetectionAugmentation",
    "text-classification": "edgekit.training.augment.text:TextAugmentation",
}


@dataclass(frozen=True)
class Augmentation(ABC):
    """The settings of one task's augmentation; a frozen dataclass whose defaults change nothing."""

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields) -> Self:
        """Take every known key of `[train.augment]`, bounded; the caller calls `fields.done()`.

        Raises:
            ModelError: A value is of the wrong type or out of bounds.
        """

    @abstractmethod
    def apply(
        self, inputs: Any, labels: Any, seed: Any, *, spec: InputSpec, classes: int
    ) -> tuple[Any, Any]:
        """Change a batch, in TensorFlow's stateless operators only.

        Args:
            inputs: Tensor [B, *spec.shape] of `spec.dtype`. B may be unknown while tracing.
            labels: Tensor as the data set gives them: int64 [B], or float32 boxes [B, M, 5].
            seed: int32 [2]. The same seed and batch give the same result, bit for bit;
                `streams(seed, n)` makes independent ones of it.
            spec: The model's input: its range says what black and white are.
            classes: How many the labels tell apart.

        Returns:
            Inputs of the same shape, dtype and range, and their labels: alike, or for classes also
            float32 [B, classes], shares of each, where samples were mixed.
        """


def read_augmentation(task: str, table: Mapping[str, Any], where: str) -> Augmentation | None:
    """Check a `[train.augment]` table.

    Args:
        task: One of `edgekit.spec.TASKS`.
        table: As parsed from TOML.
        where: File and table, for complaints.

    Returns:
        The settings; None where the table is empty or changes nothing.

    Raises:
        ModelError: The task has no augmentation, or a key is unknown, of the wrong type or out of
            bounds.
    """
    if not table:
        return None
    if task not in _CLASSES:
        raise ModelError(f"{where}: there is no augmentation for {task}")
    module, _, name = _CLASSES[task].partition(":")
    kind = getattr(import_module(module), name)
    fields = Fields(table, where, ModelError)
    settings: Augmentation = kind.read(fields)
    fields.done()
    return settings if settings != kind() else None


def augmenter_for(settings: Augmentation | None, spec: InputSpec, classes: int) -> Augmenter:
    """What a feed calls for every batch; without settings it changes nothing."""

    def augment(inputs: Any, labels: Any, seed: Any) -> tuple[Any, Any]:
        if settings is None:
            return inputs, labels
        return settings.apply(inputs, labels, seed, spec=spec, classes=classes)

    return augment


def streams(seed: Any, count: int) -> list[Any]:
    """`count` independent seeds, int32 [2] each, out of one."""
    import tensorflow as tf

    return list(tf.unstack(tf.random.split(seed, count)))
