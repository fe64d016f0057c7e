"""Samples on disk, read and written one at a time: a .npy, or a folder with one per tensor.

Checks dtype and shape against what the runtime says and casts nothing. Memory stays at one sample,
whatever the file's size. Does not run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError, FileError
from edgekit.job import tensor_file
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class SampleReader:
    """Samples of every input of a model.

    Args:
        place: A .npy of [N, *shape], or a folder with one such file per input.
        inputs: The model's inputs.

    Raises:
        FileError: A file is missing.
        DataError: Not a .npy, or dtype, shape or count don't fit.
    """

    def __init__(self, place: Path, inputs: Sequence[TensorInfo]) -> None:
        if place.is_dir():
            paths = [place / tensor_file(tensor.name) for tensor in inputs]
        elif len(inputs) == 1:
            paths = [place]
        else:
            names = ", ".join(tensor_file(tensor.name) for tensor in inputs)
            raise DataError(
                f"{place}: the model has {len(inputs)} inputs and this is one file",
                hint=f"a folder that holds {names}",
            )
        self._arrays = [_open(path) for path in paths]
        for path, array, tensor in zip(paths, self._arrays, inputs, strict=True):
            _check(path, array, tensor)
        counts = {len(array) for array in self._arrays}
        if len(counts) != 1:
            raise DataError(f"{place}: the inputs differ in their number of samples: {counts}")
        if not len(self):
            raise DataError(f"{place}: it holds no sample")

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __getitem__(self, index: int) -> list[Array]:
        """One sample as one array per input, [1, *shape]."""
        import numpy as np

        # A copy: some runtimes refuse the file's read-only memory.
        return [np.array(array[index : index + 1]) for array in self._arrays]


class SampleWriter:
    """Outputs of every sample, written in place as they come.

    Args:
        place: The .npy to write; a folder, if the model has several outputs.
        outputs: The model's outputs.
        count: Number of samples.
    """

    def __init__(self, place: Path, outputs: Sequence[TensorInfo], count: int) -> None:
        self._outputs = outputs
        self._count = count
        self._files: list[Array] = []
        if len(outputs) == 1:
            self._paths = [place]
        else:
            self._paths = [place / tensor_file(tensor.name) for tensor in outputs]
            if len(set(self._paths)) != len(outputs):
                raise DataError("two outputs of the model have the same file name")

    def write(self, index: int, arrays: Sequence[Array]) -> list[Array]:
        """Store one sample's outputs, [1, *shape] each, and return them as stored.

        Raises:
            DataError: The shape differs from the first sample's.
        """
        # A scalar output has no batch axis to keep.
        values = [array.reshape(1) if array.ndim == 0 else array for array in arrays]
        if not self._files:
            self._files = [self._create(p, v) for p, v in zip(self._paths, values, strict=True)]
        for file, value, tensor in zip(self._files, values, self._outputs, strict=True):
            if value.shape[1:] != file.shape[1:] or len(value) != 1:
                raise DataError(
                    f"output {tensor.name} of sample {index} has shape {value.shape}; "
                    f"the first sample's was {(1, *file.shape[1:])}"
                )
            file[index] = value[0]
        return values

    def close(self) -> None:
        """Write everything out."""
        for file in self._files:
            with suppress(AttributeError):
                file.flush()  # type: ignore[attr-defined]  # np.memmap has it
        self._files = []

    def _create(self, path: Path, value: Array) -> Array:
        import numpy as np

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file: Array = np.lib.format.open_memmap(
                path, mode="w+", dtype=value.dtype, shape=(self._count, *value.shape[1:])
            )
        except OSError as error:
            raise FileError.from_os_error(error) from error
        return file


def _open(path: Path) -> Array:
    import numpy as np

    if not path.is_file():
        raise FileError(f"{path}: no such file of samples")
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: not a readable .npy file: {error}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: an archive of arrays; one .npy is needed")
    return array


def _check(path: Path, array: Array, tensor: TensorInfo) -> None:
    if array.dtype.name != tensor.dtype:
        raise DataError(
            f"{path}: samples are {array.dtype.name}; input {tensor.name} takes {tensor.dtype}",
            hint="nothing is cast silently",
        )
    batch, *rest = tensor.shape or (1,)
    fits = array.ndim - 1 == len(rest) and all(
        size in (-1, found) for size, found in zip(rest, array.shape[1:], strict=True)
    )
    if batch not in (1, -1):
        raise DataError(f"input {tensor.name} has a fixed batch of {batch}; 1 is needed")
    if not fits:
        raise DataError(
            f"{path}: samples have shape {array.shape[1:]}; input {tensor.name} takes {tuple(rest)}"
        )
