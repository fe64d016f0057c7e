"""What a model takes in training: one array, or a tuple with one for each input, in their order.

Knows arrays and drawn samples. Does not know Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets import Drawn
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Inputs = Array | tuple[Array, ...]


def load_inputs(drawn: Drawn, specs: Sequence[InputSpec]) -> Inputs:
    """Drawn samples as the model takes them, memory-mapped."""
    inputs: Inputs = as_inputs(tuple(drawn.read(specs).values()))
    return inputs


def load_labels(drawn: Drawn) -> Array:
    """Labels of drawn samples [N, ...]; zeros [N] where they have none, for trainings without."""
    import numpy as np

    path = drawn.folder / "labels.npy"
    labels: Array = np.load(path) if path.is_file() else np.zeros(drawn.count, np.int64)
    return labels


def as_inputs(arrays: Sequence[Any]) -> Any:
    """One array itself, several as a tuple; tensors likewise."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


def each_input(inputs: Any) -> tuple[Any, ...]:
    """The inverse of `as_inputs`."""
    return inputs if isinstance(inputs, tuple) else (inputs,)


def rows_of(inputs: Inputs, rows: Any) -> Inputs:
    """Some samples; `rows` is a slice or an array of indices."""
    found: Inputs = as_inputs([array[rows] for array in each_input(inputs)])
    return found


def count_of(inputs: Inputs) -> int:
    """How many samples there are."""
    return len(each_input(inputs)[0])
