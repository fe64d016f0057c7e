"""What there is: models and device profiles over all shelves.

Reads TOML files, and asks devices what they are; nothing is built and nothing is measured. What
cannot be read or reached is reported beside the others, which stay listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit import shelf
from edgekit.device import DeviceProfile, read_device_toml
from edgekit.errors import DeviceError, EdgekitError, ModelError, UsageError
from edgekit.models import known_models, resolve_model
from edgekit.progress import Progress, Report, silent
from edgekit.spec import ModelSpec, Scalar
from edgekit.transports.connect import find_profile, question, transport_of

_PROBE_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model folder.

    Attributes:
        spec: What its `model.toml` says.
        folder: Where it lies.
        checkpoints: Data sets with committed weights, and the size of each file in bytes.
    """

    spec: ModelSpec
    folder: Path
    checkpoints: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "name": spec.name,
            "summary": spec.summary,
            "task": spec.task,
            "parameters": dict(spec.parameters),
            "inputs": [entry.to_json() for entry in spec.inputs],
            "outputs": list(spec.outputs),
            "metric": spec.metric,
            "size": asdict(spec.size) if spec.size else None,
            "dataset": next(iter(self.checkpoints), None),
            "checkpoints": [
                {"dataset": name, "bytes": size} for name, size in self.checkpoints.items()
            ],
            "gate": {
                "max_drop": spec.gate.max_drop,
                "max_abs": spec.gate.max_abs,
                "samples": spec.gate.samples,
            },
            "source": spec.source,
            "licence": spec.licence,
            "folder": str(self.folder),
        }


@dataclass(frozen=True, slots=True)
class ModelList:
    """All models that can be read, and why the others cannot."""

    models: tuple[ModelEntry, ...]
    broken: tuple[EdgekitError, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "models": [entry.to_json() for entry in self.models],
            "broken": [error.to_json() for error in self.broken],
        }


def list_models() -> ModelList:
    """Every model of every shelf."""
    entries: list[ModelEntry] = []
    broken = shelf.shelves()[1]
    for name in known_models():
        try:
            entries.append(describe_model(name))
        except EdgekitError as error:
            broken.append(error)
    return ModelList(tuple(entries), tuple(broken))


def describe_model(reference: str, parameters: Mapping[str, Scalar] | None = None) -> ModelEntry:
    """One model, by name or by the path of its folder.

    Raises:
        UsageError: No such name.
        ModelError: The path holds a bare Keras file, or a `model.toml` that cannot be read.
    """
    source = resolve_model(reference, parameters=parameters)
    if source.spec is None:
        raise ModelError(
            f"{reference}: a Keras file says nothing about its task, data or metric",
            hint=f"edgekit export {reference} --dry-run shows what would be made of it",
        )
    spec = source.spec
    found = {name: path.stat().st_size for name, path in source.checkpoints().items()}
    # In the order of model.toml, whose first data set is the default.
    ordered = [name for name in spec.datasets if name in found]
    ordered += [name for name in found if name not in spec.datasets]
    return ModelEntry(spec, source.path, {name: found[name] for name in ordered})


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One device profile, and what the device answered.

    Attributes:
        profile: What its TOML file says.
        environment: What the device's agent said about itself; None when it could not be reached.
        problem: Why it cannot be used; None when it can.
    """

    profile: DeviceProfile
    environment: Mapping[str, Any] | None
    problem: EdgekitError | None

    @property
    def runtimes(self) -> dict[str, str]:
        """Runtimes installed on the device, with their versions."""
        found = (self.environment or {}).get("runtimes", {})
        return {name: state["version"] for name, state in found.items() if "version" in state}

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.profile.name,
            "summary": self.profile.summary,
            "transport": self.profile.transport,
            "threads": self.profile.threads,
            "delegate": self.profile.delegate,
            "file": str(self.profile.path),
            "reachable": self.problem is None,
            "problem": self.problem.to_json() if self.problem else None,
            "environment": dict(self.environment) if self.environment is not None else None,
        }


@dataclass(frozen=True, slots=True)
class DeviceList:
    """All profiles that can be read, and why the others cannot."""

    devices: tuple[DeviceEntry, ...]
    broken: tuple[EdgekitError, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "devices": [entry.to_json() for entry in self.devices],
            "broken": [error.to_json() for error in self.broken],
        }


def list_devices(*, report: Report = silent) -> DeviceList:
    """Every device profile of every shelf, each asked whether it is there, side by side."""
    from concurrent.futures import ThreadPoolExecutor

    profiles: list[DeviceProfile] = []
    broken = shelf.shelves()[1]
    for path in shelf.device_files().values():
        try:
            profiles.append(read_device_toml(path))
        except EdgekitError as error:
            broken.append(error)
    entries: list[DeviceEntry] = []
    with ThreadPoolExecutor(max_workers=8) as pool:
        for entry in pool.map(_probe, profiles):
            entries.append(entry)
            report(Progress("asking devices", len(entries), len(profiles), entry.profile.name))
    return DeviceList(tuple(entries), tuple(broken))


def describe_device(reference: str) -> DeviceEntry:
    """One device, by name or by the path of its TOML file.

    Raises:
        UsageError: No such name.
        DeviceError: The file cannot be read, or its transport refuses what it says. A device that
            is not there is no error but an answer.
    """
    profile = find_profile(reference)
    try:
        transport_of(profile).close()
    except (DeviceError, UsageError):
        raise
    except Exception:  # noqa: S110  a missing extra, a broken plug-in: the answer below says it
        pass
    return _probe(profile)


def _probe(profile: DeviceProfile) -> DeviceEntry:
    try:
        transport = transport_of(profile)
        if transport.unasked is not None:
            hint = f"edgekit eval ARTIFACT --device {profile.name}"
            unasked = DeviceError(f"not asked: {transport.unasked}", hint=hint)
            return DeviceEntry(profile, None, unasked)
        with closing(transport):
            environment = transport.run(question(profile), timeout_s=_PROBE_TIMEOUT_S).environment
    except EdgekitError as error:
        return DeviceEntry(profile, None, error)
    except Exception as error:  # a plug-in's transport must not hide the other devices
        reason = f"{profile.transport}: {type(error).__name__}: {error}"
        return DeviceEntry(profile, None, DeviceError(reason))
    try:
        profile.check(environment)
    except DeviceError as error:
        return DeviceEntry(profile, environment, error)
    return DeviceEntry(profile, environment, None)
