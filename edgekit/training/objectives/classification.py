"""Cross entropy over classes, of logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.training.objectives.base import Objective
from edgekit.training.pictures import draw_predictions

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Classification(Objective):
    """Softmax cross entropy; labels smoothed by the recipe (arXiv 1512.00567)."""

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        import keras
        import tensorflow as tf

        wanted = labels if labels.shape.rank == 2 else tf.one_hot(labels, self.classes)
        losses = keras.losses.categorical_crossentropy(
            wanted, outputs[0], from_logits=True, label_smoothing=self.recipe.label_smoothing
        )
        return tf.reduce_mean(losses)

    def hits(self, outputs: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        wanted = tf.argmax(labels, axis=1) if labels.shape.rank == 2 else labels
        right = tf.equal(tf.argmax(outputs[0], axis=1), wanted)
        return tf.reduce_sum(tf.cast(right, tf.float32))

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        if inputs.ndim == 4:  # pictures
            guesses = outputs[0].argmax(axis=1)
            draw_predictions(inputs, labels, guesses, classes, folder / "predictions.png")

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        import numpy as np

        logits = outputs[0].astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        own = shifted[np.arange(len(labels)), labels]
        return float((np.log(np.exp(shifted).sum(axis=1)) - own).mean())
