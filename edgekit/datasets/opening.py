"""How a name or a path becomes a data set. Does not know what is in one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgekit import registry
from edgekit.datasets.base import Dataset
from edgekit.errors import DataError, FileError, UsageError


def open_dataset(reference: str | Path) -> Dataset:
    """Open a data set by registered name, or by path: a folder or a file of a known layout.

    A name wins over a file of the same name; write `./name` to mean the file. The beginning of a
    name does, too, where nothing of that name lies in the current folder.

    Raises:
        DataError: Neither a known name nor something readable at that path.
        MissingExtraError: It needs a package that is not installed.
    """
    if isinstance(reference, str) and not _looks_like_path(reference):
        known = reference in registry.parts(registry.DATASETS)
        if known or not Path(reference).exists():
            try:
                dataset: Dataset = registry.load(registry.DATASETS, reference)()
            except UsageError as error:
                raise DataError(
                    f"unknown data set {reference!r}",
                    f"known: {', '.join(registry.parts(registry.DATASETS)) or 'none'}",
                    hint=error.hint
                    if error.hint and error.hint.startswith("did you mean")
                    else "edgekit data list; your own by its path: a folder or a file, ./name",
                ) from error
            return dataset
    return _open_path(Path(reference).expanduser())


def _looks_like_path(reference: str) -> bool:
    separators = {os.sep, os.altsep or os.sep, "/"}
    return (
        any(separator in reference for separator in separators)
        or reference in ("", ".", "..")
        or reference.startswith("~")
        or reference.endswith((".npz", ".csv", ".json", ".tfrecord", ".tfrecord.gz"))
    )


def _open_path(path: Path) -> Dataset:
    from edgekit.datasets.text import looks_like_text, open_text
    from edgekit.datasets.tfrecord_folder import is_tfrecord_name

    if path.suffix in (".csv", ".json") or looks_like_text(path):
        return open_text(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix == ".npz":
        from edgekit.datasets.npz import NpzFile

        return NpzFile(path)
    if is_tfrecord_name(path.name):
        from edgekit.datasets.tfrecord import Tfrecords

        return Tfrecords(path)
    raise DataError(
        f"{path}: not a data set that edgekit reads",
        hint="a folder with one subfolder of images per class, an .npz file, TFRecords, or a "
        ".csv or .json of texts with labels",
    )


def _open_folder(path: Path) -> Dataset:
    """A folder, by what lies in it; class folders with pictures are what is left."""
    from edgekit.datasets.coco import CocoFolder, is_coco
    from edgekit.datasets.folder import ImageFolder
    from edgekit.datasets.sound import SoundFolder, looks_like_sound
    from edgekit.datasets.tfrecord_folder import holds_tfrecords
    from edgekit.datasets.voc import VocFolder, is_voc
    from edgekit.datasets.yolo import YoloFolder, is_yolo

    if holds_tfrecords(path):
        from edgekit.datasets.tfrecord import Tfrecords

        return Tfrecords(path)
    kinds: tuple[tuple[Callable[[Path], bool], Callable[[Path], Dataset]], ...] = (
        (is_voc, VocFolder),
        (is_yolo, YoloFolder),
        (is_coco, CocoFolder),
        (looks_like_sound, SoundFolder),
    )
    for folder in (path, *_only_subfolder(path)):
        for is_kind, kind in kinds:
            if is_kind(folder):
                return kind(folder)
    return ImageFolder(path)


def _only_subfolder(path: Path) -> list[Path]:
    """What an unpacked archive holds, if that is one folder (`VOCdevkit/VOC2012`)."""
    try:
        found = [p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")]
    except OSError as error:
        raise FileError.from_os_error(error) from error
    return found if len(found) == 1 else []
