"""Batches for training: put in order, read ahead, augmented, while the model computes.

Owns the order of samples: seeded permutations one after the other, cut into epochs, so that epoch 7
is the same after a restart; so are the augmentation's random numbers, which belong to a step. A
split that fits is decoded once, into the cache of drawn samples, and mapped; a larger one, or one
without end, is read by other processes. Both go through one `tf.data` pipeline.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.datasets import Dataset, draw
from edgekit.datasets.readers import Readers, create_arrays
from edgekit.process import available_cores
from edgekit.progress import Report, silent
from edgekit.samples import read_samples, samples_at
from edgekit.spec import InputSpec
from edgekit.training.augment import Augmenter
from edgekit.training.inputs import as_inputs, each_input, load_inputs, load_labels, rows_of

if TYPE_CHECKING:
    import numpy as np

    from edgekit.training.inputs import Inputs

    Array = np.ndarray[Any, Any]

# Decoded inputs of a split that are kept on disk, in bytes.
MOST_STORED_BYTES = 2 * 1024**3

_READY = 2  # batches waiting for the model


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


def fits(specs: Sequence[InputSpec], count: int) -> bool:
    """Whether the inputs of so many samples may be kept on disk."""
    import numpy as np

    sample_bytes = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in specs)
    return count * sample_bytes <= MOST_STORED_BYTES


class Source(ABC):
    """Where a feed's samples come from; `close` ends what runs for it.

    Attributes:
        ahead: Whether batches may be read before the model has taken the step with the last one.
    """

    ahead: ClassVar[bool] = True

    @abstractmethod
    def read(self, batches: Array) -> Iterator[tuple[Inputs, Array]]:
        """The samples of each row of `batches` [steps, batch], row after row.

        Yields:
            Inputs [batch, ...], of several a tuple, and labels [batch, ...]; valid until the next
            are asked for.

        Raises:
            DataError: A sample cannot be read.
        """

    def arrays(self) -> list[Array]:
        """What later epochs depend on beyond the samples asked for: none, as here, of a data set.

        Copies; asked between two epochs.
        """
        return []

    def restore(self, arrays: Sequence[Array]) -> None:  # noqa: B027  most keep nothing
        """Go on from what `arrays` gave."""

    @abstractmethod
    def close(self, *, failed: bool) -> None:
        """Nothing is read any more; `failed` where what is under way is not wanted either."""


class Stored(Source):
    """Samples that lie in arrays, maybe mapped.

    Args:
        inputs: [N, ...], of several inputs a tuple.
        labels: [N, ...].
    """

    def __init__(self, inputs: Inputs, labels: Array) -> None:
        self._inputs, self._labels = inputs, labels

    def read(self, batches: Array) -> Iterator[tuple[Inputs, Array]]:
        for rows in batches:
            yield rows_of(self._inputs, rows), self._labels[rows]

    def close(self, *, failed: bool) -> None:
        pass  # the arrays go with their last reader


class ReadAhead(Source):
    """Samples read by other processes, a few batches ahead of whoever takes them.

    Args:
        dataset: Its split "train" is read; labels are zeros where it has none.
        specs: The model's inputs.
        batch_size: Samples per batch.
        count: How many samples of the split there are to be; None for all.
        scratch: An empty folder for the batches under way.
    """

    def __init__(
        self,
        dataset: Dataset,
        specs: Sequence[InputSpec],
        batch_size: int,
        *,
        count: int | None = None,
        scratch: Path,
    ) -> None:
        import numpy as np

        # All samples of a split are asked for by their own numbers.
        self._chosen: Array | None = None
        if count is not None and count < dataset.size("train"):
            self._chosen = np.array(list(dataset.choose("train", count)))
        # The model keeps all cores busy by itself: half of them are enough to stay ahead of it.
        processes = max(1, available_cores() // 2) if dataset.costly else 0
        self._free: deque[Path] = deque()
        for number in range(processes + 2):
            folder = scratch / str(number)
            folder.mkdir()
            create_arrays(folder, batch_size, specs, dataset, labelled=dataset.is_labelled("train"))
            self._free.append(folder)
        self._names = [spec.name for spec in specs]
        self._readers = Readers(dataset, specs, processes)
        self._threads = ThreadPoolExecutor(max(1, processes))

    def read(self, batches: Array) -> Iterator[tuple[Inputs, Array]]:
        import numpy as np

        batches = batches if self._chosen is None else self._chosen[batches]
        none = np.zeros(batches.shape[1], np.int64)
        rows = iter(batches.tolist())
        waiting: deque[tuple[Path, Future[None]]] = deque()
        try:
            while True:
                while self._free and (indices := next(rows, None)) is not None:
                    folder = self._free.popleft()
                    job = self._threads.submit(self._readers.read_into, folder, 0, "train", indices)
                    waiting.append((folder, job))
                if not waiting:
                    return
                folder, job = waiting[0]
                job.result()
                inputs = read_samples(samples_at(folder), self._names)
                place = folder / "labels.npy"
                labels = np.load(place, mmap_mode="r") if place.is_file() else none
                yield as_inputs(tuple(inputs.values())), labels
                waiting.popleft()
                self._free.append(folder)
        finally:
            for folder, job in waiting:
                if not job.cancel():
                    wait([job])  # its slot is free only when nobody writes there any more
                self._free.append(folder)

    def close(self, *, failed: bool) -> None:
        self._threads.shutdown(wait=not failed, cancel_futures=True)
        self._readers.__exit__(RuntimeError if failed else None, None, None)
        self._threads.shutdown(wait=True)


def open_source(
    dataset: Dataset,
    specs: Sequence[InputSpec],
    batch_size: int,
    *,
    count: int | None = None,
    scratch: Path,
    report: Report = silent,
) -> Source:
    """Samples of the train split, decoded once if it is worth it and fits, else read when needed.

    Args:
        dataset: Labelled or not.
        specs: The model's inputs.
        batch_size: Samples per batch.
        count: How many samples of the split there are to be; None for all.
        scratch: An empty folder for what is under way.
        report: Told about progress.

    Raises:
        DataError: A sample cannot be read.
        FileError: The cache cannot be written.
    """
    kept = dataset.size("train") if count is None else count
    if not (dataset.costly and fits(specs, kept)):
        return ReadAhead(dataset, specs, batch_size, count=count, scratch=scratch)
    # All samples of a split are drawn in their own order.
    drawn = draw(dataset, "train", kept, specs, report=report)
    return Stored(load_inputs(drawn, specs), load_labels(drawn))


class Feed:
    """Batches of a source, as tensors.

    Args:
        source: Closed with the feed.
        batch_size: Samples per step.
        augment: What happens to a batch; None leaves it as it is.
        seed: Of the augmentation.
        part: Which samples of each batch this process trains on: (its number, of how many).
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        *,
        augment: Augmenter | None = None,
        seed: int = 0,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        import tensorflow as tf

        self._source = source
        self._batch_size = batch_size
        # Traced once, not once an epoch.
        self._augment = tf.function(augment, reduce_retracing=True) if augment else None
        self._seed = seed
        self._part = part

    def batches(self, order: Array, first_step: int = 0) -> Iterator[tuple[Any, Any]]:
        """The samples of `order`; a last, incomplete batch is left out.

        Args:
            order: Indices of samples.
            first_step: Steps of the training before this order.

        Yields:
            Tensors, or arrays of a source that is not read ahead: inputs [batch, ...], of several a
            tuple, and labels [batch, ...].

        Raises:
            DataError: A sample cannot be read.
        """
        import tensorflow as tf

        steps = len(order) // self._batch_size
        if not steps:
            return
        rows = order[: steps * self._batch_size].reshape(steps, self._batch_size)
        number, parts = self._part
        if not self._source.ahead:
            yield from self._source.read(rows)
            return
        with closing(_Turns(self._source.read(rows[:, number::parts]))) as turns:
            pipeline = tf.data.Dataset.range(steps).map(turns.take)
            pipeline = pipeline.map(
                self._augmented(first_step), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
            try:
                yield from pipeline.prefetch(_READY)
            except tf.errors.OpError:
                if turns.failure is None:
                    raise
                raise turns.failure from None

    def _augmented(self, first_step: int) -> Callable[[Any, Any, Any], Any]:
        import tensorflow as tf

        augment = self._augment
        # Every number that fits into 32 bits is a seed; TensorFlow takes them with a sign.
        low = (self._seed + 2**31) % 2**32 - 2**31
        shift = self._part[0]

        def augmented(number: Any, inputs: Any, labels: Any) -> Any:
            if augment is None:
                return inputs, labels
            step = tf.cast(first_step + number, tf.int32)
            seed = tf.random.fold_in(tf.stack([low, step]), shift) if shift else [low, step]
            return augment(inputs, labels, tf.convert_to_tensor(seed, tf.int32))

        return augmented

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._source.close(failed=kind is not None)


class _Turns:
    """Batches taken one by one from a thread of TensorFlow's; it may ask once more after the end.

    Attributes:
        failure: What reading raised: TensorFlow keeps only its text.
    """

    def __init__(self, batches: Iterator[tuple[Inputs, Array]]) -> None:
        self._batches = batches
        first = next(batches, None)
        assert first is not None
        self._next: tuple[Inputs, Array] | None = first
        arrays = (*each_input(first[0]), first[1])
        self._signature = [(array.dtype, array.shape) for array in arrays]
        self._lock = threading.Lock()
        self._closed = False
        self.failure: Exception | None = None

    def take(self, number: Any) -> Any:
        """Tensors of the batch `number`, which must be the next."""
        import tensorflow as tf

        types = [tf.as_dtype(dtype) for dtype, _ in self._signature]
        *inputs, labels = tensors = tf.numpy_function(self._take, [number], types)
        for tensor, (_, shape) in zip(tensors, self._signature, strict=True):
            tensor.set_shape(shape)
        return number, as_inputs(inputs), labels

    def _take(self, _number: Any) -> tuple[Array, ...]:
        import numpy as np

        with self._lock:
            if self._closed:
                raise RuntimeError("left in the middle")
            if self.failure is not None:
                raise self.failure  # TensorFlow asks again, of batches that have ended
            try:
                ready = self._next or next(self._batches)
                # Copied: these arrays are written again while the batch is still on its way.
                arrays = tuple(np.array(array) for array in (*each_input(ready[0]), ready[1]))
                self._next = None
            except Exception as error:
                self.failure = error
                raise
            return arrays

    def close(self) -> None:
        """Nothing is read any more."""
        with self._lock:
            self._closed = True
            close = getattr(self._batches, "close", None)
            if close:
                close()
