"""Feed samples in a model's own units to a model file of any I/O type, and read real outputs back.

The one place that knows how samples, tensors of a file and an agent's job fit together: export,
`eval` and whatever else runs samples go through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.errors import DataError, RuntimeFault, UsageError
from edgekit.job import Job, JobResult
from edgekit.samples import place_for, read_samples, rows_of, samples_at, write_samples
from edgekit.tensor import TensorInfo, dequantize, quantize
from edgekit.transports.base import Transport

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Samples of each input by name, [N, *shape] in the model's own units → each output by name.
Asked = Callable[[Mapping[str, "Array"]], dict[str, "Array"]]


def run_samples(
    transport: Transport,
    job: Job,
    *,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    samples: Path,
    scratch: Path,
    timeout_s: float | None = None,
) -> tuple[list[Array], JobResult]:
    """Run samples through a model file on a device.

    Args:
        transport: The way to the device.
        job: Action "run" with runtime, model, threads and delegate; its inputs and outputs are
            filled in here.
        inputs: What the file takes, with the grid of quantized tensors.
        outputs: What the file gives, likewise.
        samples: A `.npy` [N, *shape] in the model's own units (pixels, not quantized steps), or a
            folder with one per input.
        scratch: Empty folder for what goes to and fro.
        timeout_s: Limit for the whole run.

    Returns:
        One float32 (or integer, if the model gives integers) array [N, ...] per output in the order
        of `outputs`, and the agent's result.

    Raises:
        RuntimeFault: The runtime failed, or gave NaN or infinite values.
        DataError: The samples don't fit the file.
    """
    fed = encode(samples, inputs, scratch)
    taken = place_for(scratch / "outputs", len(outputs))
    result = transport.run(
        Job(
            action="run",
            runtime=job.runtime,
            model=job.model,
            threads=job.threads,
            delegate=job.delegate,
            options=job.options,
            cpu=job.cpu,
            inputs=str(fed),
            outputs=str(taken),
        ),
        timeout_s=timeout_s,
    )
    refuse_nonfinite(job.runtime, result)
    return _decode(taken, outputs, [tensor.name for tensor in result.outputs]), result


def refuse_nonfinite(runtime: str, result: JobResult, *, first: int = 0) -> None:
    """Refuse NaN and infinite outputs.

    Args:
        runtime: That gave them.
        result: Of a job.
        first: Index of its first sample, where they are a part of more.

    Raises:
        RuntimeFault: There are some.
    """
    if result.nonfinite:
        raise RuntimeFault(
            f"{runtime}: {result.nonfinite.values:,} output values are NaN or infinite, "
            f"in {result.nonfinite.samples:,} of {result.samples:,} samples",
            f"the first is sample {first + result.nonfinite.first_sample}",
            hint="fp16 overflows beyond 65504: try fp32 for this target",
        )


@contextmanager
def answering(
    transport: Transport, job: Job, *, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
) -> Iterator[Asked]:
    """While active, a model file that stays loaded and answers as often as it is asked.

    Args:
        transport: The way to the device.
        job: Runtime, model, threads and delegate.
        inputs: What the file takes, with the grid of quantized tensors.
        outputs: What it gives, likewise.

    Raises:
        DeviceError: The device keeps no model loaded.
        RuntimeFault: When asked, too: the runtime failed, or gave NaN or infinite values.
        UsageError: When asked: an input is missing.
    """
    import numpy as np

    with transport.answering(replace(job, action="measure", inputs=None, outputs=None)) as ask:
        taken = _as_reported(inputs, [tensor.name for tensor in ask.inputs])
        given = _as_reported(outputs, [tensor.name for tensor in ask.outputs])

        def asked(samples: Mapping[str, Array]) -> dict[str, Array]:
            if missing := [tensor.name for tensor in taken if tensor.name not in samples]:
                raise UsageError(
                    f"the model takes {', '.join(tensor.name for tensor in taken)}; "
                    f"{missing[0]} was not given"
                )
            found = ask([typed(samples[tensor.name], tensor) for tensor in taken])
            values = {t.name: real(one, t) for one, t in zip(found, given, strict=True)}
            if not all(np.isfinite(one).all() for one in values.values()):
                raise RuntimeFault(
                    f"{job.runtime}: output values are NaN or infinite for a sample it met",
                    hint="fp16 overflows beyond 65504: try fp32 for this target",
                )
            return values

        yield asked


def _as_reported(tensors: Sequence[TensorInfo], reported: Sequence[str]) -> list[TensorInfo]:
    """Tensors of a file in the runtime's order, by name.

    A runtime may use other names than the file's (":0"); the order is the file's then.
    """
    named = {tensor.name: tensor for tensor in tensors}
    return [named[name] for name in reported] if set(named) == set(reported) else list(tensors)


def encode(samples: Path, tensors: Sequence[TensorInfo], scratch: Path) -> Path:
    """The samples as the file takes them: `samples` itself where nothing has to change."""
    arrays = read_samples(samples, [tensor.name for tensor in tensors])
    as_taken = {}
    for tensor in tensors:
        array = arrays[tensor.name]
        if list(array.shape[1:]) != list(tensor.shape[1:]):
            raise DataError(
                f"samples for {tensor.name!r} have the shape {list(array.shape[1:])}, "
                f"the file wants {list(tensor.shape[1:])}"
            )
        as_taken[tensor.name] = typed(array, tensor)
    if all(as_taken[name] is arrays[name] for name in as_taken):
        return samples
    return write_samples(scratch / "inputs", as_taken)


def typed(array: Array, tensor: TensorInfo) -> Array:
    """Samples [N, *shape] in the model's own units as a file's tensor takes them.

    Returns:
        `array` itself where nothing has to change.
    """
    import numpy as np

    unit_grid = tensor.scale == 1.0 and tensor.zero_point == 0
    if str(array.dtype) == tensor.dtype and (tensor.scale is None or unit_grid):
        return array
    if tensor.scale is not None and tensor.zero_point is not None:
        values = np.asarray(array, np.float32)
        return quantize(values, tensor.scale, tensor.zero_point, tensor.dtype)
    return array.astype(tensor.dtype)


def real(array: Array, tensor: TensorInfo) -> Array:
    """What a file gives, in real values: float32 where it is quantized, else `array` itself."""
    if tensor.scale is None or array.dtype.kind not in "iu":
        return array
    return dequantize(array, tensor.scale, tensor.zero_point or 0)


def golden_sample(artifact: Artifact, scratch: Path) -> str | None:
    """One golden sample as the artifact's file takes it: values can change the speed of kernels.

    The last one: the first are extremes, which no device meets.

    Args:
        artifact: With golden inputs, or None is returned.
        scratch: Where the sample goes; made here.
    """
    place = samples_at(artifact.path / "golden")
    if not place.exists():
        return None
    scratch.mkdir()
    arrays = read_samples(place, [tensor.name for tensor in artifact.manifest.inputs])
    one = write_samples(scratch / "sample", rows_of(arrays, slice(-1, None)))
    return str(encode(one, artifact.manifest.inputs, scratch))


def read_outputs(
    place: Path, tensors: Sequence[TensorInfo], reported: Sequence[str]
) -> list[Array]:
    """Outputs as a runtime gave them, in the file's order; integers stay integers.

    Args:
        place: A `.npy`, or a folder with one per output.
        tensors: What the file gives.
        reported: Names by which the runtime called them.
    """
    # A runtime may use other names than the file's (":0"); the order is the file's then.
    names = [tensor.name for tensor in tensors]
    return list(read_samples(place, names if set(names) == set(reported) else reported).values())


def _decode(place: Path, tensors: Sequence[TensorInfo], reported: Sequence[str]) -> list[Array]:
    arrays = read_outputs(place, tensors, reported)
    return [real(array, tensor) for array, tensor in zip(arrays, tensors, strict=True)]
