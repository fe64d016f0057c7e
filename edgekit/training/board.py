"""Scalars for TensorBoard, an event file a run.

`tf.summary.scalar` needs TensorBoard installed; writing what it would write does not. Knows
TensorFlow's event writer. Does not know what the figures mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Board:
    """Writes scalars below a folder; `tensorboard --logdir FOLDER` shows them.

    Args:
        folder: Made if absent; a run that goes on adds a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def write(self, scalars: Mapping[str, Any], step: int) -> None:
        """Write what of `scalars` is a number, for `step`, to disk at once."""
        import tensorflow as tf

        if self._writer is None:  # a training that fails before its first epoch leaves no file
            self._writer = tf.summary.create_file_writer(str(self._folder))
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "scalars"
        metadata.data_class = 1  # DATA_CLASS_SCALAR
        with self._writer.as_default():
            for name, value in scalars.items():
                if isinstance(value, int | float):
                    tensor = tf.constant(float(value), tf.float32)
                    tf.summary.write(name, tensor, step=step, metadata=metadata.SerializeToString())
        self._writer.flush()

    def close(self) -> None:
        """Nothing is written any more."""
        if self._writer is not None:
            self._writer.close()
