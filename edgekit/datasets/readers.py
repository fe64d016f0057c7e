"""Read samples in several processes at once, straight into files that every process can map.

Knows data sets and child processes. Small reads, and data sets that are cheap to read, stay in this
process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import Dataset
from edgekit.datasets.opening import open_dataset
from edgekit.errors import DataError
from edgekit.process import Child, Emit, Handler, available_cores
from edgekit.samples import INPUTS, place_for, sample_files, samples_at
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Readers:
    """A few processes that read samples of one data set.

    Args:
        dataset: What to read.
        specs: The model's inputs to read for.
        processes: How many; 0 reads in this process.
    """

    def __init__(self, dataset: Dataset, specs: Sequence[InputSpec], processes: int) -> None:
        self._dataset = dataset
        self._specs = tuple(specs)
        self._children = [Child("edgekit.datasets.readers:serve_reads") for _ in range(processes)]
        self._idle: SimpleQueue[Child] = SimpleQueue()
        for child in self._children:
            self._idle.put(child)

    def read_into(self, folder: Path, row: int, split: str, indices: Sequence[int]) -> None:
        """Read samples into the rows from `row` on of what `create_arrays` made in `folder`.

        May be called from several threads; each call waits for an idle process.

        Raises:
            DataError: A sample cannot be read.
            ChildCrashed: The reading process died.
        """
        if not self._children:
            _read_into(
                self._dataset, self._specs, folder=folder, row=row, split=split, indices=indices
            )
            return
        child = self._idle.get()
        try:
            child.call(
                {
                    "dataset": self._dataset.reference,
                    "specs": [spec.to_json() for spec in self._specs],
                    "folder": str(folder),
                    "row": row,
                    "split": split,
                    "indices": [int(index) for index in indices],
                }
            )
        finally:
            self._idle.put(child)

    def __enter__(self) -> Readers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            if kind is not None:
                child.kill()
            child.close()


def create_arrays(
    folder: Path, count: int, specs: Sequence[InputSpec], dataset: Dataset, *, labelled: bool
) -> None:
    """Make empty `inputs.npy` [count, *shape] and, if `labelled`, `labels.npy` beside it.

    Of several inputs, `inputs/NAME.npy` each (`edgekit.samples`). Labels have the shape
    [count, *dataset.label_shape_for(first input)] and dtype `dataset.label_dtype`.
    """
    import numpy as np

    open_memmap = np.lib.format.open_memmap
    place = place_for(folder / INPUTS, len(specs))
    if len(specs) > 1:
        place.mkdir()
    files = sample_files(place, [spec.name for spec in specs])
    for spec in specs:
        shape = (count, *spec.shape)
        open_memmap(files[spec.name], mode="w+", dtype=spec.dtype, shape=shape)
    if labelled:
        shape = (count, *dataset.label_shape_for(specs[0]))
        open_memmap(folder / "labels.npy", mode="w+", dtype=dataset.label_dtype, shape=shape)


def useful_processes(dataset: Dataset, count: int) -> int:
    """How many processes are worth starting to read `count` samples once."""
    # A process takes a third of a second to start: a few hundred samples' time.
    if not dataset.costly or count < 600:
        return 0
    return min(available_cores(), 8)


def serve_reads() -> Handler:
    """The child's side of `Readers`: answers read requests, keeping the data set open."""
    opened: dict[str, Dataset] = {}

    def handle(payload: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        reference = payload["dataset"]
        if reference not in opened:
            opened[reference] = open_dataset(reference)
        _read_into(
            opened[reference],
            [InputSpec.from_json(entry) for entry in payload["specs"]],
            folder=Path(payload["folder"]),
            row=payload["row"],
            split=payload["split"],
            indices=payload["indices"],
        )
        return {}

    return handle


def _read_into(
    dataset: Dataset,
    specs: Sequence[InputSpec],
    *,
    folder: Path,
    row: int,
    split: str,
    indices: Sequence[int],
) -> None:
    import numpy as np

    found = None
    files = sample_files(samples_at(folder), [spec.name for spec in specs])
    for spec in specs:
        samples = dataset.read(split, indices, spec)
        wanted = (len(indices), *spec.shape)
        if samples.inputs.shape != wanted or samples.inputs.dtype != np.dtype(spec.dtype):
            raise DataError(
                f"{dataset.name} gave {samples.inputs.dtype} {list(samples.inputs.shape)}; "
                f"the input {spec.name!r} takes {spec.dtype} {list(wanted)}"
            )
        _write_rows(files[spec.name], row, samples.inputs)
        found = samples.labels if spec is specs[0] else found
    if found is not None:
        labels = np.ascontiguousarray(found, dtype=dataset.label_dtype)
        if labels.shape != (len(indices), *dataset.label_shape_for(specs[0])):
            raise DataError(f"{dataset.name} gave labels of the shape {list(labels.shape)}")
        _write_rows(folder / "labels.npy", row, labels)


def _write_rows(path: Path, row: int, values: Array) -> None:
    """Write into a `.npy` by system calls: on a full disk a mapped page would end the process."""
    import numpy as np

    mapped = np.load(path, mmap_mode="r")
    with path.open("r+b") as stream:
        stream.seek(mapped.offset + row * (mapped.nbytes // len(mapped)))
        stream.write(np.ascontiguousarray(values).tobytes())
