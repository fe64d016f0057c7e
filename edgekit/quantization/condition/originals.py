"""The kernels and biases that kept layers get: the float model's own, not the rounded ones.

Conditioning rounds every kernel onto the int8 grid, and a file holds those very numbers: a kernel
in a file is found again by them, whatever its layout. A converter may fold a factor before or
behind a layer into its kernel: the numbers stay, the steps are others, and the original gets that
factor.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.bias import Rounded

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ORIGINALS = "originals.npz"  # beside a conditioned trace

# Of a kernel's numbers, those that must be the same: a converter may fold a factor on its own.
_ENOUGH = 0.995

# A file's steps differ by this part from those of the graph for want of digits, not by a factor.
_SAME = 1e-3


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant of a file.

    Attributes:
        codes: The integers it holds.
        real: What they stand for, float32 of the same shape.
        step: Its widest step.
    """

    codes: Array
    real: Array
    step: float


class Originals:
    """All linear nodes of a conditioned graph."""

    def __init__(self, entries: list[Rounded]) -> None:
        self._by_size: dict[int, list[Rounded]] = {}
        for entry in entries:
            self._by_size.setdefault(entry.codes.size, []).append(entry)

    @staticmethod
    def read(files: Sequence[Path]) -> Originals:
        """From what `write_originals` wrote."""
        import numpy as np

        found: list[Rounded] = []
        for file in files:
            with np.load(file, allow_pickle=False) as known:
                arrays = {name: known[name] for name in known.files}
            count = sum(name.startswith("kernel_") for name in arrays)
            found += [
                Rounded(
                    kernel=arrays[f"kernel_{number}"],
                    codes=arrays[f"codes_{number}"],
                    steps=arrays[f"steps_{number}"],
                    bias=arrays.get(f"bias_{number}"),
                    float_bias=arrays.get(f"float_bias_{number}"),
                )
                for number in range(count)
            ]
        return Originals(found)

    def in_place_of(self, constants: Sequence[Constant]) -> list[Array]:
        """Float values of the constants of one layer, float32 of their shapes.

        A kernel gets its original together with its bias, or not at all: each is corrected for the
        other. Both get the factor that the file's steps have beyond the graph's, the bias only
        where the file's has it, too: a factor before the layer leaves the bias alone. What is not
        known keeps the values that the file's numbers stand for.
        """
        import numpy as np

        real = [constant.real for constant in constants]
        for place, constant in enumerate(constants):
            if constant.codes.dtype.name != "int8" or constant.codes.size < 2:
                continue
            for entry, kernel, factor in self._of(constant):
                if entry.bias is None or entry.float_bias is None:
                    real[place] = kernel
                    break
                found = _find_bias(entry.bias, factor, constants)
                if found is not None:
                    other, times = found
                    bias = (entry.float_bias * times).astype(np.float32)
                    real[place] = kernel
                    real[other] = bias.reshape(constants[other].real.shape)
                    break
        return real

    def _of(self, constant: Constant) -> Iterator[tuple[Rounded, Array, Array]]:
        """The originals of a kernel in a file.

        Each with its float values in the file's layout and scale, and the file's factor [C].
        """
        import numpy as np

        codes = constant.codes
        shape = tuple(size for size in codes.shape if size != 1)
        wanted = codes.reshape(shape)
        for entry in self._by_size.get(codes.size, ()):
            for form, turn in _layouts(entry.codes.shape, shape):
                if float(np.mean(entry.codes.reshape(form).transpose(turn) == wanted)) >= _ENOUGH:
                    real = constant.real.reshape(shape).transpose(np.argsort(turn))
                    factor = _factor(entry, real.reshape(entry.codes.shape))
                    kernel = entry.kernel * factor.reshape(entry.steps.shape)
                    kernel = kernel.reshape(form).transpose(turn)
                    yield entry, np.ascontiguousarray(kernel.reshape(codes.shape)), factor
                    break


def _factor(entry: Rounded, real: Array) -> Array:
    """By what the file's values [as the kernel] exceed the rounded kernel's: float32 [C]."""
    import numpy as np

    rounded = entry.codes * entry.steps.astype(np.float64)
    others = tuple(axis for axis, size in enumerate(entry.steps.shape) if size == 1)
    square = (rounded * rounded).sum(axis=others, keepdims=True)
    found = (real * rounded).sum(axis=others, keepdims=True) / np.where(square > 0, square, 1)
    same = (square == 0) | (np.abs(found - 1) < _SAME)
    return np.where(same, 1, found).astype(np.float32).ravel()


def _find_bias(
    bias: Array, factor: Array, constants: Sequence[Constant]
) -> tuple[int, Array | float] | None:
    """The constant that is this bias, and what it is multiplied by: 1, or the kernel's factor."""
    place = _find(bias, constants)
    if place is not None:
        return place, 1.0
    if factor.size != bias.size or bool((factor == 1).all()):
        return None
    place = _find(bias * factor, constants)
    return None if place is None else (place, factor)


def _find(bias: Array, constants: Sequence[Constant]) -> int | None:
    """The constant that is this bias, as exactly as its grid allows."""
    import numpy as np

    for place, constant in enumerate(constants):
        if constant.real.size == bias.size:
            apart = np.abs(constant.real.reshape(-1) - bias.reshape(-1))
            if bool((apart <= 0.6 * constant.step + 1e-4 * np.abs(bias.reshape(-1))).all()):
                return place
    return None


def write_originals(file: Path, entries: list[Rounded]) -> None:
    """Keep them for other processes."""
    import numpy as np

    arrays: dict[str, Array] = {}
    for number, entry in enumerate(entries):
        arrays[f"kernel_{number}"] = entry.kernel
        arrays[f"codes_{number}"] = entry.codes
        arrays[f"steps_{number}"] = entry.steps
        if entry.bias is not None and entry.float_bias is not None:
            arrays[f"bias_{number}"] = entry.bias
            arrays[f"float_bias_{number}"] = entry.float_bias
    np.savez(file, **arrays)  # type: ignore[arg-type]  # its stubs lack keywords


def _layouts(
    kernel: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every way to lay a kernel out in a shape without axes of 1: a form, and how to turn it."""
    forms = [kernel]
    if len(kernel) == 4:  # elsewhere a depthwise kernel's channels and multipliers are one axis
        forms.append((*kernel[:2], kernel[2] * kernel[3]))
    for form in dict.fromkeys(tuple(size for size in form if size != 1) for form in forms):
        if sorted(form) == sorted(shape):
            for turn in itertools.permutations(range(len(form))):
                if tuple(form[axis] for axis in turn) == shape:
                    yield form, turn
