"""From the name or path of a device profile to a device that answered and is what it should be."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import registry, shelf
from edgekit.device import DeviceProfile, read_device_toml
from edgekit.job import Job
from edgekit.transports.base import Transport


@dataclass(frozen=True, slots=True)
class Device:
    """A device within reach.

    Attributes:
        profile: What its file says.
        transport: How jobs get there.
        environment: What it said about itself, and its `runtimes`.
    """

    profile: DeviceProfile
    transport: Transport
    environment: Mapping[str, Any]


def find_profile(reference: str) -> DeviceProfile:
    """Read a device profile by name, or by the path of its TOML file.

    Raises:
        UsageError: Unknown name; the message says what was probably meant.
        DeviceError: The file is absent or wrong.
    """
    if reference.endswith(".toml") or "/" in reference:
        return read_device_toml(Path(reference).expanduser())
    return read_device_toml(shelf.find_device(reference))


def connect(reference: str) -> Device:
    """Open a device by name or path, ask it what it is, and compare that with its profile.

    Raises:
        UsageError: Unknown name.
        DeviceError: The profile is wrong, or the device is absent or not what the profile says.
    """
    profile = find_profile(reference)
    kind: type[Transport] = registry.load(registry.TRANSPORTS, profile.transport)
    transport = kind.from_profile(profile)
    atexit.register(transport.close)
    environment = transport.run(question(profile), timeout_s=120.0).environment
    profile.check(environment)
    if reason := environment.get("no_latency"):
        transport.no_latency = str(reason)
    return Device(profile, transport, environment)


def question(profile: DeviceProfile) -> Job:
    """The job that asks a device what it is, and whether it has its profile's delegate.

    Where several runtimes are preferred, the delegate may be that of any: then models show it.
    """
    if profile.delegate is None or len(profile.prefer) != 1:
        return Job(action="probe")
    return Job(
        action="probe",
        runtime=profile.prefer[0],
        delegate=profile.delegate,
        options=profile.delegate_options,
    )
