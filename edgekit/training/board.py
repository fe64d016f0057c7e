"""Scalars for TensorBoard, an event file a run.

`tf.summary.scalar` needs TensorBoard installed; writing what it would write does not. Knows
TensorFlow's event writer. Does not know what the figures mean.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import FileError


class Board:
    """Writes scalars below a folder; `tensorboard --logdir FOLDER` shows them.

    Args:
        folder: Made if absent; a run that goes on adds a file. Others may write there, too.
        owner: The run folder; its files are told by it from those of other trainings.
    """

    def __init__(self, folder: Path, *, owner: Path) -> None:
        self._folder = folder
        self._suffix = f".{hashlib.sha256(os.fsencode(owner.resolve())).hexdigest()[:8]}"
        self._writer: Any = None

    def clear(self) -> None:
        """Delete what earlier trainings in the same run folder wrote.

        Raises:
            OSError: The system refuses.
        """
        for past in self._folder.glob(f"events.out.tfevents.*{self._suffix}"):
            past.unlink()

    def write(self, scalars: Mapping[str, Any], step: int) -> None:
        """Write what of `scalars` is a number, for `step`, to disk at once.

        Raises:
            FileError: The system refuses.
        """
        import tensorflow as tf

        try:
            self._write(scalars, step)
        except tf.errors.OpError as error:
            raise FileError(f"{self._folder}: cannot be written: {error.message}") from error

    def _write(self, scalars: Mapping[str, Any], step: int) -> None:
        import tensorflow as tf

        if self._writer is None:  # a training that fails before its first epoch leaves no file
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = tf.summary.create_file_writer(
                str(self._folder), filename_suffix=self._suffix
            )
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
