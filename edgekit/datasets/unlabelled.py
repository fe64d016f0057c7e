"""Samples without labels: loose pictures of a folder, or a data set whose labels don't count.

For files whose classes nobody wrote down: they can be calibrated and compared with, not scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import Dataset, Samples
from edgekit.datasets.images import SUFFIXES, fit_pixels
from edgekit.datasets.opening import open_dataset
from edgekit.datasets.pictures import PictureFiles
from edgekit.datasets.splitting import split_of
from edgekit.errors import DataError
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def open_samples(reference: str | Path, *, labelled: bool = True) -> Dataset:
    """Open a data set by name or path; pictures that lie loose in a folder are one, too.

    Args:
        reference: As `open_dataset`, or a folder of pictures.
        labelled: Whether its labels count.

    Raises:
        DataError: Nothing readable at that path.
    """
    if isinstance(reference, Path) and reference.is_dir() and (pictures := _loose(reference)):
        return LoosePictures(reference, pictures)
    dataset = open_dataset(reference)
    return dataset if labelled else Unlabelled(dataset)


class LoosePictures(PictureFiles):
    """Pictures directly in `root`, divided into splits by a digest of each file's name."""

    costly = False  # another process would not know how to open it

    def __init__(self, root: Path, pictures: Sequence[Path]) -> None:
        super().__init__(root.resolve())
        self.name = self._root.name or "pictures"
        self.reference = str(self._root)
        self.classes = ()
        self.split_rule = "by a digest of each file's name"
        self._files: dict[str, list[Path]] = {}
        for path in pictures:
            self._files.setdefault(split_of(path.name), []).append(path.resolve())

    def paths(self, split: str) -> list[Path]:
        return self._files.get(split, [])

    def labels(self, split: str) -> Array | None:
        return None

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        pixels, _ = self.pixels(split, indices, spec)
        return Samples(fit_pixels(pixels, spec), None)


class Unlabelled(Dataset):
    """Another data set's samples without its labels.

    Attributes:
        inner: The other data set.
    """

    costly = False

    def __init__(self, dataset: Dataset) -> None:
        self.inner = dataset
        self.name = dataset.name
        self.reference = dataset.reference
        self.classes = ()
        self.input_names = dataset.input_names
        self.split_rule = dataset.split_rule

    def fingerprint(self) -> str:
        return f"unlabelled-{self.inner.fingerprint()}"

    def size(self, split: str) -> int:
        return self.inner.size(split)

    def labels(self, split: str) -> Array | None:
        return None

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        return Samples(self.inner.read(split, indices, spec).inputs, None)


def _loose(folder: Path) -> list[Path]:
    """Pictures directly in a folder that has no subfolders."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
    if any(path.is_dir() for path in entries):
        return []
    return [path for path in entries if path.suffix.lower() in SUFFIXES]
