"""What is known of a float file before it is quantized, and how its input is to be read.

Knows names, shapes and ranges. Does not read files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError, UsageError
from edgekit.spec import DTYPES, InputSpec
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Files are untrusted: what is read into memory at once. protobuf cannot hold more, either.
MAX_BYTES = 2 * 1024**3

QUANTIZED = "it is quantized already; edgekit starts from float32 files"

_PICTURES = (1, 3)  # channels
_PICTURE_AXES = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person says of a file's input.

    Attributes:
        layout: "NCHW" or "NHWC"; None where the shape tells.
        limits: What levels 0 and 255 of a picture become, before `mean` and `std`; of other inputs,
            their lowest and highest value. None if nobody said.
        mean: Subtracted from each channel; empty for nothing.
        std: What each channel is divided by then; empty for nothing.
        input_shape: Shape of one sample, for a file that leaves axes open.
        known: Input → lowest and highest value, of those whose data say so.
    """

    layout: str | None = None
    limits: tuple[float, float] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    input_shape: tuple[int, ...] | None = None
    known: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout,
            "limits": list(self.limits) if self.limits else None,
            "mean": list(self.mean),
            "std": list(self.std),
            "input_shape": list(self.input_shape) if self.input_shape else None,
            **({"known": {k: list(pair) for k, pair in self.known.items()}} if self.known else {}),
        }

    def of(self, name: str, shape: Sequence[int]) -> Reading:
        """What it says of one of several inputs: of pictures all, of others their range."""
        limits = self.limits
        if limits is None and not (self.mean or self.std):
            limits = self.known.get(name)
        if len(shape) == _PICTURE_AXES:
            return replace(self, limits=limits)
        return Reading(limits=self.known.get(name, limits))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Reading:
        shape, limits = data["input_shape"], data["limits"]
        return Reading(
            layout=data["layout"],
            limits=(limits[0], limits[1]) if limits else None,
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            input_shape=tuple(shape) if shape else None,
            known={name: (low, high) for name, (low, high) in data.get("known", {}).items()},
        )


@dataclass(frozen=True, slots=True)
class Description:
    """A float file that was checked and lies ready.

    Attributes:
        specs: Its inputs, as samples are drawn for them.
        inputs: What the file takes.
        outputs: What it gives.
        cost: Parameters and multiply-adds for one sample.
    """

    specs: tuple[InputSpec, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    cost: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """As a trace answers (`edgekit.exporters.worker`), and the file's own tensors."""
        return {
            "inputs": [spec.to_json() for spec in self.specs],
            "outputs": [tensor.name for tensor in self.outputs],
            "output_shapes": [list(tensor.shape) for tensor in self.outputs],
            "cost": dict(self.cost),
            "takes": [tensor.to_json() for tensor in self.inputs],
            "gives": [tensor.to_json() for tensor in self.outputs],
        }


def input_specs(
    inputs: Sequence[tuple[str, str, tuple[int, ...]]], reading: Reading
) -> tuple[InputSpec, ...]:
    """How samples become the inputs of a file.

    Args:
        inputs: Name, dtype and shape of one sample of each.
        reading: What a person said; of several inputs, see `Reading.of`.

    Raises:
        UsageError: As `input_spec`.
        ModelError: As `input_spec`.
    """
    several = len(inputs) > 1
    return tuple(
        input_spec(name, dtype, shape, reading.of(name, shape) if several else reading)
        for name, dtype, shape in inputs
    )


def input_spec(name: str, dtype: str, shape: tuple[int, ...], reading: Reading) -> InputSpec:
    """How samples become the input.

    Args:
        name: Of the input.
        dtype: Of the input.
        shape: Of one sample, without the batch axis.
        reading: What a person said of it.

    Raises:
        UsageError: The layout or the range of a picture is unknown, or doesn't fit the shape.
        ModelError: A dtype that nothing can be drawn for.
    """
    if dtype not in DTYPES:
        raise ModelError(f"the input {name!r} takes {dtype}", hint=f"one of: {', '.join(DTYPES)}")
    layout = _layout(name, shape, reading.layout)
    if layout and dtype == "uint8" and reading.limits is None:
        reading = replace(reading, limits=(0.0, 255.0))  # pixels as they are
    limits, ranges = _ranges(name, shape, layout, reading)
    return InputSpec(
        name=name,
        dtype=dtype,
        shape=shape,
        layout=layout,
        range=limits,
        resize="bilinear" if layout else "",
        channel_ranges=ranges,
    )


def fixed_shapes(
    declared: Mapping[str, Sequence[int]], wanted: tuple[int, ...] | None
) -> list[tuple[int, ...]]:
    """The shape of one sample of each input, as `fixed_shape` finds it.

    Raises:
        UsageError: As `fixed_shape`; or there are several inputs and one wanted shape.
        ModelError: As `fixed_shape`; or there is no input.
    """
    if not declared:
        raise ModelError("the file has no input: nothing can be fed to it")
    if wanted is not None and len(declared) > 1:
        raise UsageError(
            f"--input-shape is for files with one input; this one has {', '.join(declared)}"
        )
    return [fixed_shape(name, shape, wanted) for name, shape in declared.items()]


def fixed_shape(
    name: str, declared: Sequence[int], wanted: tuple[int, ...] | None
) -> tuple[int, ...]:
    """The shape of one sample: as declared, open axes (-1) from `--input-shape`.

    Raises:
        UsageError: Axes stay open, or the declared ones are others than the wanted.
        ModelError: No batch axis, or a batch of more than one.
    """
    if not declared or declared[0] > 1:
        raise ModelError(
            f"the input {name!r} is {list(declared)}: edgekit feeds one sample at a time",
            hint="export it with a batch of one, or with an open batch",
        )
    sample = tuple(declared[1:])
    if wanted is not None:
        open_or_equal = (a < 1 or a == b for a, b in zip(sample, wanted, strict=False))
        if len(sample) != len(wanted) or not all(open_or_equal):
            raise UsageError(
                f"--input-shape {','.join(map(str, wanted))} does not fit the input {name!r}: "
                f"{_shown(sample)}"
            )
        return wanted
    if any(size < 1 for size in sample):
        raise UsageError(
            f"the input {name!r} leaves axes open: {_shown(sample)}",
            hint="--input-shape fixes them: " + ",".join(str(s) if s > 0 else "N" for s in sample),
        )
    return sample


def clean_name(name: str, taken: set[str], fallback: str) -> str:
    """A name that every format accepts, unlike those in `taken`, which gets it."""
    kept = re.sub(r"[^A-Za-z0-9_]", "_", name.partition(":")[0]).strip("_")[:200] or fallback
    number, found = 2, kept
    while found in taken:
        found, number = f"{kept}_{number}", number + 1
    taken.add(found)
    return found


def check_size(path: Path) -> None:
    """Refuse a file by its size, before anything of it is read.

    Raises:
        ModelError: It is missing or larger than `MAX_BYTES`.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error
    if size > MAX_BYTES:
        raise ModelError(f"{path}: {size:,} bytes", limit=f"{MAX_BYTES:,} bytes for a file")


def read_bounded(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ModelError: It is missing, empty or larger than `MAX_BYTES`.
    """
    check_size(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error
    if not content:
        raise ModelError(f"{path}: an empty file")
    return content


def check_weights(path: Path, name: str, values: Array, *, infinite: bool) -> None:
    """Refuse a constant whose values nothing can be quantized from.

    Args:
        path: Of the file.
        name: Of the constant.
        values: Floats.
        infinite: Whether infinite ones may be there: a mask is made of them.

    Raises:
        ModelError: Values that are NaN or, unless they may be there, infinite.
    """
    import numpy as np

    bad = int(np.isnan(values).sum() if infinite else (~np.isfinite(values)).sum())
    if bad:
        raise ModelError(
            f"{path}: the weight {name} holds {bad:,} values that are NaN or infinite",
            hint="the training diverged, or the file was damaged: export it again",
        )


def _layout(name: str, shape: tuple[int, ...], said: str | None) -> str:
    if said is not None:
        layout = {"NCHW": "CHW", "NHWC": "HWC"}[said]
        channels = shape[0] if layout == "CHW" else shape[-1]
        if len(shape) != 3 or channels not in _PICTURES:
            raise UsageError(
                f"--layout {said}: the input {name!r} is {_shown(shape)}",
                hint="pictures have one channel or three",
            )
        return layout
    if len(shape) != 3:
        return ""
    first, last = shape[0] in _PICTURES, shape[-1] in _PICTURES
    if first and last:
        raise UsageError(
            f"the input {name!r} is {_shown(shape)}: channels first or last?",
            hint="--layout NCHW or --layout NHWC",
        )
    return "CHW" if first else "HWC" if last else ""


def _ranges(
    name: str, shape: tuple[int, ...], layout: str, reading: Reading
) -> tuple[tuple[float, float], tuple[tuple[float, float], ...]]:
    """Range over all channels, and that of each where they differ."""
    if not layout:
        if reading.mean or reading.std:
            raise UsageError(
                f"--mean and --std fit pictures; the input {name!r} is {_shown(shape)}"
            )
        return reading.limits or (-1.0, 1.0), ()
    if not (reading.mean or reading.std):
        if reading.limits is None:
            raise UsageError(
                f"which values does {name!r} expect of a picture? The file does not say",
                hint="--input-range 0,1 (or 0,255, or=-1,1), and --mean and --std where they were "
                "used in training",
            )
        return reading.limits, ()
    low, high = reading.limits or (0.0, 1.0)
    channels = shape[0] if layout == "CHW" else shape[-1]
    mean, std = reading.mean or (0.0,) * channels, reading.std or (1.0,) * channels
    for option, values in (("--mean", mean), ("--std", std)):
        if len(values) not in (1, channels):
            raise UsageError(f"{option}: {len(values)} numbers for {channels} channels")
    if not all(value > 0 for value in std):
        raise UsageError("--std: every number must be above 0")
    pairs = tuple(
        ((low - m) / s, (high - m) / s)
        for m, s in zip(_each(mean, channels), _each(std, channels), strict=True)
    )
    whole = (min(pair[0] for pair in pairs), max(pair[1] for pair in pairs))
    return whole, pairs if len(set(pairs)) > 1 else ()


def _each(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values * channels if len(values) == 1 else values


def _shown(shape: Sequence[int]) -> str:
    return "[" + ", ".join(str(size) if size > 0 else "?" for size in shape) + "]"
