"""Which TFRecord files make a data set: splits and shards by file name, facts by `dataset.json`.

Names as TensorFlow's tools write them: `train.tfrecord`, `train-00000-of-00004.tfrecord.gz`,
`train.tfrecord-00000-of-00004`, `digits-train.tfrecord`. Does not open a record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import DataError, FileError
from edgekit.fields import Fields, is_name
from edgekit.spec import TASKS

DESCRIPTION = "dataset.json"
CLASSES = "classes.txt"
MAX_SHARDS = 100_000
MAX_CLASSES = 100_000

# Raise when the meaning of a key of dataset.json changes. 1: the first.
_FORMAT = 1
_MAX_BYTES = 64 * 1024**2
_SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
_SHARD = r"-(?P<{0}>\d{{1,6}})-of-(?P<{1}>\d{{1,6}})"
_NAME = re.compile(
    rf"(?:.*[-_.])?(?P<split>{'|'.join(_SPLITS)})"
    rf"(?:{_SHARD.format('shard', 'shards')})?"
    rf"\.(?:tfrecords?|tfrec)(?:\.gz)?(?:{_SHARD.format('late_shard', 'late_shards')})?"
)
_SUFFIX = re.compile(rf".*\.(?:tfrecords?|tfrec)(?:\.gz)?(?:{_SHARD.format('shard', 'shards')})?")


@dataclass(frozen=True, slots=True)
class Description:
    """What `dataset.json` says.

    Attributes:
        name: Of the data set that was converted.
        task: One of `edgekit.spec.TASKS`.
        classes: Label names; the position is the label.
        most_boxes: Boxes of the sample that has most; 0 for other tasks.
        samples: By split.
        licence: As `Dataset.licence`.
        source: As `Dataset.source`.
        split_rule: As `Dataset.split_rule`.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    most_boxes: int = 0
    samples: Mapping[str, int] = field(default_factory=dict)
    licence: str = ""
    source: str = ""
    split_rule: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"format": _FORMAT, **asdict(self), "classes": list(self.classes)}


def is_tfrecord_name(name: str) -> bool:
    """Whether a file is a TFRecord by its name."""
    return _SUFFIX.fullmatch(name) is not None


def holds_tfrecords(folder: Path) -> bool:
    """Whether a folder holds files that are TFRecords by their names."""
    return any(is_tfrecord_name(path.name) for path in folder.iterdir())


def find_files(path: Path) -> dict[str, list[Path]]:
    """TFRecord files by split, shards in order; a lone file is the split "train".

    Raises:
        DataError: No file's name tells its split, or a shard is missing.
    """
    if not path.is_dir():
        return {"train": [path]}
    found: dict[str, dict[int, Path]] = {}
    counts: dict[str, int] = {}
    others = []
    for file in sorted(path.iterdir()):
        if not is_tfrecord_name(file.name) or file.name.startswith("."):
            continue
        match = _NAME.fullmatch(file.name)
        if match is None:
            others.append(file.name)
            continue
        split = _SPLITS[match["split"]]
        shard = int(match["shard"] or match["late_shard"] or 0)
        shards = int(match["shards"] or match["late_shards"] or 1)
        shown = found.setdefault(split, {})
        if shard in shown or counts.setdefault(split, shards) != shards:
            raise DataError(
                f"{path}: two sets of files for the split {split}: "
                f"{min(shown.values()).name} and {file.name}",
                hint="keep one of them in the folder",
            )
        if not shard < shards <= MAX_SHARDS:
            raise DataError(f"{file}: shard {shard:,} of {shards:,}")
        shown[shard] = file
    if not found:
        raise DataError(
            f"{path}: no file name says which split it is: {', '.join(others[:3])}",
            hint="train.tfrecord, validation.tfrecord and test.tfrecord, or with "
            "-00000-of-00004 before the suffix; or --data with one file",
        )
    for split, shards_found in found.items():
        if missing := [n for n in range(counts[split]) if n not in shards_found]:
            raise DataError(
                f"{path}: {split} has {counts[split]:,} shards; {len(missing):,} are missing, "
                f"the first is {missing[0]:05d}",
                hint="fetch, copy or convert the data set again",
            )
    return {split: [shown[n] for n in sorted(shown)] for split, shown in found.items()}


def read_description(folder: Path) -> Description | None:
    """What `dataset.json` in a folder says; None where there is none.

    Raises:
        DataError: It says something that cannot be.
    """
    path = folder / DESCRIPTION
    text = _text(path)
    if text is None:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {' '.join(str(error).split())[:200]}") from error
    fields = Fields(document, str(path), DataError)
    form = fields.integer("format", low=0, high=10**6)
    if form != _FORMAT:
        raise fields.fail("format", f"{form}; this edgekit reads {_FORMAT}")
    names = fields.items("classes", most=MAX_CLASSES)
    classes = _checked_classes(names, f"{path}: classes")
    description = Description(
        name=fields.name("name"),
        task=fields.text("task", choices=TASKS),
        classes=classes,
        most_boxes=fields.integer("most_boxes", 0, high=100_000),
        samples=fields.counts("samples", most=len(_SPLITS), high=2**40),
        licence=fields.text("licence", ""),
        source=fields.text("source", ""),
        split_rule=fields.text("split_rule", ""),
    )
    fields.done()
    return description


def read_classes(folder: Path) -> tuple[str, ...] | None:
    """Label names, one a line, of `classes.txt` in a folder; None where there is none.

    Raises:
        DataError: A line is empty, repeated or no name.
    """
    path = folder / CLASSES
    text = _text(path)
    return None if text is None else _checked_classes(text.rstrip().splitlines(), str(path))


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"{path}: too large", limit=f"{_MAX_BYTES:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text", hint="save it as UTF-8") from error
    except OSError as error:
        raise FileError.from_os_error(error) from error


def _checked_classes(names: Sequence[Any], where: str) -> tuple[str, ...]:
    if len(names) > MAX_CLASSES:
        raise DataError(f"{where}: {len(names):,} classes", limit=f"{MAX_CLASSES:,} classes")
    known: set[str] = set()
    for number, name in enumerate(names):
        if not isinstance(name, str) or not is_name(name.strip()) or len(name) > 1024:
            raise DataError(f"{where}: class {number} has no name on one line")
        if name in known:
            raise DataError(f"{where}: the class {name[:80]!r} is there twice")
        known.add(name)
    return tuple(names)
