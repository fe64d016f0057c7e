"""Estimate artifacts on accelerators that are not there: one row per artifact and device.

Nothing is timed, and nothing goes to the store of measurements. The part of `edgekit profile` for
devices whose transport estimates.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from edgekit import registry, shelf
from edgekit.artifact import Artifact
from edgekit.errors import DeviceError, EdgekitError, UsageError
from edgekit.estimated import KIND, Estimate, Layer
from edgekit.files import write_atomic
from edgekit.job import Job
from edgekit.measuring.contenders import Asked, expand
from edgekit.progress import Progress, Report, silent
from edgekit.roofline.counting.folding import count_file
from edgekit.transports.base import Transport
from edgekit.transports.connect import connect, find_profile

# What is computed in integers throughout; others would run beside the accelerator.
_PRECISIONS = ("int8", "16x8")


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """One artifact on one device.

    Attributes:
        artifact: The artifact.
        device: Name of the device profile.
        estimate: What its compiler says.
        mac_share: Of the file's multiply–accumulates, as edgekit counts them, those of operators
            that go to the accelerator, in 0–1; None where they cannot be counted.
        layers_file: Where its layers were written; None where nobody asked.
    """

    artifact: Artifact
    device: str
    estimate: Estimate
    mac_share: float | None = None
    layers_file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        one, manifest = self.artifact, self.artifact.manifest
        return {
            "artifact": str(one.path),
            "name": f"{manifest.model} {one.label}",
            "model": manifest.model,
            "target": one.target,
            "precision": one.precision,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "device": self.device,
            **self.estimate.to_json(),
            "mac_share": self.mac_share,
            "layers_file": str(self.layers_file) if self.layers_file else None,
        }


@dataclass(frozen=True, slots=True)
class EstimateResult:
    """All rows of one call.

    Attributes:
        rows: In the order of artifacts, then of devices.
        failures: "artifact on device" → why there is no estimate.
    """

    rows: tuple[EstimateRow, ...]
    failures: Mapping[str, EdgekitError] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "rows": [row.to_json() for row in self.rows],
            "failures": {name: error.to_json() for name, error in self.failures.items()},
        }


def devices_meant(references: Sequence[str]) -> list[str]:
    """Names and paths of device profiles, patterns like `ethos-u*` put as names; each once.

    Raises:
        UsageError: A pattern fits no name.
    """
    found: list[str] = []
    for reference in references:
        if not set("*?[") & set(reference) or Path(reference).exists():
            meant = [reference]
        else:
            known = shelf.device_files()
            meant = sorted((name for name in known if fnmatchcase(name, reference)), key=_by_number)
            if not meant:
                raise UsageError(f"{reference}: no device's name fits", hint="edgekit devices")
        found += [name for name in meant if name not in found]
    return found


def estimating(devices: Sequence[str]) -> bool:
    """Whether these devices estimate instead of measuring.

    Raises:
        UsageError: Only some of them do, or several measure: a run is of one device.
        EdgekitError: There is no such device or transport.
    """
    kinds = [_kind(name).estimates for name in devices]
    if len(kinds) > 1 and not all(kinds):
        measuring = devices[kinds.index(False)]
        raise UsageError(
            f"--device: {measuring} does not estimate, and a run is of one device",
            hint="several devices share a table only if all of them estimate, as ethos-u*",
        )
    return bool(kinds) and all(kinds)


def estimate(
    asked: Sequence[Asked],
    *,
    devices: Sequence[str],
    out: Path | None = None,
    report: Report = silent,
) -> EstimateResult:
    """Estimate artifacts on devices.

    Args:
        asked: Artifact folders, or folders that hold some.
        devices: Names or paths of device profiles that estimate.
        out: Where each estimate's layers go as CSV: a file for one estimate (`x.csv`), else a
            folder, which gets a file for each.
        report: Told about progress.

    Returns:
        With what could be estimated; what could not is among its failures.

    Raises:
        UsageError: Nothing was named; a setting makes no sense; or `out` is a file for several.
        ArtifactError: A path holds no artifact, or a damaged one.
        DeviceError: A device's profile is wrong.
        FileError: `out` cannot be written.
    """
    for one in asked:
        if one.threads or one.runtime or one.delegate:
            raise UsageError(f"{one.path}: settings behind @ are of devices that run something")
    artifacts = [Artifact.open(path) for path in expand([one.path for one in asked])]
    reached = [connect(name) for name in devices]
    pairs = [(artifact, device) for artifact in artifacts for device in reached]
    if out is not None and out.suffix == ".csv" and len(pairs) > 1:
        raise UsageError(
            f"--out {out}: one file for {len(pairs)} estimates", hint="--out FOLDER, a file each"
        )
    rows: list[EstimateRow] = []
    failures: dict[str, EdgekitError] = {}
    task = "estimating"
    for done, (artifact, device) in enumerate(pairs):
        name = device.profile.name
        report(Progress(task, done, len(pairs), f"{artifact.label} on {name}"))
        try:
            _refuse_other(artifact, name)
            job = Job("measure", runtime="vela", model=str(artifact.model_path))
            found = device.transport.estimate(job)
        except EdgekitError as error:
            failures[f"{artifact.path} on {name}"] = error
            continue
        place = None
        if out is not None:
            model = artifact.manifest.model
            place = out if out.suffix == ".csv" else out / f"{model}-{artifact.label}-{name}.csv"
            write_atomic(place, _layers_csv(found))
        rows.append(EstimateRow(artifact, name, found, _mac_share(artifact, found), place))
    report(Progress(task, len(pairs), len(pairs)))
    return EstimateResult(tuple(rows), failures)


def _kind(device: str) -> type[Transport]:
    kind: type[Transport] = registry.load(registry.TRANSPORTS, find_profile(device).transport)
    return kind


def _refuse_other(artifact: Artifact, device: str) -> None:
    """Only full-integer `.tflite` makes sense.

    Raises:
        DeviceError: It is another target or precision.
    """
    if artifact.target != "tflite" or artifact.precision not in _PRECISIONS:
        raise DeviceError(
            f"{device} takes full-integer .tflite files; {artifact.path} is {artifact.label}",
            hint=f"edgekit export {artifact.manifest.model} --int8 --target tflite",
        )


def _mac_share(artifact: Artifact, found: Estimate) -> float | None:
    beside = {layer.name for layer in found.layers if not layer.on_npu}
    if not beside:
        return 1.0
    try:
        counted = count_file(artifact.model_path, artifact.target)
    except EdgekitError:
        return None
    left = sum(one.macs for one in counted.operations if one.name in beside)
    return 1 - left / counted.macs if counted.macs else None


def _layers_csv(found: Estimate) -> bytes:
    """Layers as CSV, the kind in every row: a table that is passed on still says what it is."""
    columns = [entry.name for entry in fields(Layer)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "accelerator", *columns])
    for layer in found.layers:
        values = asdict(layer)
        writer.writerow([KIND, found.accelerator, *(values[column] for column in columns)])
    return text.getvalue().encode()


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts `ethos-u55-32` before `ethos-u55-128`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
