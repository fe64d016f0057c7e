"""Folders of images: one subfolder per class, sorted names give the labels.

Either `train/`, `validation/` (or `val/`) and `test/` hold the class folders, or the class folders
stand alone and each file falls into a split by a digest of its relative name, so that adding files
moves no other. Images are untrusted: bounded in size, and every unreadable one is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import Samples
from edgekit.datasets.images import SUFFIXES, fit_pixels
from edgekit.datasets.pictures import PictureFiles
from edgekit.datasets.splitting import is_validation, split_of
from edgekit.errors import DataError, FileError
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SPLIT_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}


class ImageFolder(PictureFiles):
    """Labelled pictures below `root`.

    Hidden files and folders, and files that are no pictures by their suffix, don't count.

    Raises:
        DataError: No class folders, or a class without pictures.
        MissingExtraError: Pillow is not installed.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root.resolve())
        self.name = self._root.name or "images"
        self.reference = str(self._root)
        self.split_rule = "by a digest of each file's name"
        try:
            self._files = self._scan()
        except OSError as error:
            raise FileError.from_os_error(error) from error

    def paths(self, split: str) -> list[Path]:
        return [path for path, _ in self._files.get(split, ())]

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.array([label for _, label in self._files.get(split, ())], dtype=np.int64)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        pixels, _ = self.pixels(split, indices, spec)
        return Samples(fit_pixels(pixels, spec), self.labels(split)[list(indices)])

    def _scan(self) -> dict[str, list[tuple[Path, int]]]:
        """Files and labels by split; sets `classes`."""
        parts = {
            split: [self._root / name for name in names if (self._root / name).is_dir()]
            for split, names in _SPLIT_FOLDERS.items()
        }
        if not parts["train"]:
            self.classes = tuple(_folders(self._root))
            self._refuse_classless(self._root)
            return self._split_by_name(self._pictures(self._root))
        found = {
            split: [entry for folder in folders for entry in _folders(folder)]
            for split, folders in parts.items()
        }
        self.classes = tuple(sorted(set(found["train"])))
        self._refuse_classless(parts["train"][0])
        for split, names in found.items():
            if unknown := sorted(set(names) - set(self.classes)):
                raise DataError(
                    f"{parts[split][0]}: the class {unknown[0]!r} has no folder in train",
                    f"train has: {', '.join(self.classes)}",
                )
        self.split_rule = "folders"
        files = {
            split: [entry for folder in folders for entry in self._pictures(folder)]
            for split, folders in parts.items()
        }
        if not files["validation"]:
            # Training needs some: taken from train, by the same rule as without split folders.
            given = files["train"]
            for split, wanted in (("train", False), ("validation", True)):
                files[split] = [e for e in given if is_validation(self._relative(e[0])) is wanted]
            self.split_rule = "folders; validation from train by a digest of each file's name"
        return files

    def _pictures(self, folder: Path) -> list[tuple[Path, int]]:
        """Pictures of all classes, sorted; every class of `folder` must have one."""
        entries: list[tuple[Path, int]] = []
        for label, name in enumerate(self.classes):
            if not (folder / name).is_dir():
                continue
            paths = sorted(
                path
                for path in (folder / name).rglob("*")
                if path.suffix.lower() in SUFFIXES and not _hidden(path, folder) and path.is_file()
            )
            if not paths:
                raise DataError(
                    f"{folder / name}: a class without pictures",
                    hint=f"remove the folder, or add files ({' '.join(sorted(SUFFIXES))})",
                )
            entries += [(path, label) for path in paths]
        return entries

    def _refuse_classless(self, folder: Path) -> None:
        if not self.classes:
            loose = sum(p.suffix.lower() in SUFFIXES for p in folder.iterdir())
            raise DataError(
                f"{folder}: no class folders in it"
                + (f", only {loose} loose pictures" if loose else ""),
                hint="one subfolder of pictures per class; its name is the class",
            )

    def _split_by_name(
        self, entries: Iterable[tuple[Path, int]]
    ) -> dict[str, list[tuple[Path, int]]]:
        found: dict[str, list[tuple[Path, int]]] = {"train": [], "validation": [], "test": []}
        for path, label in entries:
            found[split_of(self._relative(path))].append((path, label))
        return found

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _folders(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)
