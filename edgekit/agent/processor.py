"""What Linux says about the processor: model, features, clock, cores that share something.

None where it is silent: a virtual machine without frequency files has no frequency. "cpu MHz" of
/proc/cpuinfo is not read, since in a virtual machine it is the nominal clock, not the present one.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from edgekit.agent.tree import Tree

# As Linux spells them in /proc/cpuinfo. They decide which int8 and bf16 kernels a runtime picks.
_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip
_CPUS = "sys/devices/system/cpu"


def processor_facts(tree: Tree, cores: Sequence[int] | None) -> dict[str, Any]:
    """Facts that change how long a call takes.

    Args:
        tree: The machine's files.
        cores: Those this process may use; None reads the first one's.
    """
    info = tree.entries("proc/cpuinfo")
    own = list(cores) if cores else [0]
    return {
        "cpu_model": _model(info, tree),
        "cpu_id": _identity(info),
        "cpu_flags": _flags(info),
        "microcode": info.get("microcode"),
        "cpu_governor": _one_or_all(tree, own, "cpufreq/scaling_governor"),
        "cpu_scaling_driver": _one_or_all(tree, own, "cpufreq/scaling_driver"),
        "cpu_energy_preference": _one_or_all(tree, own, "cpufreq/energy_performance_preference"),
        "cpu_khz": _extreme(tree, own, "cpufreq/scaling_cur_freq", max),
        "cpu_khz_min": _extreme(tree, own, "cpufreq/scaling_min_freq", min),
        "cpu_khz_max": _extreme(tree, own, "cpufreq/scaling_max_freq", max),
        "cpu_turbo": _turbo(tree),
        "cpu_capacity": _each(tree, own, "cpu_capacity"),
        "smt": {0: False, 1: True}.get(_or_minus(tree.number(f"{_CPUS}/smt/active"))),
        "cpu_siblings": _siblings(tree, own),
    }


def _model(info: dict[str, str], tree: Tree) -> str | None:
    for key in ("model name", "Model", "Hardware"):
        if info.get(key):
            return info[key]
    # Of a board whose kernel tells nothing else, and with a zero byte at its end.
    if board := (tree.text("proc/device-tree/model") or "").strip("\0"):
        return board
    if sys.platform == "darwin":
        with suppress(OSError, subprocess.SubprocessError):
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
            if done.stdout.strip():
                return done.stdout.strip()
    return platform.processor() or None


def _identity(info: dict[str, str]) -> str | None:
    """What tells two processors of one name apart: virtual machines call many of them one name."""
    for keys in (
        ("vendor_id", "cpu family", "model", "stepping"),
        ("CPU implementer", "CPU variant", "CPU part", "CPU revision"),
    ):
        found = [info[key] for key in keys if info.get(key)]
        if len(found) == len(keys):
            return " ".join(found)
    return None


def _flags(info: dict[str, str]) -> list[str] | None:
    flags = info.get("flags") or info.get("Features")
    if flags is None:
        return None
    present = set(flags.split())
    return [flag for flag in _FLAGS if flag in present]


def _turbo(tree: Tree) -> bool | None:
    """Whether cores may run above their nominal clock."""
    off = tree.number(f"{_CPUS}/intel_pstate/no_turbo")
    if off is not None:
        return off == 0
    boost = tree.number(f"{_CPUS}/cpufreq/boost")
    return None if boost is None else boost != 0


def _one_or_all(tree: Tree, cores: Sequence[int], file: str) -> str | None:
    """The text of all cores' files: one word if they agree, else each that occurs."""
    found = {text for core in cores if (text := tree.text(f"{_CPUS}/cpu{core}/{file}"))}
    return ", ".join(sorted(found)) or None


def _each(tree: Tree, cores: Sequence[int], file: str) -> list[int] | None:
    found = [tree.number(f"{_CPUS}/cpu{core}/{file}") for core in cores]
    known = [number for number in found if number is not None]
    return known if known and len(known) == len(found) else None


def _extreme(tree: Tree, cores: Sequence[int], file: str, choose: Any) -> int | None:
    known = [n for core in cores if (n := tree.number(f"{_CPUS}/cpu{core}/{file}")) is not None]
    return int(choose(known)) if known else None


def _siblings(tree: Tree, cores: Sequence[int]) -> list[str] | None:
    """Groups of hardware threads that share a core, as Linux writes them: ["0,4", "1,5"]."""
    place = "topology/thread_siblings_list"
    found = {text for core in cores if (text := tree.text(f"{_CPUS}/cpu{core}/{place}"))}
    return sorted(found) or None


def _or_minus(number: int | None) -> int:
    return -1 if number is None else number
