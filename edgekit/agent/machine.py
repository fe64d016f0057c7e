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
from edgekit.agent.processor import processor_facts
from edgekit.agent.surroundings import (
    hottest,
    limit_facts,
    memory_facts,
    power_source,
    temperatures,
    virtual_facts,
)
from edgekit.agent.tree import ROOT, Tree
from edgekit.errors import DeviceError

# Facts that change while a process lasts.
CHANGING = ("cpu_khz", "temperature_c", "load_1min")


def describe(root: Path = ROOT) -> dict[str, Any]:
    """Facts about machine, system and interpreter; `edgekit.environment` says which of them matter.

    Args:
        root: Where /proc and /sys are.
    """
    import numpy as np

    tree, cores = Tree(root), affinity()
    return {
        "edgekit": __version__,
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cpu_count": os.cpu_count(),
        "affinity": cores,
        **processor_facts(tree, cores),
        **memory_facts(tree),
        **limit_facts(tree),
        **virtual_facts(tree),
        "power_source": power_source(tree),
        "temperature_c": hottest(tree),
        "temperatures_c": temperatures(tree) or None,
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


def _load() -> float | None:
    with suppress(OSError, AttributeError):
        return round(os.getloadavg()[0], 2)
    return None
