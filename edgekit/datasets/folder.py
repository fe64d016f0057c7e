"""Folders of images, one subfolder per class; see `class_folders`.

Images are untrusted: bounded in size, and every unreadable one is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import Samples
from edgekit.datasets.class_folders import scan_class_folders
from edgekit.datasets.images import SUFFIXES, fit_pixels
from edgekit.datasets.pictures import PictureFiles
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class ImageFolder(PictureFiles):
    """Labelled pictures below `root`.

    Raises:
        DataError: No class folders, or a class without pictures.
        MissingExtraError: Pillow is not installed.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root.resolve())
        self.name = self._root.name or "images"
        self.reference = str(self._root)
        found = scan_class_folders(self._root, SUFFIXES, "pictures")
        self.classes, self.split_rule = found.classes, found.split_rule
        self._files = found.files

    def paths(self, split: str) -> list[Path]:
        return [path for path, _ in self._files.get(split, ())]

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.array([label for _, label in self._files.get(split, ())], dtype=np.int64)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        pixels, _ = self.pixels(split, indices, spec)
        return Samples(fit_pixels(pixels, spec), self.labels(split)[list(indices)])
