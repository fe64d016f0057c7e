"""Write a device profile from what a device says about itself.

The device is asked before anything is written. Measures nothing.
"""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import registry, shelf
from edgekit.device import RUNTIMES_OF_TARGET, DeviceProfile, read_device_toml
from edgekit.errors import EdgekitError, UsageError
from edgekit.fields import printable, toml_string
from edgekit.files import check_place, write_atomic
from edgekit.progress import Progress, Report, silent
from edgekit.transports.connect import connect

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_KEY = re.compile(r"[a-z][a-z0-9_]*")
# Facts by which a machine is known again; a measurement elsewhere is refused.
_KNOWN_BY = ("machine", "cpu_model")
_PERFORMANCE = "performance"


@dataclass(frozen=True, slots=True)
class Added:
    """A profile that was written.

    Attributes:
        profile: What stands in it.
        file: Where it lies.
        environment: What the device said about itself.
    """

    profile: DeviceProfile
    file: Path
    environment: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.profile.name,
            "transport": self.profile.transport,
            "file": str(self.file),
            "environment": dict(self.environment),
        }


def add_device(
    name: str,
    *,
    transport: str,
    options: Mapping[str, Any],
    summary: str | None = None,
    out: Path | None = None,
    report: Report = silent,
) -> Added:
    """Ask a device what it is, and write its profile.

    Args:
        name: Of the profile, for `--device`.
        transport: Name of the way to it.
        options: The transport's own table, as in the profile.
        summary: One line for listings; by default made of what the device says.
        out: The file; by default `NAME.toml` on the person's shelf.
        report: Told about progress.

    Raises:
        UsageError: No name, no such transport, or the profile is there already.
        DeviceError: The transport refuses its options, or the device does not answer.
        FileError: The profile cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r:.80} is no name for a device", hint="letters, digits, '.', '_' and '-'"
        )
    known = registry.parts(registry.TRANSPORTS)
    transport = registry.resolve(transport, known, what="transport")
    file = out or shelf.own() / "devices" / f"{name}.toml"
    if file.suffix != ".toml":
        raise UsageError(f"{file}: a profile's name ends in .toml", hint=f"-o {name}.toml")
    taken = file if file.exists() else shelf.device_files().get(name) if out is None else None
    if taken is not None:
        raise UsageError(f"{name}: {taken} is there already", hint="choose another name")
    check_place(file, "-o names a file")
    task = f"asking {name}"
    report(Progress(task, 0, 1))
    head = [f"transport = {toml_string(transport)}", *_table(transport, options)]
    with tempfile.TemporaryDirectory(prefix="edgekit-device-") as folder:
        first = Path(folder) / f"{name}.toml"
        first.write_text("\n".join(head), encoding="utf-8")
        try:
            device = connect(str(first))
        except EdgekitError as error:
            # What was written there is gone with the folder; the person wrote options.
            error.message = error.message.replace(str(first), name)
            raise
    report(Progress(task, 1, 1))
    environment = device.environment
    device.transport.close()
    lines = [
        f"summary = {toml_string(summary or _summary(environment))}",
        *head,
        "",
        *_runtime(environment),
        "",
        *_require(environment),
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, ("\n".join(lines) + "\n").encode())
    return Added(read_device_toml(file), file, environment)


def parse_option(text: str) -> tuple[str, Any]:
    """`port=2222` as key and value: what TOML reads as a value is one, all else is text.

    Raises:
        UsageError: No `=`, or a key that no table has.
    """
    key, mark, value = text.partition("=")
    if not mark or not _KEY.fullmatch(key):
        raise UsageError(f"{text!r:.80} is no option of a transport", hint="--set port=2222")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value


def ssh_options(text: str) -> dict[str, Any]:
    """`pi@raspberrypi.local:2222` as the options of the transport `ssh`.

    Raises:
        UsageError: It has no host, or a port that is none.
    """
    user, _, host = text.rpartition("@")
    host, _, port = host.partition(":")
    if not host or (port and not port.isdecimal()):
        raise UsageError(f"{text!r:.80} is no host", hint="--ssh pi@raspberrypi.local:22")
    found: dict[str, Any] = {"host": host}
    if user:
        found["user"] = user
    if port:
        found["port"] = int(port)
    return found


def adb_options(serial: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A phone's serial and what else was set as the options of the transport `adb`.

    A path is meant from the current folder, and not from that of the profile.
    """
    table = {"serial": serial, **options}
    if isinstance(benchmark := table.get("benchmark"), str):
        table["benchmark"] = str(Path(benchmark).expanduser().absolute())
    return table


def _table(transport: str, options: Mapping[str, Any]) -> list[str]:
    if not options:
        return []
    return ["", f"[{transport}]", *(f"{key} = {_value(one)}" for key, one in options.items())]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    return toml_string(str(value))


def _summary(environment: Mapping[str, Any]) -> str:
    told = [environment.get(key) for key in ("cpu_model", "machine", "system")]
    found = ", ".join(dict.fromkeys(str(printable(one)) for one in told if one))
    return found[:200] or "a device"


def _runtime(environment: Mapping[str, Any]) -> list[str]:
    installed = [
        name for name, state in environment.get("runtimes", {}).items() if "version" in state
    ]
    order = [name for names in RUNTIMES_OF_TARGET.values() for name in names]
    prefer = sorted(installed, key=lambda name: order.index(name) if name in order else len(order))
    return ["[runtime]", f"prefer = {_value(prefer)}", "threads = 1"]


def _require(environment: Mapping[str, Any]) -> list[str]:
    lines = ["[require]           # another machine, or another state of it, is refused"]
    lines += [
        f"{key} = {toml_string(str(printable(environment[key])))}"
        for key in _KNOWN_BY
        if environment.get(key)
    ]
    governor = environment.get("cpu_governor")
    if governor == _PERFORMANCE:
        lines.append(f"cpu_governor = {toml_string(_PERFORMANCE)}")
    elif governor and not environment.get("android"):  # a phone's owner cannot set it
        lines += [
            f"# Its governor is {printable(str(governor))}: latencies move with the clock. Better:",
            "#   echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
            f"# cpu_governor = {toml_string(_PERFORMANCE)}",
        ]
    return lines
