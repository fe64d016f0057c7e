"""TFRecords as a data set: `.tfrecord` and `.tfrecord.gz`, in shards or whole, any sample by index.

A folder with one or more files a split, or a lone file. Which files those are `tfrecord_folder`
knows, how they are framed `tfrecord_file`, and what a record means `tfrecord_example`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Issue, Samples
from edgekit.datasets.boxes import DEGENERATE, MAX_BOXES, Box, keep_box
from edgekit.datasets.images import PictureMemo, fit_pixels, image_size, unreadable_reason
from edgekit.datasets.sound import waveforms
from edgekit.datasets.splitting import is_validation, split_of
from edgekit.datasets.text import tokens_of
from edgekit.datasets.tfrecord_example import KNOWN, Sample, parse
from edgekit.datasets.tfrecord_file import RecordFile
from edgekit.datasets.tfrecord_folder import (
    DESCRIPTION,
    MAX_CLASSES,
    Description,
    find_files,
    read_classes,
    read_description,
)
from edgekit.errors import DataError, MissingExtraError
from edgekit.files import cache_folder, digest_json, scratch_folder
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise when the columns of a survey change. 1: label, boxes, lowest and highest class of a box.
_SURVEY = 1
_LABEL, _BOXES, _LOWEST, _HIGHEST, _CLASSIC = range(5)


class Tfrecords(Dataset):
    """Samples of TFRecord files.

    Opening reads frames, one record and `dataset.json`. Without that file every record is read
    once, for the classes; the answer is kept in the cache. And without it a validation split that
    has no file gets an eighth of the training records. A lone file is divided into all three
    splits, by the numbers of its records.

    Args:
        path: A folder, or a file.

    Raises:
        DataError: A shard is missing, a frame damaged, or records hold nothing edgekit reads.
        MissingExtraError: A package for TFRecords is not installed.
    """

    def __init__(self, path: Path) -> None:
        from importlib.util import find_spec

        for package, module in (("google-crc32c", "google_crc32c"), ("protobuf", "google")):
            if find_spec(module) is None:
                raise MissingExtraError(package, "data", "reading TFRecords")
        self._path = path.resolve()
        self.reference = str(self._path)
        files = {
            split: [*map(RecordFile, paths)] for split, paths in find_files(self._path).items()
        }
        self._files = [file for split in SPLITS for file in files.get(split, ())]
        folder = self._path if self._path.is_dir() else self._path.parent
        described = read_description(folder)
        self._places = self._divide(files, given=described is not None or "validation" in files)
        self._memo = PictureMemo()
        self._surveys: dict[Path, Array] = {}
        self._first_label = 0
        if not any(map(len, self._files)):
            raise DataError(f"{self._path}: no records in it")
        if described is not None:
            self._take(described, {s: sum(map(len, files[s])) for s in files if any(files[s])})
        else:
            self._find_out(folder)

    def fingerprint(self) -> str:
        import PIL

        entries = [
            (file.path.name, stat.st_size, stat.st_mtime_ns)
            for file in self._files
            for stat in (file.path.stat(),)
        ]
        content = {"files": entries, "classes": self.classes, "boxes": self.label_shape}
        return digest_json({**content, "pillow": PIL.__version__})

    def size(self, split: str) -> int:
        return len(self._places.get(split, ()))

    def labels(self, split: str) -> Array | None:
        if self.label_shape or not self.classes:
            return None
        import numpy as np

        labels = np.empty(self.size(split), np.int64)
        files = self._places[split][:, 0]
        for place in np.unique(files):
            mine = files == place
            labels[mine] = self._survey(self._files[place])[self._places[split][mine, 1], _LABEL]
        wrong = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if len(wrong):
            self._sample(split, int(wrong[0]))  # says what is wrong with it
        return labels

    def sample_name(self, split: str, index: int) -> str:
        file, number = self._places[split][index]
        return f"{self._files[file].path.name}, record {number}"

    def original(self, split: str, index: int) -> bytes | str:
        return self._sample(split, index).content

    def boxes(self, split: str, index: int) -> Array:
        """The boxes of a sample that are kept: float64 [count, 5], as in `label_shape`.

        Edges are parts (0–1) of the picture itself, whatever input it is read for.
        """
        return self._kept(self._sample(split, index))[0]

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        samples = [self._sample(split, index) for index in indices]
        if self.task == "text-classification":
            texts = [str(sample.content) for sample in samples]
            inputs = tokens_of(texts, spec, owner=self.name)
        elif self.task == "audio-classification":
            inputs = waveforms(self._sounds(split, indices, samples), spec, owner=self.name)
        else:
            return self._read_pictures(split, indices, samples, spec)
        if not self.classes:
            return Samples(inputs, None)
        return Samples(inputs, np.array([sample.label for sample in samples], np.int64))

    def class_counts(self, split: str) -> tuple[int, ...] | None:
        if not self.label_shape:
            return super().class_counts(split)
        counts = [0] * len(self.classes)
        for index in range(self.size(split)):
            for label in self.boxes(split, index)[:, 0]:
                counts[int(label)] += 1
        return tuple(counts)

    def issues(self) -> Sequence[Issue]:
        """Boxes that are left out; reads every record."""
        if not self.label_shape:
            return ()
        return [
            Issue(DEGENERATE, f"{self.sample_name(split, index)}, box {number}", f"{why}: left out")
            for split in SPLITS
            for index in range(self.size(split))
            for number, why in self._kept(self._sample(split, index))[1]
        ]

    def _read_pictures(
        self, split: str, indices: Sequence[int], samples: Sequence[Sample], spec: InputSpec
    ) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        labels = np.zeros((len(indices), *self.label_shape), self.label_dtype)
        if self.label_shape:
            labels[..., 0] = -1
        for row, (index, sample) in enumerate(zip(indices, samples, strict=True)):
            assert isinstance(sample.content, bytes)
            file, number = (int(value) for value in self._places[split][index])
            try:
                pixels[row], fit = self._memo.decode(
                    sample.content, height, width, resize=spec.resize, name=(file, number)
                )
            except Exception as error:  # Pillow raises anything at damaged files
                reason = unreadable_reason(error, self._files[file].path)
                what = f"not a readable picture: {reason}"
                raise self._files[file].damaged(number, what) from None
            if self.label_shape:
                boxes, _ = self._kept(sample)
                boxes[:, 1:] = fit.to_input(boxes[:, 1:])
                labels[row, : len(boxes)] = boxes
            elif sample.label is not None:
                labels[row] = sample.label
        return Samples(fit_pixels(pixels, spec), labels if self.classes else None)

    def _sounds(
        self, split: str, indices: Sequence[int], samples: Sequence[Sample]
    ) -> list[tuple[Path | bytes, str]]:
        named: list[tuple[Path | bytes, str]] = []
        for index, sample in zip(indices, samples, strict=True):
            assert isinstance(sample.content, bytes)
            file, number = (int(value) for value in self._places[split][index])
            named.append((sample.content, self._files[file].where(number)))
        return named

    def _kept(self, sample: Sample) -> tuple[Array, list[tuple[int, str]]]:
        """Boxes that the rule keeps, float64 [count, 5], and why the others are left out."""
        import numpy as np

        rows, left_out = [], []
        for number, entry in enumerate(() if sample.boxes is None else sample.boxes.tolist(), 1):
            row, problem = keep_box(Box(int(entry[0]), *entry[1:]))
            if row is None:
                left_out.append((number, problem))
            else:
                rows.append(row)
        return np.array(rows, np.float64).reshape(-1, 5), left_out

    def _sample(self, split: str, index: int) -> Sample:
        """A record, its classes numbered from 0 and within `classes`."""
        place, number = (int(value) for value in self._places[split][index])
        file = self._files[place]
        sample = _parsed(file, number)
        if self.task == "object-detection" and sample.task == "image-classification":
            return sample  # a picture without boxes
        if sample.task != self.task:
            raise file.damaged(number, f"made for {sample.task}; the others for {self.task}", KNOWN)
        if sample.boxes is not None:
            sample.boxes[:, 0] -= self._first_label
            if len(sample.boxes) > self.label_shape[0]:
                most = self.label_shape[0]
                what = f"{len(sample.boxes):,} boxes; {DESCRIPTION} says at most {most:,}"
                raise file.damaged(number, what)
            numbers = sample.boxes[:, 0].astype(int).tolist()
        elif not self.classes:
            return sample
        elif sample.label is None:
            raise file.damaged(number, "no label; others have one", KNOWN)
        else:
            numbers = [sample.label]
        for label in numbers:
            if not 0 <= label < len(self.classes):
                first = self._first_label
                what = f"class {label + first:,}; there are {len(self.classes):,}, from {first}"
                raise file.damaged(number, what, "name every class in classes.txt, one a line")
        return sample

    def _divide(
        self, files: Mapping[str, Sequence[RecordFile]], *, given: bool
    ) -> dict[str, Array]:
        """int64 [samples, 2] by split: which file, which record of it; sets `split_rule`.

        Where the splits are not `given`, some of train become validation.
        """
        import numpy as np

        found: dict[str, list[tuple[int, int]]] = {split: [] for split in SPLITS}
        alone = not self._path.is_dir()
        place = -1
        for split in SPLITS:
            for file in files.get(split, ()):
                place += 1
                for number in range(len(file)):
                    name, to = f"{place}/{number}", split
                    if alone:
                        to = split_of(name)
                    elif not given and split == "train" and is_validation(name):
                        to = "validation"
                    found[to].append((place, number))
        rest = "" if given else "; validation from train by a digest of each record's number"
        self.split_rule = "by a digest of each record's number" if alone else f"files{rest}"
        return {split: np.array(found[split], np.int64).reshape(-1, 2) for split in SPLITS}

    def _take(self, described: Description, records: Mapping[str, int]) -> None:
        """What `dataset.json` says, where it fits the files."""
        if self._path.is_dir() and records != {s: n for s, n in described.samples.items() if n}:
            raise DataError(
                f"{self._path}: {_counted(records)} records in the files; "
                f"{DESCRIPTION} says {_counted(described.samples)}",
                hint=f"fetch, copy or convert the data set again, or remove {DESCRIPTION}",
            )
        self.name, self.task, self.classes = described.name, described.task, described.classes
        self.licence, self.source = described.licence, described.source
        self.split_rule = described.split_rule or self.split_rule
        if self.task == "object-detection":
            self._first_label = 1  # as `tfrecord_example.serialize` numbers them
            self.label_shape = (max(1, min(described.most_boxes, MAX_BOXES)), 5)

    def _find_out(self, folder: Path) -> None:
        """Task, classes and boxes, from the records themselves and `classes.txt`."""
        import numpy as np

        self.name = self._path.name.partition(".")[0] or "tfrecords"
        self.task = _parsed(next(file for file in self._files if len(file)), 0).task
        rows = np.concatenate([self._survey(file) for file in self._files])
        highest = int(rows[:, _LABEL].max())
        if self.task == "image-classification" and rows[:, _BOXES].max() >= 0:
            self.task = "object-detection"
        if self.task == "object-detection":
            seen = rows[rows[:, _BOXES] > 0]
            # The Object Detection API numbers classes from 1: 0 is its background.
            self._first_label = int(
                len(seen) > 0 and bool(seen[:, _CLASSIC].all()) and seen[:, _LOWEST].min() > 0
            )
            highest = int(seen[:, _HIGHEST].max()) - self._first_label if len(seen) else -1
            most = int(rows[:, _BOXES].max())
            if most > MAX_BOXES:
                raise DataError(
                    f"{self._path}: {most:,} boxes in a record", limit=f"{MAX_BOXES:,} a picture"
                )
            self.label_shape = (max(1, most), 5)
        if highest >= MAX_CLASSES:
            raise DataError(
                f"{self._path}: a class has the number {highest:,}",
                limit=f"{MAX_CLASSES:,} classes",
                hint="number the classes from 0, without gaps",
            )
        self.classes = read_classes(folder) or tuple(map(str, range(highest + 1)))

    def _survey(self, file: RecordFile) -> Array:
        """int64 [records, 5] of a file, every record read once; kept in the cache."""
        import numpy as np

        if file.path in self._surveys:
            return self._surveys[file.path]
        stat = file.path.stat()
        key = digest_json([_SURVEY, str(file.path), stat.st_size, stat.st_mtime_ns])
        place = cache_folder() / "tfrecords" / f"{key}.npy"
        rows = None
        with suppress(OSError, ValueError):  # absent or damaged: made anew
            rows = np.load(place)
        if rows is None or rows.shape != (len(file), 5) or rows.dtype != np.int64:
            rows = _survey(file)
            with suppress(OSError), scratch_folder(place) as scratch:  # it would only save time
                np.save(scratch / place.name, rows)
                (scratch / place.name).replace(place)
        self._surveys[file.path] = rows
        return rows


def _survey(file: RecordFile) -> Array:
    """As `Tfrecords._survey`.

    Raises:
        DataError: Records are damaged; one complaint about all of them.
    """
    import numpy as np

    rows = np.full((len(file), 5), -1, np.int64)
    damaged: list[DataError] = []
    for number in range(len(file)):
        try:
            sample = _parsed(file, number)
        except DataError as error:
            damaged.append(error)
            continue
        rows[number, _LABEL] = -1 if sample.label is None else sample.label
        if sample.boxes is not None:
            classes = sample.boxes[:, 0].astype(np.int64)
            rows[number, _BOXES] = len(classes)
            rows[number, _CLASSIC] = sample.classic
            if len(classes):
                rows[number, _LOWEST : _HIGHEST + 1] = classes.min(), classes.max()
    if damaged:
        raise DataError(
            damaged[0].message,
            *[error.message for error in damaged[1:5]],
            f"{len(damaged):,} of {len(file):,} records cannot be read",
            hint=damaged[0].hint,
        )
    return rows


def _parsed(file: RecordFile, number: int) -> Sample:
    return parse(file.read(number), lambda what, hint: file.damaged(number, what, hint))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count:,}" for split, count in counts.items()) or "no"
