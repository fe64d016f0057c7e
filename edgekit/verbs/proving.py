"""Prove a device with a model whose answers are known.

The files of the known model lie beside the profiles (`devices/known`): a small network in every
target, float and int8, with what it gave where it was made. Keeps nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import shelf
from edgekit.artifact import Artifact
from edgekit.errors import DeviceError, EdgekitError
from edgekit.feeding import run_samples
from edgekit.job import Job
from edgekit.measuring.contenders import Asked, gather, job_of
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender
from edgekit.transports.connect import Device, connect

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

OK, FAILED, LEFT_OUT = "ok", "failed", "left out"

_TARGETS = ("tflite", "onnx", "openvino")

# Of the range of the known outputs: accelerators compute floats in 16 bits, garbage is far off.
_FLOAT_SHARE = 0.01
# Of the golden samples: kernels for 8 bits differ by some steps, and near ties fall either way.
_SAME_LABEL = 0.9
_TIMED_S = 0.3
# A device's clock may not tell more time than passed here; a step of it is forgiven.
_FASTER = 1.02
_CALLS = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried.

    Attributes:
        what: In words: "computes tflite-int8", "its clock".
        verdict: `OK`, `FAILED` or `LEFT_OUT`.
        found: What was seen, in words.
        seconds: What it took.
    """

    what: str
    verdict: str
    found: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DeviceCheck:
    """All that was tried on a device.

    Attributes:
        device: Name of the profile.
        steps: In order.
    """

    device: str
    steps: tuple[Step, ...]

    @property
    def error(self) -> EdgekitError | None:
        """What is wrong with the device; None where nothing is."""
        failed = [step for step in self.steps if step.verdict == FAILED]
        if failed:
            return DeviceError(
                f"{self.device}: {len(failed)} of {len(self.steps)} checks failed",
                *(f"{step.what}: {step.found}" for step in failed),
            )
        if all(step.verdict == LEFT_OUT for step in self.steps[1:]):
            return DeviceError(
                f"{self.device}: nothing could be tried there",
                *(f"{step.what}: {step.found}" for step in self.steps[1:]),
            )
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "passed": self.error is None,
            "steps": [asdict(step) for step in self.steps],
        }


def check_device(reference: str, *, report: Report = silent) -> DeviceCheck:
    """Run the known model on a device in every target that it has a runtime for.

    Args:
        reference: Name or path of a device profile.
        report: Told about progress.

    Raises:
        UsageError: Unknown name.
        DeviceError: The device is absent, or not what its profile says.
    """
    begun = time.monotonic()
    device = connect(reference)
    facts = device.environment
    told = ", ".join(
        str(facts[key]) for key in ("cpu_model", "machine", "system") if facts.get(key)
    )
    steps = [Step("answers", OK, told or "it is there", time.monotonic() - begun)]
    known = [shelf.builtin() / "devices" / "known" / name for name in _files_for(device)]
    task = f"checking {device.profile.name}"
    for at, folder in enumerate(known):
        artifact = Artifact.open(folder)
        report(Progress(task, at, len(known), artifact.label))
        steps += (_estimated if device.transport.estimates else _tried)(device, artifact)
    report(Progress(task, len(known), len(known)))
    return DeviceCheck(device.profile.name, tuple(steps))


def _files_for(device: Device) -> tuple[str, ...]:
    """Microcontrollers and NPUs take integers, everybody else pixels as they are."""
    if device.transport.estimates or "tflite-micro" in device.profile.prefer:
        return ("tflite-int8-int8",)
    return tuple(f"{target}-{precision}" for target in _TARGETS for precision in ("fp32", "int8"))


def _estimated(device: Device, artifact: Artifact) -> Iterator[Step]:
    begun = time.monotonic()
    what = f"estimates {artifact.label}"
    try:
        contender = _contender(device, artifact)
        found = device.transport.estimate(_job(contender, artifact, "measure"))
    except EdgekitError as error:
        yield Step(what, FAILED, error.message, _since(begun))
    else:
        yield Step(
            what, OK, f"{found.inference_ms:.3g} ms, an estimate by {found.compiler}", _since(begun)
        )


def _tried(device: Device, artifact: Artifact) -> Iterator[Step]:
    begun = time.monotonic()
    what = f"computes {artifact.label}"
    try:
        contender = _contender(device, artifact)
        verdict, found = _computed(device, contender, artifact)
    except EdgekitError as error:
        # A runtime that is not there is no fault of the device.
        absent = _absent(device, artifact)
        yield Step(what, LEFT_OUT if absent else FAILED, absent or error.message, _since(begun))
        return
    yield Step(what, verdict, found, _since(begun))
    if device.transport.no_latency is None and artifact.manifest.precision == "fp32":
        begun = time.monotonic()
        try:
            verdict, found = _timed(device, contender, artifact)
        except EdgekitError as error:
            verdict, found = FAILED, error.message
        yield Step(f"times {artifact.label}", verdict, found, _since(begun))


def _contender(device: Device, artifact: Artifact) -> Contender:
    ((contender, _),) = gather([Asked(artifact.path)], device.profile)
    return contender


def _absent(device: Device, artifact: Artifact) -> str | None:
    """Why nothing of this target can be run there, if the device says so."""
    try:
        name = device.profile.runtime_for(artifact.target)
    except DeviceError as error:
        return error.message
    delegate, prefer = device.profile.delegate, device.profile.prefer
    if delegate is not None and prefer and name not in prefer:
        return f"the delegate {delegate!r} is of {', '.join(prefer)}"
    runtimes: Mapping[str, Any] = device.environment.get("runtimes", {})
    if name not in runtimes and name not in device.profile.prefer:
        return f"no runtime there for {artifact.target} files"
    state = runtimes.get(name, {})
    return str(state["error"]) if "error" in state else None


def _computed(device: Device, contender: Contender, artifact: Artifact) -> tuple[str, str]:
    import numpy as np

    manifest = artifact.manifest
    golden = artifact.path / "golden"
    known = np.load(golden / "outputs.npy", allow_pickle=False)
    with tempfile.TemporaryDirectory(prefix="edgekit-check-") as scratch:
        (found,), result = run_samples(
            device.transport,
            _job(contender, artifact, "run"),
            inputs=manifest.inputs,
            outputs=manifest.outputs,
            samples=golden / "inputs.npy",
            scratch=Path(scratch),
            timeout_s=600.0,
        )
    furthest = float(np.abs(found - known).max())
    same = float((found.argmax(-1) == known.argmax(-1)).mean())
    reach = float(known.max() - known.min())
    near = furthest <= _FLOAT_SHARE * reach if manifest.precision == "fp32" else same >= _SAME_LABEL
    told = (
        "bit for bit what is known" if furthest == 0 else f"within {furthest:.2g} of what is known"
    )
    placement = f", {result.placement}" if result.placement else ""
    labels = f"same label in {round(same * len(known))} of {len(known)}"
    return OK if near else FAILED, f"{told}, {labels}; {contender.runtime}{placement}"


def _job(contender: Contender, artifact: Artifact, action: str) -> Job:
    return Job(
        action=action,
        runtime=contender.runtime,
        model=str(artifact.model_path.resolve()),
        threads=contender.threads,
        delegate=contender.delegate,
        options=contender.options,
    )


def _timed(device: Device, contender: Contender, artifact: Artifact) -> tuple[str, str]:
    """Whether the device's clock agrees with this machine's, and what it says of a call."""
    from edgekit.statistics import median

    with (
        tempfile.TemporaryDirectory(prefix="edgekit-check-") as scratch,
        device.transport.session(job_of(contender, artifact, Path(scratch) / "sample")) as session,
    ):
        begun = time.perf_counter()
        calls = session.block(_TIMED_S, _CALLS)
        here_s = time.perf_counter() - begun
        measurement = session.measurement()
    there_s = sum(measurement.call_ns) / 1e9
    ms = median(measurement.samples_ns) / 1e6
    told = f"{ms:.3g} ms a call, {calls:,} calls; {there_s:.3f} s by its clock, {here_s:.3f} s here"
    return (OK if 0 < there_s <= _FASTER * here_s else FAILED, told)


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
