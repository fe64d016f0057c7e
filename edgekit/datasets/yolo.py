"""YOLO: a text file a picture, a line a box: class, middle and size in 0–1 of the picture.

Pictures and labels stand in `images/<split>` and `labels/<split>`, in `<split>/images` and
`<split>/labels`, or, without splits, in `images` and `labels`. Classes are named by `names` in
`data.yaml`, or by the lines of `classes.txt`. A line with more numbers is the outline of an object,
whose box is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.datasets.base import Issue
from edgekit.datasets.boxes import Annotated, Box, BoxFiles, Malformed, finite
from edgekit.datasets.images import SUFFIXES
from edgekit.datasets.splitting import is_validation, split_of
from edgekit.errors import DataError, FileError, MissingExtraError

MAX_LABEL_BYTES = 4 * 1024**2  # of one text file; of data.yaml too
MAX_CLASSES = 100_000

_WORDS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_HINT = "a line is: class x y width height, all but the class in 0–1"


def is_yolo(root: Path) -> bool:
    """Whether a folder is laid out like this."""
    return any(
        (root / f"{before}images").is_dir() and (root / f"{before}labels").is_dir()
        for before in ("", "train/")
    )


class YoloFolder(BoxFiles):
    """A folder in YOLO's layout. A picture without a text file is a picture without boxes.

    Raises:
        DataError: A line cannot be read, or the classes have no names.
    """

    def __init__(self, root: Path) -> None:
        root = root.resolve()
        malformed = Malformed()
        lonely: list[Issue] = []
        try:
            classes = _class_names(root)
            pairs, rule = _splits(root)
            found = {
                split: [
                    _annotated(root, picture, text, len(classes), malformed)
                    for picture, text in entries
                ]
                for split, entries in pairs.items()
            }
            read = {text for entries in pairs.values() for _, text in entries}
            for folder in {text.parent for text in read}:
                for text in sorted(folder.glob("*.txt")):
                    if text not in read and text.name != "classes.txt":
                        where = text.relative_to(root).as_posix()
                        lonely.append(Issue("no picture", where, "labels without a picture"))
        except OSError as error:
            raise FileError.from_os_error(error) from error
        malformed.raise_if_any(root, hint=_HINT)
        super().__init__(root, found, classes)
        self.split_rule = rule
        self._issues += lonely


def _annotated(
    root: Path, picture: Path, text: Path, classes: int, malformed: Malformed
) -> Annotated:
    where = text.relative_to(root).as_posix()
    boxes: list[Box] = []
    if not text.is_file():
        return Annotated(picture, (), where)
    if (size := text.stat().st_size) > MAX_LABEL_BYTES:
        malformed.add(where, f"{size:,} bytes; at most {MAX_LABEL_BYTES:,} are read")
        return Annotated(picture, (), where)
    for number, line in enumerate(text.read_text("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            boxes.append(_box(line.split(), classes))
        except ValueError as error:
            malformed.add(f"{where}:{number}", str(error))
    return Annotated(picture, tuple(boxes), where)


def _box(words: Sequence[str], classes: int) -> Box:
    if len(words) < 5 or len(words) % 2 == 0:
        raise ValueError(f"{len(words)} numbers; a box has 5, an outline 7 or more, odd")
    kind, *numbers = finite(words)
    if kind not in range(classes):
        raise ValueError(f"the class {kind:g}; there are {classes}, numbered from 0")
    if len(numbers) == 4:
        x, y, width, height = numbers
        return Box(int(kind), x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    xs, ys = numbers[::2], numbers[1::2]
    return Box(int(kind), min(xs), min(ys), max(xs), max(ys))


def _splits(root: Path) -> tuple[dict[str, list[tuple[Path, Path]]], str]:
    """(picture, text file) by split, and the rule in words."""
    found: dict[str, list[tuple[Path, Path]]] = {"train": [], "validation": [], "test": []}
    for split, words in _WORDS.items():
        for word in words:
            for images, labels in ((f"images/{word}", f"labels/{word}"),
                                   (f"{word}/images", f"{word}/labels")):  # fmt: skip
                found[split] += _pairs(root / images, root / labels)
    if any(found.values()):
        if found["train"] and not found["validation"]:
            given = found["train"]
            for split, wanted in (("train", False), ("validation", True)):
                found[split] = [pair for pair in given if is_validation(pair[0].stem) is wanted]
            return found, "folders; validation from train by a digest of each name"
        return found, "folders"
    for pair in _pairs(root / "images", root / "labels"):
        found[split_of(pair[0].stem)].append(pair)
    return found, "by a digest of each file's name"


def _pairs(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    if not images.is_dir():
        return []
    return [
        (path, labels / path.relative_to(images).with_suffix(".txt"))
        for path in sorted(images.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]


def _class_names(root: Path) -> list[str]:
    for path in (root / name for name in _YAMLS):
        if path.is_file():
            return _checked(path, _names_in_yaml(path))
    for path in (root / "classes.txt", root / "labels" / "classes.txt"):
        if path.is_file():
            lines = path.read_text("utf-8", "replace").splitlines()
            return _checked(path, [line.strip() for line in lines if line.strip()])
    raise DataError(
        f"{root}: nothing names the classes",
        hint="classes.txt with a name a line, or data.yaml with names: [cat, dog]",
    )


def _names_in_yaml(path: Path) -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("PyYAML", "data", f"reading {path.name}") from error
    if path.stat().st_size > MAX_LABEL_BYTES:
        raise DataError(f"{path}: too large", limit=f"{MAX_LABEL_BYTES:,} bytes")
    try:
        data = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: not YAML: {reason}") from error
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(names, dict):
        if sorted(map(repr, names)) != sorted(map(repr, range(len(names)))):
            raise DataError(f"{path}: names are not numbered 0 to {len(names) - 1}")
        return [names[number] for number in range(len(names))]
    return names


def _checked(path: Path, names: Any) -> list[str]:
    if not isinstance(names, list) or not 0 < len(names) <= MAX_CLASSES:
        raise DataError(f"{path}: no list of class names", hint="names: [cat, dog]")
    # Without quotes YAML reads some names as numbers or truths.
    plain = [str(name) for name in names if isinstance(name, str | int | float)]
    if len(plain) < len(names) or not all(0 < len(name) <= 100 for name in plain):
        raise DataError(f"{path}: a class name is no text of 1 to 100 characters")
    return plain
