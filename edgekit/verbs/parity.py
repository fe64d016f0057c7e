"""Compare artifacts on devices with the reference kernels of the same file, output by output.

The same samples for all: the artifact's golden ones and adversarial ones. The reference runs on
this machine. Times nothing and keeps nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.agreeing import (
    INPUTS,
    Agreed,
    Ran,
    Samples,
    agree,
    gather_samples,
    run_raw,
    run_reference,
)
from edgekit.agreement import Limits
from edgekit.artifact import Artifact
from edgekit.errors import EdgekitError, UsageError
from edgekit.measure import Placement
from edgekit.measuring.contenders import Asked, gather
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender
from edgekit.transports.connect import Device, connect

# Facts of a run that are worth a word beside how it agrees.
_FACTS = (
    "runtime_version", "arena_bytes", "arena_smallest_bytes", "arena_total_bytes",
    "arena_tensor_bytes", "arena_persistent_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One artifact on one device, against the reference.

    Attributes:
        contender: The artifact in the runtime that ran it.
        device: Name of the device profile.
        agreed: How far its outputs agree.
        placement: Where the ops ran.
        facts: What the runtime says of itself; microcontrollers of their memory.
        broken: Which limits are broken and by how much, in words; None where no limit was given.
    """

    contender: Contender
    device: str
    agreed: Agreed
    placement: Placement | None
    facts: Mapping[str, Any]
    broken: tuple[str, ...] | None = None

    @property
    def verdict(self) -> str | None:
        """Whether it passes or fails; None where no limit was given."""
        return None if self.broken is None else "fail" if self.broken else "pass"

    def to_json(self) -> dict[str, Any]:
        one = self.contender
        return {
            "artifact": one.path,
            "name": one.name,
            "sha256": one.sha256,
            "device": self.device,
            "runtime": one.runtime,
            "delegate": one.delegate,
            "threads": one.threads,
            **self.agreed.to_json(),
            "placement": self.placement.to_json() if self.placement else None,
            "facts": dict(self.facts),
            "verdict": self.verdict,
            "broken": list(self.broken or ()),
        }


@dataclass(frozen=True, slots=True)
class ParityResult:
    """All rows of one call.

    Attributes:
        rows: In the order of artifacts, then of devices.
        references: Artifact's folder → what it was compared with, in words.
        samples: Names of the samples that were run: of the artifact with the most.
        failures: "artifact on device" → why it could not be compared.
        limits: What the rows were held to.
    """

    rows: tuple[ParityRow, ...]
    references: Mapping[str, str]
    samples: tuple[str, ...]
    failures: Mapping[str, EdgekitError] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> dict[str, Any]:
        return {
            "limits": asdict(self.limits) if self.limits.given else None,
            "rows": [row.to_json() for row in self.rows],
            "references": dict(self.references),
            "samples": list(self.samples),
            "failures": {name: error.to_json() for name, error in self.failures.items()},
        }


def compare_with_reference(
    asked: Sequence[Asked],
    *,
    devices: Sequence[str] = ("local-cpu",),
    runtime: str | None = None,
    inputs: Sequence[str] = INPUTS,
    limits: Limits = Limits(),  # noqa: B008  frozen
    report: Report = silent,
) -> ParityResult:
    """Run artifacts on devices and in reference kernels, and compare.

    Args:
        asked: Artifact folders, or folders that hold some, with their settings.
        devices: Names or paths of device profiles.
        runtime: Runtime to use for all; by default each device's preference.
        inputs: Of `edgekit.agreeing.INPUTS`.
        limits: What every output is held to.
        report: Told about progress.

    Returns:
        With what could be compared; what could not is among its failures.

    Raises:
        UsageError: Nothing was named, or an unknown kind of inputs.
        ArtifactError: A path holds no artifact, or a damaged one.
    """
    unknown = [kind for kind in inputs if kind not in INPUTS]
    if unknown or not inputs:
        raise UsageError(
            f"--inputs {','.join(inputs)}: unknown inputs", hint=f"some of: {','.join(INPUTS)}"
        )
    failures: dict[str, EdgekitError] = {}
    reached = _reached(devices, failures)
    # Of one artifact all devices are asked in turn: its samples and reference are made once.
    entries: dict[str, list[tuple[Device, Contender, Artifact]]] = {}
    for device in reached:
        for contender, artifact in gather(asked, device.profile, runtime=runtime):
            entries.setdefault(contender.path, []).append((device, contender, artifact))
    rows: list[ParityRow] = []
    references: dict[str, str] = {}
    longest: tuple[str, ...] = ()
    task, total = "comparing with reference kernels", sum(map(len, entries.values()))
    for path, group in entries.items():
        with tempfile.TemporaryDirectory(prefix="edgekit-parity-") as scratch:
            _, contender, artifact = group[0]
            try:
                samples = gather_samples(artifact, inputs, Path(scratch))
                reference = run_reference(contender, artifact, samples)
            except EdgekitError as error:
                failures[f"{path} in reference kernels"] = error
                continue
            references[path] = _told(reference)
            longest = max(longest, samples.names, key=len)
            for device, one, _ in group:
                name = device.profile.name
                report(Progress(task, len(rows), total, f"{one.name} on {name}"))
                try:
                    row = _row(device, one, artifact, samples, reference)
                    rows.append(replace(row, broken=_broken(limits, row.agreed)))
                except EdgekitError as error:
                    failures[f"{one.name} on {name}"] = error
    report(Progress(task, total, total))
    return ParityResult(tuple(rows), references, longest, failures, limits)


def _reached(devices: Sequence[str], failures: dict[str, EdgekitError]) -> list[Device]:
    """Devices that are there; why others are not goes to `failures`."""
    reached = []
    for name in dict.fromkeys(devices):
        try:
            reached.append(connect(name))
        except UsageError:
            raise
        except EdgekitError as error:
            failures[name] = error
    return reached


def _row(
    device: Device, one: Contender, artifact: Artifact, samples: Samples, reference: Ran
) -> ParityRow:
    ran = run_raw(device.transport, one, artifact, samples)
    facts = {key: ran.environment[key] for key in _FACTS if key in ran.environment}
    found = agree(ran, reference, artifact, samples)
    return ParityRow(one, device.profile.name, found, ran.placement, facts)


def _broken(limits: Limits, agreed: Agreed) -> tuple[str, ...] | None:
    """Each output is held to the limits by itself: one may lie on a grid, another on none."""
    if not limits.given:
        return None
    outputs = agreed.outputs
    found = {name: limits.broken_by(one) for name, one in outputs.items()}
    several = len(found) > 1
    return tuple(f"{name}: {told}" if several else told for name, told in found.items() if told)


def _told(reference: Ran) -> str:
    runtime, version = (
        reference.environment.get(key, "unknown") for key in ("runtime", "runtime_version")
    )
    kernels = {
        "litert": "reference kernels",
        "onnxruntime": "node by node, optimisations off",
        "openvino": "CPU in float32, no rewriting for 8 bits (it has no reference kernels)",
    }
    return f"{runtime} {version}, {kernels.get(str(runtime), 'plain')}"
