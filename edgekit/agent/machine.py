"""What the machine says about itself, read from where it says it; None where it is silent.

Nothing is guessed: a virtual machine without a governor or a thermal zone has none. Changes nothing
but the process's own affinity, when asked to pin it.
"""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.errors import DeviceError

# As Linux spells them in /proc/cpuinfo. They decide which int8 and bf16 kernels a runtime picks.
_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip

# Facts that change while a process lasts.
CHANGING = ("cpu_khz", "temperature_c", "load_1min")


def describe() -> dict[str, Any]:
    """Facts about machine, system and interpreter."""
    import numpy as np

    return {
        "edgekit": __version__,
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpu_model": _cpu_model(),
        "cpu_flags": _cpu_flags(),
        "cpu_count": os.cpu_count(),
        "affinity": affinity(),
        "cpu_governor": _governor(),
        "cpu_khz": _number("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"),
        "temperature_c": _temperature(),
        "load_1min": _load(),
    }


def affinity() -> list[int] | None:
    """Cores this process may run on; None where the system doesn't say."""
    if sys.platform != "linux":
        return None
    return sorted(os.sched_getaffinity(0))


def pin(cpu: int) -> None:
    """Bind this process to one core.

    Raises:
        DeviceError: The system cannot, or has no such core for us.
    """
    if sys.platform != "linux":
        raise DeviceError(f"this system ({sys.platform}) cannot pin a process to core {cpu}")
    allowed = os.sched_getaffinity(0)
    if cpu not in allowed:
        raise DeviceError(f"core {cpu} is not among those this process may use: {sorted(allowed)}")
    os.sched_setaffinity(0, {cpu})


def peak_rss_bytes() -> int | None:
    """Highest resident memory of this process since it started its program."""
    with suppress(OSError):
        # VmHWM, not ru_maxrss: the latter starts at the parent's size after a fork.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def cpu_ticks() -> tuple[int, int] | None:
    """Ticks since boot that a hypervisor took from this machine, and all ticks."""
    with suppress(OSError, ValueError, IndexError):
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(field) for field in line.split()[1:9]]
        return ticks[7], sum(ticks)
    return None


def steal_share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    """Share of the machine's time that a hypervisor gave to others between two `cpu_ticks`."""
    if before is None or after is None or after[1] <= before[1]:
        return None
    return round((after[0] - before[0]) / (after[1] - before[1]), 4)


def _cpu_model() -> str | None:
    info = _cpuinfo()
    for key in ("model name", "Model", "Hardware"):
        if key in info:
            return info[key]
    return platform.processor() or None


def _cpu_flags() -> list[str] | None:
    info = _cpuinfo()
    flags = info.get("flags") or info.get("Features")
    if flags is None:
        return None
    present = set(flags.split())
    return [flag for flag in _FLAGS if flag in present]


def _cpuinfo() -> dict[str, str]:
    """The first processor's entries."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in (
            Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    return found


def _governor() -> str | None:
    with suppress(OSError):
        place = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return place.read_text(encoding="ascii").strip()
    return None


def _temperature() -> float | None:
    """Of the hottest thermal zone, in °C."""
    zones = Path("/sys/class/thermal").glob("thermal_zone*/temp")
    readings = [value for zone in zones if (value := _number(str(zone))) is not None]
    return max(readings) / 1000 if readings else None


def _load() -> float | None:
    with suppress(OSError, AttributeError):
        return round(os.getloadavg()[0], 2)
    return None


def _number(place: str) -> int | None:
    with suppress(OSError, ValueError):
        return int(Path(place).read_text(encoding="ascii").strip())
    return None
