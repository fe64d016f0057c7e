"""What windows learn: how well their box fits an object, and with a regressor where the object is.

After OverFeat (Sermanet et al. 2014, arXiv 1312.6229): a window is one of an object that it
overlaps by half, and the regressor learns from such windows alone, as in the paper's section 4.2. A
score learns the overlap itself, not just 1, so that of neighbours the best fitting comes first; and
empty windows count by their own score, in place of the paper's few most offending ones. With a
regressor all empty ones count alike: many windows come to the same box, so few are missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from edgekit.training.objectives import Play, as_float
from edgekit.training.objectives.anchored import anchored_loss
from edgekit.training.objectives.detection import Detection

if TYPE_CHECKING:
    import keras

_EMPTY = 0.35  # IoU up to which a window shows nothing
_LEAST = 0.0  # an object that no window fits has the one that fits it best, however badly


def objective(recipe: Any, classes: int) -> Detection:
    """What edgekit asks a folder for."""
    return Fitting(recipe, classes)


class Fitting(Detection):
    """The loss of windows; for validation, of the boxes that became of them."""

    _focus = 2.0  # for validation with a regressor too, which is judged by the metric

    def companions(self, model: keras.Model) -> list[keras.Model]:
        self._windows = model.get_layer("boxes").windows
        if any(layer.name == "offsets" for layer in model.layers):
            self._focus = 0.0
        return []

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        boxes, logits = as_float(model(inputs, training=True))
        total = self._fitting(tf.constant(self._windows), boxes, logits, labels)
        return [Play(total, [model])], [boxes, logits]

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        boxes, logits = outputs
        return self._fitting(boxes, boxes, logits, labels)

    def _fitting(self, windows: Any, boxes: Any, logits: Any, labels: Any) -> Any:
        return anchored_loss(
            windows,
            boxes,
            logits,
            labels,
            empty=_EMPTY,
            least=_LEAST,
            graded=True,
            focus=self._focus,
        )
