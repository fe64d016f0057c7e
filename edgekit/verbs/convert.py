"""A data set becomes TFRecords."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets import open_dataset
from edgekit.datasets.tfrecord_writing import Written, write_tfrecords
from edgekit.errors import UsageError
from edgekit.progress import Report, silent


@dataclass(frozen=True, slots=True)
class ConvertedDataset:
    """A data set and the TFRecords made from it."""

    name: str
    written: Written

    def to_json(self) -> dict[str, Any]:
        found = self.written
        return {
            "name": self.name,
            "folder": str(found.folder),
            "files": found.files,
            "samples": found.samples,
            "bytes": found.bytes,
        }


def convert_dataset(
    reference: str | Path,
    folder: Path,
    *,
    compress: bool = False,
    shards: int = 1,
    samples: int | None = None,
    pixels: int | None = None,
    report: Report = silent,
) -> ConvertedDataset:
    """Write a data set, by name or by path, as a folder of TFRecords.

    Args:
        reference: As `open_dataset` takes it.
        folder: See `write_tfrecords`, as for the others.
        compress: gzip.
        shards: Files a split.
        samples: Of each split at most.
        pixels: The shorter side of a picture at most.
        report: Told how far it is.

    Raises:
        UsageError: `folder` is the data set itself.
        DataError: It cannot be opened, read or written so.
        FileError: `folder` cannot be written, or holds other files.
    """
    if Path(reference).exists() and Path(reference).resolve() == folder.resolve():
        raise UsageError(f"{folder}: the data set itself", hint="-o with a new folder")
    dataset = open_dataset(reference)
    written = write_tfrecords(
        dataset,
        folder,
        compress=compress,
        shards=shards,
        samples=samples,
        pixels=pixels,
        report=report,
    )
    return ConvertedDataset(dataset.name, written)
