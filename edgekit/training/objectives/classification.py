"""Cross entropy over classes, of logits: one class a sample, or one for each step or pixel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.training.objectives.base import Objective
from edgekit.training.pictures import draw_predictions, draw_rows

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Classification(Objective):
    """Softmax cross entropy; labels smoothed by the recipe (arXiv 1512.00567)."""

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        import keras
        import tensorflow as tf

        logits = outputs[0]
        shares = _are_shares(logits, labels)
        # Where no class counts (−1) there is a row of zeros.
        wanted = labels if shares else tf.one_hot(labels, logits.shape[-1])
        losses = keras.losses.categorical_crossentropy(
            wanted, logits, from_logits=True, label_smoothing=self.recipe.label_smoothing
        )
        if labels.shape.rank == 1 or shares:
            return tf.reduce_mean(losses)
        counted = tf.cast(labels >= 0, tf.float32)
        return tf.reduce_sum(losses * counted) / tf.maximum(tf.reduce_sum(counted), 1.0)

    def hits(self, outputs: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        wanted = tf.argmax(labels, axis=-1) if _are_shares(outputs[0], labels) else labels
        right = tf.cast(tf.equal(tf.argmax(outputs[0], axis=-1), wanted), tf.float32)
        if wanted.shape.rank == 1:
            return tf.reduce_sum(right)
        counted = tf.cast(wanted >= 0, tf.float32)
        axes = list(range(1, wanted.shape.rank))
        each = tf.reduce_sum(counted, axes)
        return tf.reduce_sum(tf.math.divide_no_nan(tf.reduce_sum(right * counted, axes), each))

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        if inputs.ndim == 4 and labels.ndim == 1:  # pictures of one class each
            guesses = outputs[0].argmax(axis=1)
            draw_predictions(inputs, labels, guesses, classes, folder / "predictions.png")
        elif inputs.ndim == 4 and labels.ndim == 3:  # a class for each pixel
            whole = max(len(classes) - 1, 1)
            shown = {"given": inputs, "wanted": labels / whole}
            shown["made"] = outputs[0].argmax(axis=-1) / whole
            draw_rows(shown, folder / "predictions.png")

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        import numpy as np

        logits = outputs[0].astype(np.float64)
        shifted = logits - logits.max(axis=-1, keepdims=True)
        own = np.take_along_axis(shifted, np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
        losses = np.log(np.exp(shifted).sum(axis=-1)) - own
        return float(losses[labels >= 0].mean())


def _are_shares(logits: Any, labels: Any) -> bool:
    """Whether labels are shares of each class [B, ..., classes], not classes [B, ...]."""
    return bool(labels.shape.rank == logits.shape.rank)
