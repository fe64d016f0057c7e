"""An objective from a model folder, called as code of somebody else's.

What it raises, and answers that are not what an objective gives, become one error that names the
file and the function. Knows nothing of what is minimized.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import EdgekitError, ModelError
from edgekit.training.objectives.base import Objective, Play

if TYPE_CHECKING:
    import keras
    import numpy as np

    from edgekit.datasets import Dataset
    from edgekit.metrics.playing import Policy
    from edgekit.training.feed import Source

    Array = np.ndarray[Any, Any]


class Guarded(Objective):
    """Another objective, whose failures are told.

    Args:
        own: Whose calls these are.
        path: The file it comes from.
    """

    def __init__(self, own: Objective, path: Path) -> None:
        super().__init__(own.recipe, own.classes)
        self._own, self._path = own, path
        # Its own `plays` asks it, too: what fails there is the loss.
        self._loss = own.loss
        own.loss = self.loss  # type: ignore[method-assign]

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        return self._scalar("loss", self._told("loss", self._loss, outputs, labels))

    def companions(self, model: keras.Model) -> Sequence[keras.Model]:
        import keras

        found = self._called("companions", model)
        if not isinstance(found, list | tuple) or not all(
            isinstance(one, keras.Model) for one in found
        ):
            raise self._failed("companions", f"gave {_kind(found)}, not a list of Keras models")
        return found

    def experience(self, policy: Policy, dataset: Dataset, *, seed: int) -> Source | None:
        from edgekit.training.feed import Source

        found = self._called("experience", policy, dataset, seed=seed)
        if found is not None and not isinstance(found, Source):
            raise self._failed("experience", f"gave {_kind(found)}, not a Source or None")
        return found

    def plays(self, model: keras.Model, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        found = self._called("plays", model, inputs, labels)
        pair = isinstance(found, tuple) and len(found) == 2
        if not pair or not isinstance(found[0], list) or not found[0]:
            raise self._failed("plays", f"gave {_kind(found)}, not a list of Play and outputs")
        plays, outputs = found
        if not all(isinstance(play, Play) for play in plays):
            raise self._failed("plays", "gave losses that are no Play")
        moved = [id(v) for play in plays for one in play.models for v in one.trainable_variables]
        if len(moved) != len(set(moved)):
            raise self._failed("plays", "moves the same weights by two plays")
        return [Play(self._scalar("plays", play.loss), play.models) for play in plays], outputs

    def hits(self, outputs: Sequence[Any], labels: Any) -> Any | None:
        found = self._called("hits", outputs, labels)
        return None if found is None else self._scalar("hits", found)

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        self._called("draw", outputs, inputs, labels, classes, folder)

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        found = self._called("validation_loss", outputs, labels)
        try:
            return float(found)
        except (TypeError, ValueError):
            raise self._failed("validation_loss", f"gave {_kind(found)}, not a number") from None

    def _called(self, function: str, *arguments: Any, **named: Any) -> Any:
        return self._told(function, getattr(self._own, function), *arguments, **named)

    def _told(
        self, function: str, method: Callable[..., Any], *arguments: Any, **named: Any
    ) -> Any:
        try:
            return method(*arguments, **named)
        except EdgekitError as error:
            self.failure = self.failure or error
            raise
        except (Exception, SystemExit) as error:
            # TensorFlow's own text goes on with lines of its source.
            reason = str(error).strip().splitlines()[-1:] or [""]
            raise self._failed(
                function, f"failed: {type(error).__name__}: {reason[0].strip()}"
            ) from error

    def _scalar(self, function: str, value: Any) -> Any:
        import tensorflow as tf

        try:
            found = tf.convert_to_tensor(value)
        except (TypeError, ValueError):
            raise self._failed(function, f"gave {_kind(value)}, not a number") from None
        if found.dtype == tf.string:
            raise self._failed(function, f"gave {_kind(value)}, not a number")
        value = tf.cast(found, tf.float32)
        if value.shape.rank not in (0, None):
            raise self._failed(function, f"gave values {list(value.shape)}, not one number")
        return value

    def _failed(self, function: str, what: str) -> ModelError:
        # Inside a `tf.function` TensorFlow keeps only the text of what is raised.
        self.failure = ModelError(f"{self._path}: {function}() {what}")
        return self.failure


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
