"""Batches for training, read ahead by other processes while the model computes.

Owns the order of samples: seeded permutations one after the other, cut into epochs, so that epoch 7
is the same after a restart. Knows data sets and arrays. Does not know TensorFlow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edgekit.datasets import Dataset
from edgekit.datasets.readers import Readers, create_arrays
from edgekit.process import available_cores
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def epoch_order(size: int, epoch: int, samples: int, seed: int) -> Array:
    """Indices of the samples of an epoch.

    Epochs are consecutive windows of `samples` over an endless row of permutations of `size`: every
    sample is seen before any is seen again, whatever the epoch's length.
    """
    import numpy as np

    start, end = epoch * samples, (epoch + 1) * samples
    parts = []
    while start < end:
        lap, offset = divmod(start, size)
        generator = np.random.Generator(np.random.Philox(key=(seed, lap)))
        part = generator.permutation(size)[offset : offset + end - start]
        parts.append(part)
        start += len(part)
    return np.concatenate(parts)


class Feed:
    """Reads training samples in batches, a few batches ahead of whoever takes them.

    Args:
        dataset: Labelled; its split "train" is read.
        spec: The model's input.
        batch_size: Samples per batch.
        scratch: An empty folder for the batches under way.
    """

    def __init__(
        self, dataset: Dataset, spec: InputSpec, batch_size: int, *, scratch: Path
    ) -> None:
        # The model keeps all cores busy by itself: half of them are enough to stay ahead of it.
        processes = max(1, available_cores() // 2) if dataset.costly else 0
        self._batch_size = batch_size
        self._free: deque[Path] = deque()
        for number in range(processes + 2):
            folder = scratch / str(number)
            folder.mkdir()
            create_arrays(folder, batch_size, spec, dataset, labelled=True)
            self._free.append(folder)
        self._readers = Readers(dataset, spec, processes)
        self._threads = ThreadPoolExecutor(max(1, processes))

    def batches(self, order: Array) -> Iterator[tuple[Array, Array]]:
        """The samples of `order`; a last, incomplete batch is left out.

        Yields:
            inputs [batch, *shape] and labels [batch, *label_shape]; valid until the next are asked
            for.

        Raises:
            DataError: A sample cannot be read.
        """
        import numpy as np

        starts = iter(range(0, len(order) - self._batch_size + 1, self._batch_size))
        waiting: deque[tuple[Path, Future[None]]] = deque()
        try:
            while True:
                while self._free and (start := next(starts, None)) is not None:
                    folder = self._free.popleft()
                    indices = order[start : start + self._batch_size].tolist()
                    job = self._threads.submit(self._readers.read_into, folder, 0, "train", indices)
                    waiting.append((folder, job))
                if not waiting:
                    return
                folder, job = waiting[0]
                job.result()
                yield (
                    np.load(folder / "inputs.npy", mmap_mode="r"),
                    np.load(folder / "labels.npy", mmap_mode="r"),
                )
                waiting.popleft()
                self._free.append(folder)
        finally:
            for folder, job in waiting:
                if not job.cancel():
                    wait([job])  # its slot is free only when nobody writes there any more
                self._free.append(folder)

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        self._readers.__exit__(kind, error, trace)
        self._threads.shutdown(wait=True)
