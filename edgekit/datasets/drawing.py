"""Samples on disk for any process: drawn once, balanced, cached by content.

Knows data sets and the cache. Calibration, evaluation and validation all draw here, so that every
target and device sees the very same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import Dataset, require_inputs, require_split
from edgekit.datasets.readers import Readers, create_arrays, useful_processes
from edgekit.errors import FileError, system_reason
from edgekit.files import cache_folder, digest_json, replace_folder, scratch_folder, write_atomic
from edgekit.progress import Progress, Report, silent
from edgekit.samples import read_samples, sample_files, samples_at
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise when the layout of a cached folder changes. 1: inputs.npy (of several inputs a folder inputs
# with one each), labels.npy, drawn.json.
_FORMAT = 1
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Drawn:
    """Samples on disk.

    Attributes:
        folder: Holds `inputs.npy` [count, *shape], or `inputs/NAME.npy` for each of several inputs,
            and, where labelled, `labels.npy` (int64 [count], or boxes as `Dataset.label_shape`
            says); `np.load(..., mmap_mode="r")` maps them. Never write there.
        count: How many samples; fewer than asked for where the split has fewer.
        digest: sha256 over the bytes of the inputs and the labels.
    """

    folder: Path
    count: int
    digest: str

    @property
    def inputs(self) -> Path:
        """Where the inputs are: a `.npy`, or a folder with one per input."""
        return samples_at(self.folder)

    def read(self, specs: Sequence[InputSpec]) -> dict[str, Array]:
        """The inputs by name, memory-mapped."""
        return read_samples(self.inputs, [spec.name for spec in specs])


def draw(
    dataset: Dataset,
    split: str,
    count: int,
    specs: Sequence[InputSpec],
    *,
    beyond: int = 0,
    report: Report = silent,
) -> Drawn:
    """Put `count` samples of a split on disk, classes balanced as far as possible.

    Deterministic: the same data set, split, count and inputs give the same bytes. Cached below
    `files.cache_folder()`; a cold draw of a costly data set is spread over processes. With `beyond`
    none of the samples is among those that a draw of that many gives.

    Args:
        dataset: Where they come from.
        split: Of it.
        count: How many, at most.
        specs: The model's inputs, at least one.
        beyond: As above.
        report: Told about progress.

    Raises:
        DataError: The split has no samples, one cannot be read, or the data set does not feed these
            inputs.
        FileError: The cache cannot be written.
    """
    try:
        return _draw(dataset, split, count, specs, beyond=beyond, report=report)
    except OSError as error:
        raise _refused_by_system(error) from error


def _refused_by_system(error: OSError) -> FileError:
    cache = cache_folder()
    if error.filename:
        where = Path(os.fsdecode(error.filename))
        if not (where.is_relative_to(cache) or cache.is_relative_to(where)):
            return FileError.from_os_error(error)  # a file of the data set
    number, reason = system_reason(error)
    full = number in (errno.ENOSPC, errno.EDQUOT)
    return FileError(
        f"the cache folder {cache} cannot be written: {reason}",
        hint="free some space, or set EDGEKIT_CACHE to another folder"
        if full
        else "set EDGEKIT_CACHE to a folder that can be written",
    )


def _draw(
    dataset: Dataset,
    split: str,
    count: int,
    specs: Sequence[InputSpec],
    *,
    beyond: int,
    report: Report,
) -> Drawn:
    require_inputs(dataset, specs)
    count = min(count, require_split(dataset, split) - beyond)
    what = {
        "format": _FORMAT,
        "dataset": dataset.fingerprint(),
        "split": split,
        "count": count,
        "spec": specs[0].to_json() if len(specs) == 1 else [spec.to_json() for spec in specs],
    }
    key = digest_json(what | ({"beyond": beyond} if beyond else {}))
    place = cache_folder() / "samples" / key
    if (known := _cached(place)) is not None:
        return known
    with scratch_folder(place) as scratch:
        folder = scratch / "drawn"
        folder.mkdir()
        create_arrays(folder, count, specs, dataset, labelled=dataset.is_labelled(split))
        indices = _chosen(dataset, split, count, beyond)
        _fill(folder, dataset, split=split, indices=indices, specs=specs, report=report)
        digest = _digest(folder, specs)
        write_atomic(folder / "drawn.json", json.dumps({"count": count, "digest": digest}))
        replace_folder(folder, place)
    return Drawn(place, count, digest)


def _chosen(dataset: Dataset, split: str, count: int, beyond: int) -> Sequence[int]:
    if not beyond:
        return dataset.choose(split, count)
    taken = set(dataset.choose(split, beyond))
    return [index for index in dataset.choose(split, beyond + count) if index not in taken]


def _cached(place: Path) -> Drawn | None:
    try:
        known = json.loads((place / "drawn.json").read_text())
        return Drawn(place, int(known["count"]), str(known["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or damaged: drawn anew


def _fill(
    folder: Path,
    dataset: Dataset,
    *,
    split: str,
    indices: Sequence[int],
    specs: Sequence[InputSpec],
    report: Report,
) -> None:
    task = f"drawing {len(indices):,} {split} samples of {dataset.name}"
    processes = useful_processes(dataset, len(indices))
    starts = range(0, len(indices), _CHUNK)
    with (
        Readers(dataset, specs, processes) as readers,
        ThreadPoolExecutor(max(1, processes)) as threads,
    ):
        report(Progress(task, 0, len(indices)))
        chunks = [
            threads.submit(readers.read_into, folder, at, split, indices[at : at + _CHUNK])
            for at in starts
        ]
        try:
            for at, chunk in zip(starts, chunks, strict=True):
                chunk.result()
                report(Progress(task, min(at + _CHUNK, len(indices)), len(indices)))
        except BaseException:
            # Chunks not begun would otherwise be read before the error is seen.
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _digest(folder: Path, specs: Sequence[InputSpec]) -> str:
    import numpy as np

    total = hashlib.sha256()
    inputs = sample_files(samples_at(folder), [spec.name for spec in specs])
    for path in (*inputs.values(), folder / "labels.npy"):
        if path.is_file():
            array = np.load(path, mmap_mode="r")
            for start in range(0, len(array), 256):
                total.update(np.ascontiguousarray(array[start : start + 256]).tobytes())
    return total.hexdigest()
