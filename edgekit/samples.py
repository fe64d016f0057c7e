"""Where samples lie on disk, of one input or of several: the one place that decides it.

    inputs.npy           [N, *shape], of a model with one input
    inputs/NAME.npy      one for each, of a model with several

Outputs (`outputs`, `reference`) lie likewise. Knows names and arrays. Does not know whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.job import tensor_file

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

INPUTS = "inputs"


def place_for(place: Path, count: int) -> Path:
    """Where so many arrays go: `place` as a `.npy` for one, the folder `place` for more."""
    return place.with_suffix(".npy") if count == 1 else place


def samples_at(folder: Path) -> Path:
    """Where `edgekit.datasets.draw` and golden folders keep inputs: one file, or a folder."""
    return stored_at(folder / INPUTS)


def stored_at(place: Path) -> Path:
    """`place` as a `.npy` where that is there, else the folder `place`."""
    single = place.with_suffix(".npy")
    return single if single.is_file() else place


def sample_files(place: Path, names: Sequence[str]) -> dict[str, Path]:
    """The file of each input, of a `.npy` or of a folder with one per input."""
    if place.suffix == ".npy":
        return {names[0]: place}
    return {name: place / tensor_file(name) for name in names}


def read_samples(place: Path, names: Sequence[str]) -> dict[str, Array]:
    """Memory-mapped samples by input name, from a `.npy` or a folder with one per input."""
    import numpy as np

    return {
        name: np.load(file, mmap_mode="r", allow_pickle=False)
        for name, file in sample_files(place, names).items()
    }


def read_all(place: Path) -> tuple[Array, ...]:
    """Every array at a place, memory-mapped, for who needs no names."""
    import numpy as np

    files = [place] if place.is_file() else sorted(place.glob("*.npy"))
    return tuple(np.load(file, mmap_mode="r", allow_pickle=False) for file in files)


def write_samples(place: Path, arrays: Mapping[str, Array]) -> Path:
    """The inverse of `read_samples`: `place`.npy for one array, else a folder. Returns which."""
    import numpy as np

    target = place_for(place, len(arrays))
    if len(arrays) != 1:
        target.mkdir(parents=True)
    for name, file in sample_files(target, list(arrays)).items():
        np.save(file, np.ascontiguousarray(arrays[name]))
    return target


def rows_of(arrays: Mapping[str, Array], rows: Any) -> dict[str, Array]:
    """Some samples of every input; `rows` is an index, a slice or a list of indices."""
    return {name: array[rows] for name, array in arrays.items()}


def count_of(arrays: Mapping[str, Array]) -> int:
    """How many samples the arrays of some inputs hold."""
    return len(next(iter(arrays.values())))
