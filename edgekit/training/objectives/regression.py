"""Mean squared or absolute error, of values that a model gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.training.objectives.base import Objective
from edgekit.training.pictures import draw_rows

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Regression(Objective):
    """Mean squared error between the first output and the labels, both [B, ...] alike."""

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        return tf.reduce_mean(tf.square(outputs[0] - tf.cast(labels, tf.float32)))

    def draw(
        self,
        outputs: Sequence[Array],
        inputs: Array,
        labels: Array,
        classes: Sequence[str],
        folder: Path,
    ) -> None:
        pictures = {"given": inputs, "wanted": labels, "made": outputs[0]}
        shown = {name: one for name, one in pictures.items() if one.ndim == 4}
        if shown:
            draw_rows(shown, folder / "predictions.png")

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        import numpy as np

        apart = outputs[0].astype(np.float64).reshape(labels.shape) - labels
        return float((apart**2).mean())


class Boxes(Regression):
    """Mean absolute error of edges: what trackers of one thing regress by (arXiv 1604.01802)."""

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        import tensorflow as tf

        return tf.reduce_mean(tf.abs(outputs[0] - tf.cast(labels, tf.float32)))

    def validation_loss(self, outputs: Sequence[Array], labels: Array) -> float:
        import numpy as np

        return float(np.abs(outputs[0].astype(np.float64) - labels).mean())
