"""What a phone says of itself: its properties, its battery, its heat. Asked with its own tools.

One command of its shell; what it prints is bounded and checked here, line by line. A key is absent
where the phone says nothing. Nothing is guessed.
"""

from __future__ import annotations

import re
from typing import Any

from edgekit.fields import printable

LONGEST = 256 * 1024
LIMIT_S = 20.0

_PROPERTIES = {
    "ro.product.manufacturer": "maker",
    "ro.product.model": "model",
    "ro.soc.manufacturer": "soc_maker",
    "ro.soc.model": "soc",
    "ro.board.platform": "platform",
    "ro.build.version.release": "android",
    "ro.build.id": "build",
    "ro.product.cpu.abi": "abi",
    "ro.serialno": "serial",
}
_CPUS = "/sys/devices/system/cpu"
COMMAND = (
    "".join(f'echo "{key}=$(getprop {name})"; ' for name, key in _PROPERTIES.items())
    + 'echo "machine=$(uname -m)"; echo "kernel=$(uname -r)"; '
    + f"for c in {_CPUS}/cpu[0-9]*; do "
    + 'echo "core=${c##*cpu} $(cat $c/cpufreq/cpuinfo_max_freq) $(cat $c/cpufreq/scaling_governor)"'
    + "; done 2>/dev/null; "
    + 'for z in /sys/class/thermal/thermal_zone*; do echo "zone=$(cat $z/temp)"; done 2>/dev/null; '
    + "echo @battery; dumpsys battery 2>/dev/null; "
    + "echo @thermal; dumpsys thermalservice 2>/dev/null | head -n 20; true"
)
_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_CORE = re.compile(r"(\d{1,4}) (\d{1,9}) ?([\w-]{0,32})")
_LINE = re.compile(r"\s*([\w .-]{1,40}?)\s*[:=]\s*(.{0,200}?)\s*")


def read_facts(output: bytes) -> dict[str, Any]:
    """Facts from what `COMMAND` printed.

    Args:
        output: Bytes of anybody's making.

    Returns:
        Keys of the agent's environment (`machine`, `kernel`, `nodename`, `cpu_model`,
        `device_model`, `cpu_governor`, `temperature_c`, `power_source`), and `android`, `abi`,
        `soc`, `battery_percent`, `battery_c`, `thermal_status`, `fastest_cores`.
    """
    told = _Told(output)
    phone = _joined(told.one("maker"), told.one("model"))
    soc = _joined(told.one("soc_maker"), told.one("soc")) or told.one("platform")
    cores = [found.groups() for found in map(_CORE.fullmatch, told.all("core")) if found]
    best = max((int(khz) for _, khz, _ in cores), default=0)
    governors = sorted({governor for _, _, governor in cores if governor})
    zones = [value / 1000 for value in map(_whole, told.all("zone")) if value is not None]
    battery_dc = _whole(told.one("battery temperature"))
    facts = {
        "machine": told.one("machine"),
        "kernel": told.one("kernel"),
        "nodename": told.one("serial"),  # `uname -n` is "localhost" on every phone
        "device_model": phone,
        "cpu_model": ", ".join(filter(None, (phone, soc))) or None,
        "cpu_count": len(cores) or None,
        "cpu_governor": ", ".join(governors) or None,
        "cpu_khz_max": best or None,
        "fastest_cores": sorted(int(core) for core, khz, _ in cores if int(khz) == best) or None,
        "temperature_c": max((c for c in zones if -40 < c < 150), default=None),
        "power_source": _power(told),
        "android": _joined(told.one("android"), told.one("build")),
        "abi": told.one("abi"),
        "soc": soc,
        "battery_percent": _within(_whole(told.one("battery level")), 0, 100),
        "battery_c": None if battery_dc is None or abs(battery_dc) > 1500 else battery_dc / 10,
        "thermal_status": _status(_whole(told.one("thermal thermal status"))),
    }
    return {key: value for key, value in facts.items() if value is not None}


class _Told:
    """Lines `key=value` and `key: value`; keys after a line `@section` begin with its name."""

    def __init__(self, output: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        section = ""
        for line in output[:LONGEST].decode("utf-8", "replace").splitlines()[:4096]:
            if line in ("@battery", "@thermal"):
                section = line[1:] + " "
            elif found := _LINE.fullmatch(line):
                key = (section + found[1]).lower()
                self._values.setdefault(key, []).append(str(printable(found[2])))

    def one(self, key: str) -> str | None:
        return next(filter(None, self._values.get(key, ())), None)

    def all(self, key: str) -> list[str]:
        return self._values.get(key, [])


def _power(told: _Told) -> str | None:
    plugs = [told.one(f"battery {name} powered") for name in ("ac", "usb", "wireless", "dock")]
    if not any(plugs):
        return None
    return "mains" if "true" in plugs else "battery"


def _status(value: int | None) -> str | None:
    return _THERMAL[value] if value is not None and 0 <= value < len(_THERMAL) else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else None


def _within(value: int | None, low: int, high: int) -> int | None:
    return value if value is not None and low <= value <= high else None


def _joined(first: str | None, second: str | None) -> str | None:
    """`Google Pixel 8`; the maker is left out where the model begins with it."""
    if first and second and second.lower().startswith(first.lower()):
        return second
    return " ".join(filter(None, (first, second))) or None
