"""The kernels and biases that kept layers get: the float model's own, not the rounded ones.

Conditioning rounds every kernel onto the int8 grid, and a file holds those very numbers: a kernel
in a file is found again by them, whatever its layout.
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
                    bias=arrays.get(f"bias_{number}"),
                    float_bias=arrays.get(f"float_bias_{number}"),
                )
                for number in range(count)
            ]
        return Originals(found)

    def in_place_of(self, constants: Sequence[Constant]) -> list[Array]:
        """Float values of the constants of one layer, float32 of their shapes.

        A kernel gets its original together with its bias, or not at all: each is corrected for the
        other. What is not known keeps the values that the file's numbers stand for.
        """
        real = [constant.real for constant in constants]
        for place, constant in enumerate(constants):
            if constant.codes.dtype.name != "int8" or constant.codes.size < 2:
                continue
            for entry, kernel in self._of(constant.codes):
                if entry.bias is None or entry.float_bias is None:
                    real[place] = kernel
                    break
                other = _find(entry.bias, constants)
                if other is not None:
                    real[place] = kernel
                    real[other] = entry.float_bias.reshape(constants[other].real.shape)
                    break
        return real

    def _of(self, codes: Array) -> Iterator[tuple[Rounded, Array]]:
        """The originals of a kernel in a file, each with its float values in the file's layout."""
        import numpy as np

        shape = tuple(size for size in codes.shape if size != 1)
        wanted = codes.reshape(shape)
        for entry in self._by_size.get(codes.size, ()):
            for form, turn in _layouts(entry.codes.shape, shape):
                if float(np.mean(entry.codes.reshape(form).transpose(turn) == wanted)) >= _ENOUGH:
                    kernel = entry.kernel.reshape(form).transpose(turn)
                    yield entry, np.ascontiguousarray(kernel.reshape(codes.shape))
                    break


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
