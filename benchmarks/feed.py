"""What pictures cost before the model sees them: a folder of files, TFRecords, TFRecords in gzip.

The same JPEG files in three layouts, read by what `edgekit train` uses. `first_epoch`: opening,
decoding into an empty cache, one epoch of batches. `later_epoch`: another one. `read_ahead`: an
epoch of a split too large to be kept decoded, read by other processes as it is needed. Before each
timing the files' pages are dropped from memory, as far as the system does it. Layouts alternate in
random order; a ratio is taken within each round.
"""

from __future__ import annotations

import io
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.datasets import SPLITS, Dataset, open_dataset
from edgekit.datasets.tfrecord_writing import write_tfrecords
from edgekit.loading import import_tensorflow
from edgekit.spec import InputSpec
from edgekit.statistics import median, median_interval
from edgekit.training.feed import Feed, ReadAhead, epoch_order, open_source
from edgekit.training.hush import hushed_stderr

ROUNDS = 7
SAMPLES = 2016
PIXELS = 256
_BATCH = 32
_SPEC = InputSpec("image", "uint8", (128, 128, 3), "HWC", resize="bilinear")
_LAYOUTS = ("folder", "tfrecord", "tfrecord_gz")
_MEASURED = ("first_epoch", "later_epoch", "read_ahead")


def run(rounds: int = ROUNDS, samples: int = SAMPLES) -> dict[str, Any]:
    """Samples per second and per CPU second by layout, and ratios to the folder of files.

    Always on drawn glyphs; also on sign-digits where `EDGEKIT_DATA` is set.
    """
    with hushed_stderr():
        import_tensorflow("the feed of a training")
    found: dict[str, Any] = {
        "benchmark": "feed",
        "rounds": rounds,
        "input": list(_SPEC.shape),
        "batch": _BATCH,
        "cores": len(os.sched_getaffinity(0)),
    }
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with _cache(place / "shared-cache"):
            _write_glyphs(place / "glyphs" / "folder", samples)
            if os.environ.get("EDGEKIT_DATA"):
                _write_files(open_dataset("sign-digits"), place / "sign-digits" / "folder")
            for data in sorted(place.glob("*/folder")):
                _convert(data)
        for data in sorted(place.glob("*/folder")):
            found[data.parent.name.replace("-", "_")] = _compare(data.parent, rounds)
    return found


def _compare(data: Path, rounds: int) -> dict[str, Any]:
    order = random.Random(0)
    spent: dict[str, dict[str, list[_Spent]]] = {
        what: {layout: [] for layout in _LAYOUTS} for what in _MEASURED
    }
    _measure(data / "folder")  # imports and threads are warm for every side
    for _ in range(rounds):
        for layout in order.sample(_LAYOUTS, k=len(_LAYOUTS)):
            for what, found in _measure(data / layout).items():
                spent[what][layout].append(found)
    figures: dict[str, Any] = {
        "train_samples": open_dataset(data / "folder").size("train"),
        "megabytes": {layout: round(_bytes(data / layout) / 1e6, 2) for layout in _LAYOUTS},
    }
    for what, sides in spent.items():
        speeds = {side: [one.samples / one.wall_s for one in sides[side]] for side in sides}
        # Barely moved by what else the machine does.
        work = {side: [one.samples / one.cpu_s for one in sides[side]] for side in sides}
        figures[what] = {
            "per_s": _figures(speeds),
            "per_cpu_s": _figures(work),
        }
    return figures


def _figures(speeds: dict[str, list[float]]) -> dict[str, Any]:
    """Medians by layout, and the ratio of each to the folder within the same round."""
    figures: dict[str, Any] = {name: round(median(found), 1) for name, found in speeds.items()}
    for layout in _LAYOUTS[1:]:
        ratios = [a / b for a, b in zip(speeds[layout], speeds["folder"], strict=True)]
        figures[f"{layout}_ratio"] = round(median(ratios), 4)
        bounds = [round(bound, 4) for bound in median_interval(ratios)]
        figures[f"{layout}_ratio_ci95"] = bounds
    return figures


@dataclass
class _Spent:
    """Samples, and the time they took on the clock and on all cores, children included."""

    samples: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def _timed() -> Iterator[_Spent]:
    spent = _Spent()
    wall, cpu = time.perf_counter(), _cpu_s()
    yield spent
    spent.wall_s, spent.cpu_s = time.perf_counter() - wall, _cpu_s() - cpu


def _cpu_s() -> float:
    import resource  # POSIX only

    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # those that ended
    return time.process_time() + children.ru_utime + children.ru_stime


def _measure(data: Path) -> dict[str, _Spent]:
    """The three kinds of epoch, each from its own empty cache."""
    with tempfile.TemporaryDirectory(dir=data.parent) as name:
        scratch = Path(name)
        (scratch / "batches").mkdir()
        _forget(data)
        with _cache(scratch / "cache"):
            with _timed() as first:
                dataset = open_dataset(data)
                feed = Feed(open_source(dataset, [_SPEC], _BATCH, scratch=scratch), _BATCH)
                first.samples = _epoch(feed, dataset, 0)
            with _timed() as later, feed:
                later.samples = _epoch(feed, dataset, 1)
        _forget(data)
        with _cache(scratch / "another-cache"), _timed() as ahead:
            dataset = open_dataset(data)
            source = ReadAhead(dataset, [_SPEC], _BATCH, scratch=scratch / "batches")
            with Feed(source, _BATCH) as feed:
                ahead.samples = _epoch(feed, dataset, 0)
    return dict(zip(_MEASURED, (first, later, ahead), strict=True))


def _epoch(feed: Feed, dataset: Dataset, epoch: int) -> int:
    size = dataset.size("train") // _BATCH * _BATCH
    seen = 0
    for inputs, _labels in feed.batches(epoch_order(dataset.size("train"), epoch, size, 0)):
        seen += len(inputs)
    return seen


def _convert(folder: Path) -> None:
    dataset = open_dataset(folder)
    write_tfrecords(dataset, folder.with_name("tfrecord"))
    write_tfrecords(dataset, folder.with_name("tfrecord_gz"), compress=True)


def _write_files(dataset: Dataset, folder: Path) -> None:
    """A data set of pictures as class folders, the files as they are."""
    for split in SPLITS:
        labels = dataset.labels(split)
        assert labels is not None
        for index, label in enumerate(labels):
            content = dataset.original(split, index)
            assert isinstance(content, bytes)
            place = folder / split / dataset.classes[label]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{index:05d}.jpg").write_bytes(content)


def _write_glyphs(folder: Path, samples: int) -> None:
    """Drawn letters and digits as JPEG files of `PIXELS` a side, the same on every run."""
    from PIL import Image

    dataset = open_dataset("glyphs")
    spec = InputSpec("image", "uint8", (PIXELS, PIXELS, 3), "HWC", resize="bilinear")
    for split, count in (("train", samples), ("validation", len(dataset.classes))):
        for index in range(count):
            drawn = dataset.read(split, [index], spec)
            assert drawn.labels is not None
            stored = io.BytesIO()
            Image.fromarray(drawn.inputs[0]).save(stored, "JPEG", quality=90)
            place = folder / split / dataset.classes[int(drawn.labels[0])]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{index:05d}.jpg").write_bytes(stored.getvalue())


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("EDGEKIT_CACHE")
    os.environ["EDGEKIT_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["EDGEKIT_CACHE"]
        else:
            os.environ["EDGEKIT_CACHE"] = before


def _each_file(folder: Path, do: Callable[[Path], Any]) -> list[Any]:
    return [do(path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _bytes(folder: Path) -> int:
    return sum(_each_file(folder, lambda path: path.stat().st_size))


def _forget(folder: Path) -> None:
    """Drop the pages of a folder's files from memory, where the system can."""

    def drop(path: Path) -> None:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    if hasattr(os, "posix_fadvise"):
        _each_file(folder, drop)
