"""COCO: a JSON file a split, with `images`, `annotations` and `categories`.

Known are `annotations/*.json` with the pictures in `images/<name>`, `<name>` or `images`; exports
with `<split>/_annotations.coco.json` beside its pictures; and `labels.json` beside `data/`. Files
are untrusted: bounded in size, and names stay inside the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets.base import Issue
from edgekit.datasets.boxes import (
    CROWD,
    Annotated,
    Box,
    BoxFiles,
    Malformed,
    finite,
    path_below,
)
from edgekit.datasets.splitting import is_validation, split_of
from edgekit.errors import DataError, FileError

MAX_JSON_BYTES = 1024**3
MAX_CLASSES = 100_000

_EXPORTED = "_annotations.coco.json"
_WORDS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}
_HINT = (
    'images: {"id", "file_name", "width", "height"}, annotations: {"image_id", "category_id", '
    '"bbox": [left, top, width, height]}, categories: {"id", "name"}'
)


def is_coco(root: Path) -> bool:
    """Whether a folder is laid out like this."""
    return bool(_files(root))


class CocoFolder(BoxFiles):
    """A folder in one of COCO's layouts.

    Classes are the categories in order of their ids. Regions marked `iscrowd` are left out. Without
    a file for each split, samples fall into them by a digest of their names.

    Raises:
        DataError: A file cannot be read, or names a picture that is not there.
    """

    def __init__(self, root: Path) -> None:
        root = root.resolve()
        try:
            files = [_read(root, path) for path in _files(root)]
        except OSError as error:
            raise FileError.from_os_error(error) from error
        categories = _categories(root, files)
        labels = {number: label for label, number in enumerate(sorted(categories))}
        malformed = Malformed()
        crowds: list[Issue] = []
        found: dict[str, list[Annotated]] = {"train": [], "validation": [], "test": []}
        for file in files:
            for picture in file.pictures(labels, malformed, crowds):
                name = picture.path.relative_to(root).as_posix()
                found[file.split or split_of(name)].append(picture)
        malformed.raise_if_any(root, hint=_HINT)
        self.split_rule = "a file for each split" if files[0].split else "by a digest of each name"
        if found["train"] and not found["validation"]:
            given = found["train"]
            for split, wanted in (("train", False), ("validation", True)):
                found[split] = [
                    p for p in given
                    if is_validation(p.path.relative_to(root).as_posix()) is wanted
                ]  # fmt: skip
            self.split_rule += "; validation from train by a digest of each name"
        super().__init__(root, found, [categories[number] for number in sorted(categories)])
        self._issues += crowds


@dataclass(frozen=True, slots=True)
class _File:
    """One annotation file.

    Attributes:
        path: For complaints.
        split: "" where its name says none.
        folder: Where its pictures lie.
        data: As parsed: a dict with three lists of dicts.
    """

    path: Path
    split: str
    folder: Path
    data: dict[str, list[dict[str, Any]]]

    def pictures(
        self, labels: Mapping[int, int], malformed: Malformed, crowds: list[Issue]
    ) -> Iterable[Annotated]:
        of: dict[int | str, list[dict[str, Any]]] = {}
        known = {_id(entry, "id") for entry in self.data["images"]}
        for number, entry in enumerate(self.data["annotations"]):
            where = f"{self.path.name}, annotation {entry.get('id', number)}"
            image = _id(entry, "image_id")
            if image is None or image not in known:
                malformed.add(where, f"no image has the id {image}")
            elif entry.get("iscrowd"):
                crowds.append(Issue(CROWD, where, "stands for many objects: left out"))
            else:
                of.setdefault(image, []).append(entry)
        seen: set[int | str | None] = set()
        for entry in self.data["images"]:
            where = f"{self.path.name}, image {entry.get('id')}"
            try:
                path = path_below(self.folder, str(entry.get("file_name", "")))
                if not path.is_file():
                    raise ValueError(f"no file {path}")
                size = finite([entry["width"], entry["height"]])
                if not min(size) > 0:
                    raise ValueError(f"a picture of {size[0]:g} × {size[1]:g} pixels")
                image = _id(entry, "id")
                if image is None:
                    raise ValueError("it has no id")
                if image in seen:
                    raise ValueError("another image has the same id")
                seen.add(image)
                boxes = [_box(annotation, size, labels) for annotation in of.get(image, ())]
            except (KeyError, TypeError, ValueError) as error:
                malformed.add(where, _words(error))
                continue
            yield Annotated(path, tuple(boxes), f"{self.path.name}, {path.name}")


def _box(annotation: dict[str, Any], size: Sequence[float], labels: Mapping[int, int]) -> Box:
    left, top, width, height = finite(annotation["bbox"])
    number = _id(annotation, "category_id")
    if not isinstance(number, int) or number not in labels:
        raise ValueError(f"no category has the id {number}")
    return Box(
        labels[number],
        left / size[0],
        top / size[1],
        (left + width) / size[0],
        (top + height) / size[1],
    )


def _files(root: Path) -> list[tuple[Path, str]]:
    """Annotation files with their splits ("" for none), in order of split."""
    exported = [
        (path, split)
        for word, split in (*_WORDS.items(), ("validation", "validation"))
        if (path := root / word / _EXPORTED).is_file()
    ]
    if exported:
        return exported
    if (root / "labels.json").is_file() and (root / "data").is_dir():
        return [(root / "labels.json", "")]
    if not (root / "annotations").is_dir():
        return []
    paths = sorted(p for p in (root / "annotations").glob("*.json") if not p.name.startswith("."))
    # COCO itself has captions and keypoints beside the boxes.
    paths = [path for path in paths if path.name.startswith("instances")] or paths
    named = [(path, split) for path in paths if (split := _split_in(path.stem))]
    if not named:
        return [(path, "") for path in paths[:1]]
    splits = [split for _, split in named]
    if len(set(splits)) < len(splits):
        raise DataError(
            f"{root / 'annotations'}: several files for one split",
            ", ".join(path.name for path, _ in named),
            hint="one .json for train, one for val, one for test",
        )
    return sorted(named, key=lambda entry: ("train", "validation", "test").index(entry[1]))


def _split_in(stem: str) -> str:
    return next((split for word, split in _WORDS.items() if word in stem.lower()), "")


def _read(root: Path, named: tuple[Path, str]) -> _File:
    path, split = named
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise DataError(f"{path}: {size:,} bytes", limit=f"{MAX_JSON_BYTES:,} bytes for a .json")
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {_words(error)}") from error
    lists = {}
    for key in ("images", "annotations", "categories"):
        value = data.get(key) if isinstance(data, dict) else None
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise DataError(f"{path}: {key} is no list of objects", hint=_HINT)
        lists[key] = value
    if not lists["images"]:
        raise DataError(f"{path}: it lists no images", hint=_HINT)
    return _File(path, split, _picture_folder(root, path, lists["images"][0]), lists)


def _picture_folder(root: Path, path: Path, first: Mapping[str, Any]) -> Path:
    if path.name == _EXPORTED:
        return path.parent
    name = path.stem.removeprefix("instances_")
    places = [root / "images" / name, root / name, root / "images", root / "data", root]
    for place in places:
        try:
            if path_below(place, str(first.get("file_name", ""))).is_file():
                return place
        except ValueError:
            break  # reported with the other complaints about pictures
    return next((place for place in places if place.is_dir()), root)


def _categories(root: Path, files: Sequence[_File]) -> dict[int, str]:
    """Names by id, the same in all files."""
    found: dict[int, str] = {}
    used = {_id(entry, "category_id") for file in files for entry in file.data["annotations"]}
    above = {_id(e, "supercategory") for file in files for e in file.data["categories"]}
    for file in files:
        for entry in file.data["categories"]:
            number, name = entry.get("id"), entry.get("name")
            if isinstance(number, bool) or not isinstance(number, int):
                raise DataError(f"{file.path}: a category's id is no whole number", hint=_HINT)
            if not isinstance(name, str) or not 0 < len(name) <= 100:
                raise DataError(f"{file.path}: the category {number} has no name", hint=_HINT)
            if found.setdefault(number, name) != name:
                raise DataError(
                    f"{file.path}: the category {number} is {name!r} here, "
                    f"and {found[number]!r} in another file"
                )
            if (
                name in above
                and number not in used
                and _id(entry, "supercategory") in (None, "none")
            ):
                del found[number]  # a heading over the others, as some tools export it
    if not 0 < len(found) <= MAX_CLASSES:
        raise DataError(f"{root}: {len(found):,} categories", limit=f"1 to {MAX_CLASSES:,}")
    return found


def _id(entry: Mapping[str, Any], key: str) -> int | str | None:
    value = entry.get(key)
    return value if isinstance(value, int | str) else None


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return " ".join(str(error).split()) or type(error).__name__
