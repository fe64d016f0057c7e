"""Any data set as a folder of TFRecords: `train.tfrecord`, …, `dataset.json`.

Equal data give equal bytes, in the order of the data set: shuffle what is read in sequence. The
folder appears whole or not at all. Pictures keep the bytes of their files unless a size is given.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.datasets.base import SPLITS, Dataset, require_classes
from edgekit.datasets.tfrecord_example import Sample, serialize
from edgekit.datasets.tfrecord_file import frame, written
from edgekit.datasets.tfrecord_folder import DESCRIPTION, Description, is_tfrecord_name
from edgekit.errors import DataError, EdgekitError, FileError
from edgekit.files import canonical_json, replace_folder, scratch_folder, write_atomic
from edgekit.process import available_cores
from edgekit.progress import Progress, Report, silent
from edgekit.spec import InputSpec

MAX_SHARDS = 10_000
_CHUNK = 256
_QUALITY = 90  # of a JPEG that is made smaller
_PICTURES = ("image-classification", "object-detection")


@dataclass(frozen=True, slots=True)
class Written:
    """TFRecords that were written.

    Attributes:
        folder: They lie in it, with `dataset.json`.
        samples: By split.
        bytes: By split, of its files.
        files: How many TFRecord files.
    """

    folder: Path
    samples: dict[str, int]
    bytes: dict[str, int]
    files: int


def write_tfrecords(
    dataset: Dataset,
    folder: Path,
    *,
    compress: bool = False,
    shards: int = 1,
    samples: int | None = None,
    pixels: int | None = None,
    report: Report = silent,
) -> Written:
    """Write all splits of a data set.

    Args:
        dataset: Of pictures, texts or sounds.
        folder: New, empty, or with TFRecords that are replaced.
        compress: gzip; texts become smaller, pictures don't.
        shards: Files a split; fewer where it has fewer samples.
        samples: Of each split at most, classes balanced; all by default.
        pixels: The shorter side of a picture is shrunk to it, the aspect ratio kept; smaller ones
            stay as they are. Data sets that draw on demand draw squares of this size.
        report: Told how far it is.

    Raises:
        DataError: A sample cannot be read or has no form that TFRecords hold, or a class has no
            training sample.
        FileError: `folder` holds other files, or cannot be written.
    """
    require_classes(dataset)
    _refuse_foreign(folder)
    chosen = {split: dataset.choose(split, dataset.size(split)) for split in SPLITS}
    if samples is not None:
        chosen = {split: sorted(dataset.choose(split, samples)) for split in SPLITS}
    made: dict[str, list[Path]] = {}
    try:
        with scratch_folder(folder) as scratch:
            place = scratch / "tfrecords"
            place.mkdir()
            for split in SPLITS:
                if not (indices := list(chosen[split])):
                    continue
                records = _records(dataset, split, indices, pixels)
                paths = _paths(place, split, min(shards, len(indices)), compress)
                task = f"writing {len(indices):,} {split} samples of {dataset.name}"
                done = 0
                for number, path in enumerate(paths):
                    end = len(indices) * (number + 1) // len(paths)
                    with written(path, compress=compress) as stream:
                        while done < end:
                            stream.write(frame(next(records)))
                            done += 1
                            report(Progress(task, done, len(indices)))
                made[split] = paths
            counts = {split: len(chosen[split]) for split in made}
            document = _description(dataset, counts, samples, pixels).to_json()
            write_atomic(place / DESCRIPTION, canonical_json(document))
            sizes = {s: sum(path.stat().st_size for path in made[s]) for s in made}
            replace_folder(place, folder)
    except OSError as error:
        raise FileError.from_os_error(error) from error
    return Written(folder, counts, sizes, sum(map(len, made.values())))


def _refuse_foreign(folder: Path) -> None:
    """A folder is replaced whole: what edgekit did not write must not go with it."""
    try:
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
    except NotADirectoryError:
        raise FileError(f"{folder}: a file", hint="-o with a new folder") from None
    foreign = [name for name in names if name != DESCRIPTION and not is_tfrecord_name(name)]
    if foreign:
        raise FileError(
            f"{folder}: holds files that are no TFRecords: {', '.join(sorted(foreign)[:3])}",
            hint="-o with a new folder",
        )


def _paths(folder: Path, split: str, shards: int, compress: bool) -> list[Path]:
    suffix = ".tfrecord.gz" if compress else ".tfrecord"
    if shards == 1:
        return [folder / f"{split}{suffix}"]
    return [folder / f"{split}-{n:05d}-of-{shards:05d}{suffix}" for n in range(shards)]


def _description(
    dataset: Dataset, counts: dict[str, int], samples: int | None, pixels: int | None
) -> Description:
    rule = [dataset.split_rule] * bool(dataset.split_rule)
    if samples is not None:
        rule.append(f"at most {samples:,} of each split")
    if pixels is not None:
        rule.append(f"shorter side at most {pixels:,} pixels")
    return Description(
        name=dataset.name,
        task=dataset.task,
        classes=dataset.classes,
        most_boxes=dataset.label_shape[0] if dataset.has_boxes else 0,
        samples=counts,
        licence=dataset.licence,
        source=dataset.source,
        split_rule="; ".join(rule),
    )


def _records(
    dataset: Dataset, split: str, indices: list[int], pixels: int | None
) -> Iterator[bytes]:
    """Serialized samples in order; read and shrunk in a few threads, a chunk at a time."""
    labels = None if dataset.label_shape else dataset.labels(split)

    def record(index: int) -> bytes:
        try:
            sample = Sample(dataset.task, _content(dataset, split, index, pixels))
            if dataset.has_boxes:
                boxes = dataset.boxes(split, index).astype("float32")
                sample = replace(sample, boxes=boxes)
            elif labels is not None:
                sample = replace(sample, label=int(labels[index]))
            return serialize(sample, dataset.classes)
        except (EdgekitError, OSError) as error:
            if isinstance(error, EdgekitError):
                raise
            name = dataset.sample_name(split, index)
            raise DataError(
                f"{dataset.name}: {name}: {' '.join(str(error).split())}",
                hint="edgekit data check lists every sample that cannot be read",
            ) from error

    with ThreadPoolExecutor(available_cores()) as threads:
        for start in range(0, len(indices), _CHUNK):
            yield from threads.map(record, indices[start : start + _CHUNK])


def _content(dataset: Dataset, split: str, index: int, pixels: int | None) -> bytes | str:
    """A sample as it is to be stored."""
    if dataset.input_names:
        raise DataError(
            f"{dataset.name}: a sample is {len(dataset.input_names)} arrays, which records have "
            "no form for"
        )
    stored = dataset.original(split, index)
    if stored is not None:
        if pixels is not None and isinstance(stored, bytes) and dataset.task in _PICTURES:
            return _shrunk(stored, pixels)
        return stored
    if dataset.task not in _PICTURES:
        raise DataError(f"{dataset.name}: its samples are neither files nor texts")
    if pixels is None:
        raise DataError(
            f"{dataset.name}: its samples are no picture files",
            hint="--size with the pixels of a side, at which they are drawn",
        )
    spec = InputSpec("image", "uint8", (pixels, pixels, 3), "HWC", resize="bilinear")
    return _encoded(dataset.read(split, [index], spec).inputs[0], "PNG")


def _shrunk(picture: bytes, pixels: int) -> bytes:
    """A picture file whose shorter side has at most `pixels`; the same bytes where it has."""
    from PIL import Image

    from edgekit.datasets.images import decode, picture_size

    width, height = picture_size(picture)
    scale = pixels / min(width, height)
    if scale >= 1:
        return picture
    with Image.open(io.BytesIO(picture)) as image:
        form = "JPEG" if image.format == "JPEG" else "PNG"
    small, _ = decode(picture, round(height * scale), round(width * scale))
    return _encoded(small, form)


def _encoded(pixels: object, form: str) -> bytes:
    from PIL import Image

    stored = io.BytesIO()
    # 4:4:4: colour keeps its resolution.
    options = {"quality": _QUALITY, "subsampling": 0} if form == "JPEG" else {}
    Image.fromarray(pixels).save(stored, form, **options)
    return stored.getvalue()
