"""YOLO's own loss (Redmon et al. 2016, arXiv 1506.02640, equation 3): a sum of squares.

The cell that an object's middle lies in learns its classes, and of the cell's two boxes the one
that overlaps the object most learns its place, and as its confidence how far it does. All other
boxes learn a confidence of 0. Of two objects in one cell the later one of the labels is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from edgekit.training.objectives import Play, as_float
from edgekit.training.objectives.detection import Detection, overlap

_CELLS = 7
_BOXES = 2
_COORDINATES = 5.0  # λ_coord
_EMPTY = 0.5  # λ_noobj
_TINY = 1e-6
_SLOPE = 4.0  # of the model's logits over confidence times class


def objective(recipe: Any, classes: int) -> Detection:
    """What edgekit asks a folder for."""
    return SumOfSquares(recipe, classes)


class SumOfSquares(Detection):
    """The loss of the grid, which is in the model; of its outputs alone for validation.

    A score is confidence times class, and from that neither comes back; for validation the classes
    of a cell are taken to add up to 1, as they learn to.
    """

    def companions(self, model: keras.Model) -> list[keras.Model]:
        self._whole = keras.Model(
            model.inputs, [model.get_layer("grid").output, *model.outputs], name="whole"
        )
        return []

    def plays(self, model: Any, inputs: Any, labels: Any) -> tuple[list[Play], list[Any]]:
        grid, *outputs = as_float(self._whole(inputs, training=True))
        boxes, confidence, classes = self._parts(grid)
        return [Play(self._squares(boxes, confidence, classes, labels), [model])], outputs

    def _parts(self, grid: Any) -> tuple[Any, Any, Any]:
        """Boxes [B, 7, 7, 2, 4] as x, y, √w, √h; confidence [B, 7, 7, 2]; classes [B, 7, 7, C]."""
        shape = (-1, _CELLS, _CELLS, _BOXES, 5)
        found = tf.reshape(grid[..., : 5 * _BOXES], shape)
        return found[..., :4], found[..., 4], grid[..., 5 * _BOXES :]

    def loss(self, outputs: Sequence[Any], labels: Any) -> Any:
        boxes = tf.reshape(outputs[0], (-1, _CELLS, _CELLS, _BOXES, 4))
        scores = tf.reshape(outputs[1], (-1, _CELLS, _CELLS, _BOXES, self.classes)) / _SLOPE + 0.5
        middle = (boxes[..., :2] + boxes[..., 2:]) / 2
        roots = tf.sqrt(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0))
        confidence = tf.reduce_sum(scores, axis=-1)
        best = tf.maximum(tf.reduce_max(scores, axis=3), _TINY)
        classes = best / tf.reduce_sum(best, axis=-1, keepdims=True)
        placed = tf.concat([middle * _CELLS - _corners(), roots], axis=-1)
        return self._squares(placed, confidence, classes, labels)

    def _squares(self, boxes: Any, confidence: Any, classes: Any, labels: Any) -> Any:
        """Equation 3, of a picture on average.

        Args:
            boxes: [B, 7, 7, 2, 4], x and y in cells from the cell's corner, √w, √h.
            confidence: [B, 7, 7, 2].
            classes: [B, 7, 7, C].
            labels: [B, M, 5] class, left, top, right, bottom; class −1 where there is no object.
        """
        wanted, there = self._grid_of(labels)
        half = tf.square(boxes[..., 2:]) / 2
        middle = (boxes[..., :2] + _corners()) / _CELLS
        found = tf.concat([middle - half, middle + half], axis=-1)
        iou = tf.stop_gradient(overlap(found, wanted[..., None, 1:]))
        # Where no box reaches the object, the one whose corners are nearest is responsible.
        far = tf.reduce_sum(tf.square(found - wanted[..., None, 1:]), axis=-1)
        nearest = tf.argmax(tf.where(tf.reduce_max(iou, -1, True) > 0, iou, -far), axis=-1)
        mine = tf.one_hot(nearest, _BOXES) * there[..., None]
        low, high = wanted[..., 1:3], wanted[..., 3:]
        place = (low + high) / 2 * _CELLS - _corners()[:, :, 0]
        target = tf.concat([place, tf.sqrt(high - low)], axis=-1)[..., None, :]
        coordinates = tf.reduce_sum(tf.square(boxes - target), axis=-1)
        kinds = tf.one_hot(tf.cast(wanted[..., 0], tf.int32), self.classes)
        total = (
            _COORDINATES * tf.reduce_sum(mine * coordinates)
            + tf.reduce_sum(mine * tf.square(confidence - iou))
            + _EMPTY * tf.reduce_sum((1 - mine) * tf.square(confidence))
            + tf.reduce_sum(there[..., None] * tf.square(classes - kinds))
        )
        return total / tf.cast(tf.shape(labels)[0], tf.float32)

    def _grid_of(self, labels: Any) -> tuple[Any, Any]:
        """The label of each cell's object [B, 7, 7, 5], and whether there is one [B, 7, 7]."""
        middle = (labels[..., 1:3] + labels[..., 3:]) / 2
        cells = tf.clip_by_value(tf.cast(middle * _CELLS, tf.int32), 0, _CELLS - 1)
        cell = tf.where(labels[..., 0] >= 0, cells[..., 1] * _CELLS + cells[..., 0], -1)
        rows = tf.one_hot(cell, _CELLS**2)  # [B, M, 49], a row of zeros where there is no object
        there = tf.reduce_max(rows, axis=1)
        last = tf.shape(rows)[1] - 1 - tf.argmax(rows[:, ::-1], axis=1, output_type=tf.int32)
        wanted = tf.gather(labels, last, batch_dims=1)
        grid = (-1, _CELLS, _CELLS)
        return tf.reshape(wanted, (*grid, 5)), tf.reshape(there, grid)


def _corners() -> Any:
    """Column and row of each cell: float32 [7, 7, 1, 2]."""
    row, column = tf.meshgrid(tf.range(_CELLS), tf.range(_CELLS), indexing="ij")
    return tf.cast(tf.stack([column, row], axis=-1), tf.float32)[:, :, None]
