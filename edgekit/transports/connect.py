"""From the name or path of a device profile to a device that answered and is what it should be."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edgekit import registry, shelf
from edgekit.device import RUNTIMES_OF_TARGET, DeviceProfile, read_device_toml
from edgekit.errors import DeviceError, UsageError
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
    transport = transport_of(profile)
    atexit.register(transport.close)
    environment = transport.run(question(profile), timeout_s=120.0).environment
    profile.check(environment)
    if reason := environment.get("no_latency"):
        transport.no_latency = str(reason)
    return Device(profile, transport, environment)


def transport_of(profile: DeviceProfile) -> Transport:
    """The way to a profile's device; nothing is asked yet.

    Raises:
        DeviceError: The profile names a transport or a runtime that there is not, or has options
            that its transport refuses.
        EdgekitError: The plug-in of its transport does not load.
    """
    where = profile.path or profile.name
    try:
        kind: type[Transport] = registry.load(registry.TRANSPORTS, profile.transport)
    except UsageError as error:
        raise DeviceError(f"{where}: transport: {error.message}", hint=error.hint) from error
    known = {name for names in RUNTIMES_OF_TARGET.values() for name in names}
    if not known.issuperset(profile.prefer):
        known.update(registry.parts(registry.RUNTIMES))
    for name in profile.prefer:
        if name not in known:
            close = get_close_matches(name, sorted(known), n=1)
            raise DeviceError(
                f"{where}: runtime: prefer: unknown runtime {name!r}",
                hint=f"did you mean {close[0]}?"
                if close
                else f"one of: {', '.join(sorted(known))}",
            )
    return kind.from_profile(profile)


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
