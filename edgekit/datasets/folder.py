"""Folders of images: one subfolder per class, sorted names give the labels.

Either `train/`, `validation/` (or `val/`) and `test/` hold the class folders, or the class folders
stand alone and each file falls into a split by a digest of its relative name, so that adding files
moves no other. Images are untrusted: bounded in size, and every unreadable one is reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.errors import DataError, FileError, MissingExtraError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})

_MOST_CHECKED = 5000  # files checked after a bad one, to say how many there are

_SPLIT_FOLDERS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
_TEST_SHARE, _VALIDATION_SHARE = 0.2, 0.1


class ImageFolder(Dataset):
    """Labelled pictures below `root`.

    Hidden files and folders, and files that are no pictures by their suffix, don't count.

    Raises:
        DataError: No class folders, or a class without pictures.
        MissingExtraError: Pillow is not installed.
    """

    def __init__(self, root: Path) -> None:
        from importlib.util import find_spec

        if find_spec("PIL") is None:
            raise MissingExtraError("Pillow", "data", "reading image folders")
        self._root = root.resolve()
        self.name = self._root.name or "images"
        self.reference = str(self._root)
        try:
            self._files = self._scan()
        except OSError as error:
            raise FileError.from_os_error(error) from error

    def fingerprint(self) -> str:
        import PIL

        # Names, sizes and times: reading every byte of a large folder would take minutes.
        entries = [
            (path.relative_to(self._root).as_posix(), stat.st_size, stat.st_mtime_ns)
            for split in SPLITS
            for path, _ in self._files[split]
            for stat in (path.stat(),)
        ]
        return digest_json({"files": entries, "pillow": PIL.__version__})

    def size(self, split: str) -> int:
        return len(self._files.get(split, ()))

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.array([label for _, label in self._files[split]], dtype=np.int64)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        files = self._files[split]
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        for row, index in enumerate(indices):
            try:
                pixels[row] = _decode(files[index][0], height, width)
            except Exception:  # Pillow raises anything at damaged files
                raise self._unreadable(split, first=index) from None
        labels = self.labels(split)[list(indices)]
        return Samples(fit_pixels(pixels, spec), labels)

    def original(self, split: str, index: int) -> bytes:
        path = self._files[split][index][0]
        try:
            return path.read_bytes()
        except OSError as error:
            raise FileError.from_os_error(error) from error

    def _unreadable(self, split: str, first: int) -> DataError:
        """One complaint about all bad files of a split: whoever cleans up wants them all."""
        files = [path for path, _ in self._files[split][first:]][:_MOST_CHECKED]
        reasons: dict[Path, str] = {}
        for path in files:
            try:
                _decode(path, 8, 8)
            except Exception as error:
                reasons[path] = _reason(error, path)
        return DataError(
            f"{next(iter(reasons), files[0])}: not a readable picture; "
            f"{len(reasons)} bad of {len(files)} {split} files checked",
            *[f"{path.relative_to(self._root)}: {reasons[path]}" for path in list(reasons)[:5]],
            hint="remove or replace them",
        )

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
        files = {
            split: [entry for folder in folders for entry in self._pictures(folder)]
            for split, folders in parts.items()
        }
        if not files["validation"]:
            # Training needs some: taken from train, by the same rule as without split folders.
            share = _VALIDATION_SHARE / (1 - _TEST_SHARE)
            kept = [(p, i) for p, i in files["train"] if self._place(p) >= share]
            files["validation"] = [(p, i) for p, i in files["train"] if self._place(p) < share]
            files["train"] = kept
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
        bounds = (0.0, _TEST_SHARE, _TEST_SHARE + _VALIDATION_SHARE, 1.0)
        spans = dict(zip(("test", "validation", "train"), pairwise(bounds), strict=True))
        placed = [(path, label, self._place(path)) for path, label in entries]
        return {
            split: [(path, label) for path, label, at in placed if low <= at < high]
            for split, (low, high) in spans.items()
        }

    def _place(self, path: Path) -> float:
        """Where in 0–1 a file falls: uniform over names, and nothing else moves it."""
        name = path.relative_to(self._root).as_posix()
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def _folders(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)


def _reason(error: Exception, path: Path) -> str:
    """Why Pillow cannot read a file, in one line that doesn't name it again."""
    from PIL import UnidentifiedImageError

    if path.stat().st_size == 0:
        return "an empty file"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of any format that Pillow reads"
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(repr(str(path)), "the file").replace(str(path), "the file")


def _decode(path: Path, height: int, width: int) -> Array:
    """uint8 [height, width, 3]: upright by EXIF, RGB on white, antialiased bilinear.

    Raises:
        Exception: Pillow cannot read it, or it has more pixels than Pillow's limit (89 million).
    """
    import warnings

    import numpy as np
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata; the pixels decide
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            # JPEG decodes at a half, quarter or eighth for less; never below twice the size wanted.
            image.draft("RGB", (2 * width, 2 * height))
            upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        raise ValueError(f"mode {upright.mode}: not 8 bits a channel")
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    colour = upright.convert("RGB")
    return np.asarray(colour.resize((width, height), Image.Resampling.BILINEAR))
