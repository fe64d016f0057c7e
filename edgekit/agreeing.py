"""Run one file in two places on the same samples, and say how far its outputs agree.

The reference is the file itself on this machine, in its own runtime's plain kernels: nothing fused,
nothing delegated, one thread. Knows artifacts, transports and samples. Times nothing.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.adversarial import adversarial
from edgekit.agreement import Agreement, agreement, overall
from edgekit.artifact import Artifact
from edgekit.errors import ArtifactError, DeviceError, RuntimeFault
from edgekit.exporters.output_grid import output_steps
from edgekit.feeding import encode, read_outputs
from edgekit.job import Job
from edgekit.measure import Placement
from edgekit.run import Contender
from edgekit.samples import place_for, read_samples, samples_at, write_samples
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

INPUTS = ("golden", "adversarial")

# Target → its runtime and delegate that compute as the file says, operator by operator. OpenVINO
# has no such kernels in its package: its CPU's own in float32, without rewriting for 8 bits.
REFERENCES = {
    "tflite": ("litert", "reference"),
    "onnx": ("onnxruntime", "reference"),
    "openvino": ("openvino", "reference"),
}
_LONGEST_S = 1800.0


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in a model's own units.

    Attributes:
        place: A `.npy`, or a folder with one per input.
        names: What each sample is: "golden 3", "checkerboard".
    """

    place: Path
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a file gave somewhere.

    Attributes:
        outputs: [N, ...] per output, in the file's order, as the runtime gave them.
        placement: Where the ops ran.
        environment: What the runtime and its machine said about themselves.
    """

    outputs: tuple[Array, ...]
    placement: Placement | None
    environment: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Of all outputs: equal where two runs gave the same values, a zero's sign apart."""
        found = hashlib.sha256()
        for array in self.outputs:
            # −0 + 0 is 0.
            values = array + array.dtype.type(0) if array.dtype.kind == "f" else array
            found.update(f"{array.dtype.name} {array.shape} ".encode())
            found.update(values.tobytes())
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Agreed:
    """How one run agrees with the reference.

    Attributes:
        outputs: Name of each output → how far it agrees.
        whole: All of them as one.
        worst: Name of the sample that differs most; None where none does.
        digest: Of the outputs: two runs with equal ones gave the same values.
    """

    outputs: Mapping[str, Agreement]
    whole: Agreement
    worst: str | None
    digest: str

    def to_json(self) -> dict[str, Any]:
        return {
            **self.whole.to_json(),
            "worst": self.worst,
            "digest": self.digest,
            "outputs": {name: one.to_json() for name, one in self.outputs.items()},
        }


def gather_samples(artifact: Artifact, kinds: Sequence[str], scratch: Path) -> Samples:
    """The samples of an artifact that a comparison runs.

    Args:
        artifact: With its preprocessing.
        kinds: Of `INPUTS`.
        scratch: Where they go.

    Raises:
        ArtifactError: It holds no golden samples, and nothing else was asked for; or its manifest
            does not describe all of its inputs.
    """
    import numpy as np

    manifest = artifact.manifest
    inputs = [tensor.name for tensor in manifest.inputs]
    parts: dict[str, list[Array]] = {name: [] for name in inputs}
    names: list[str] = []
    golden = samples_at(artifact.path / "golden")
    if "golden" in kinds and golden.exists():
        held = read_samples(golden, inputs)
        names += [f"golden {number}" for number in range(len(next(iter(held.values()))))]
        for name in inputs:
            parts[name].append(np.asarray(held[name]))
    if "adversarial" in kinds:
        if len(manifest.preprocessing) != len(inputs):
            raise ArtifactError(
                f"{artifact.path}: its manifest describes {len(manifest.preprocessing)} inputs, "
                f"the file has {len(inputs)}",
                hint="--inputs golden",
            )
        # A file that takes floats takes more than the pixels which the model was made for.
        cases = [
            adversarial(replace(spec, dtype="float32") if tensor.dtype == "float32" else spec)
            for spec, tensor in zip(manifest.preprocessing, manifest.inputs, strict=True)
        ]
        # Inputs of several kinds lack some cases each: those that all of them have.
        shared = [case for case in cases[0] if all(case in one for one in cases)]
        names += shared
        for name, one in zip(inputs, cases, strict=True):
            parts[name].append(np.stack([one[case] for case in shared]))
    if not names:
        raise ArtifactError(
            f"{artifact.path}: it holds no golden samples", hint="--inputs adversarial"
        )
    arrays = {name: np.concatenate(found) for name, found in parts.items()}
    return Samples(write_samples(scratch / "samples", arrays), tuple(names))


def run_raw(
    transport: Transport, contender: Contender, artifact: Artifact, samples: Samples
) -> Ran:
    """Run an artifact and keep its outputs as they come: integers, NaN and all.

    Raises:
        EdgekitError: As `Transport.run`.
        DeviceError: The device gave outputs of another number or shape than the file's.
    """
    import numpy as np

    tensors = artifact.manifest.outputs
    with tempfile.TemporaryDirectory(prefix="edgekit-run-") as folder:
        scratch = Path(folder)
        taken = place_for(scratch / "outputs", len(tensors))
        result = transport.run(
            Job(
                action="run",
                runtime=contender.runtime,
                model=str(artifact.model_path.resolve()),
                threads=contender.threads,
                delegate=contender.delegate,
                options=contender.options,
                inputs=str(encode(samples.place, artifact.manifest.inputs, scratch)),
                outputs=str(taken),
            ),
            timeout_s=_LONGEST_S,
        )
        found = read_outputs(taken, tensors, [tensor.name for tensor in result.outputs])
        outputs = tuple(np.array(array) for array in found)
    if len(outputs) != len(tensors) or any(len(one) != len(samples.names) for one in outputs):
        raise DeviceError(
            f"the device gave outputs of shapes {[list(one.shape) for one in outputs]} for "
            f"{len(samples.names)} samples and {len(tensors)} outputs"
        )
    return Ran(outputs, result.placement, result.environment)


def run_reference(contender: Contender, artifact: Artifact, samples: Samples) -> Ran:
    """Run an artifact on this machine in plain kernels.

    Args:
        contender: As for any device; its runtime and settings are replaced.
        artifact: Its artifact.
        samples: What to run.

    Raises:
        DeviceError: Nothing is known that computes files of its target plainly.
        RuntimeFault: Its runtime's plain kernels lack an operator of the file.
        EdgekitError: As `Transport.run`.
    """
    if artifact.target not in REFERENCES:
        raise DeviceError(f"no reference kernels are known for {artifact.target} files")
    runtime, delegate = REFERENCES[artifact.target]
    plain = replace(contender, runtime=runtime, delegate=delegate, threads=1, options={})
    try:
        return run_raw(LocalTransport(), plain, artifact, samples)
    except RuntimeFault as fault:
        raise RuntimeFault(
            f"{artifact.path} has no reference: {fault.message}", *fault.details, hint=fault.hint
        ) from fault


def agree(mine: Ran, reference: Ran, artifact: Artifact, samples: Samples) -> Agreed:
    """Compare two runs of an artifact on the same samples.

    Raises:
        DataError: Outputs differ in shape or dtype.
    """
    tensors = artifact.manifest.outputs
    steps = output_steps(artifact.model_path, artifact.target) or (None,) * len(tensors)
    found = {
        tensor.name: agreement(ours, theirs, step=step)
        for tensor, ours, theirs, step in zip(
            tensors, mine.outputs, reference.outputs, steps, strict=True
        )
    }
    whole = overall(list(found.values()))
    worst = None if whole.worst_sample is None else samples.names[whole.worst_sample]
    return Agreed(found, whole, worst, mine.digest)
