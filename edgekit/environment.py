"""Whether two measurements were made in one environment: which facts decide, and which only warn.

Knows what `edgekit.agent.machine` says of a machine, as data. What a contender is (its runtime, its
threads, its file) is no environment: such things are what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# Told by a transport that reaches another machine: two boards of one model are two machines.
ELSEWHERE = ("nodename",)

# Facts that change what a call costs, or how it is measured. Latencies are compared only where all
# of them are equal.
DECIDING = (
    *ELSEWHERE,
    "edgekit",
    "system",
    "machine",
    "cpu_model",
    "cpu_id",
    "cpu_flags",
    "cpu_count",
    "cpu_capacity",
    "cpu_governor",
    "cpu_scaling_driver",
    "cpu_energy_preference",
    "cpu_khz_min",
    "cpu_khz_max",
    "cpu_turbo",
    "smt",
    "cpu_quota",
    "memory_limit_bytes",
    "hypervisor",
    "container",
    "power_source",
    "transparent_hugepage",
    # Of a page in a browser; None elsewhere.
    "browser",
    "device_model",
    "cross_origin_isolated",
    "gpu",
)

# Facts that rarely matter, or that no two runs share to the digit: they are told, not refused.
WARNING = (
    "kernel",
    "microcode",
    "python",
    "numpy",
    "aslr",
    "affinity",
    "cpu_siblings",
    "cpu_khz",
    "memory_bytes",
    "temperature_c",
    "load_1min",
    "swap_used_bytes",
)

# Facts on which no output depends: what they were when a sample was run does not matter.
OF_TIME_ONLY = (
    "cpu_governor", "cpu_energy_preference", "cpu_scaling_driver", "cpu_khz", "cpu_khz_min",
    "cpu_khz_max", "cpu_turbo", "cpu_quota", "memory_limit_bytes", "memory_bytes",
    "memory_available_bytes", "swap_bytes", "swap_used_bytes", "transparent_hugepage", "aslr",
    "affinity", "pinned_cpu", "power_source", "temperature_c", "temperatures_c", "load_1min",
    "steal_share", "battery_level", "visibility", "clock_resolution_ns", "page_memory_bytes",
    "blocks_redone", "calls_per_sample", "screen",
)  # fmt: skip

# Differences up to this are no news: °C, processes, bytes; the clock and memory as a share.
_SLACK = {"temperature_c": 10.0, "load_1min": 0.5, "swap_used_bytes": 64 * 2**20}
_SHARE = {"cpu_khz": 0.05, "memory_bytes": 0.02}


class Difference(NamedTuple):
    """A fact that two environments tell differently; None where one of them is silent."""

    fact: str
    first: Any
    second: Any

    def __str__(self) -> str:
        """For people: `cpu_governor: performance, then powersave`."""
        return f"{self.fact}: {_shown(self.first)}, then {_shown(self.second)}"


def of_outputs(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The facts on which outputs may depend: all but those that are known to be of time only."""
    return {fact: value for fact, value in environment.items() if fact not in OF_TIME_ONLY}


def unlike(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Facts that keep two measurements from being compared, in the order of `DECIDING`.

    A fact that only one of the two tells counts as unlike: nobody knows that it was the same.
    """
    return [
        Difference(fact, first.get(fact), second.get(fact))
        for fact in DECIDING
        if _plain(first.get(fact)) != _plain(second.get(fact))
    ]


def worth_a_warning(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """Facts that may explain a difference and don't forbid to look for one, in order of `WARNING`.

    Of those that change by themselves (clock, heat, load, memory), only large differences that both
    environments tell.
    """
    return [
        Difference(fact, first.get(fact), second.get(fact))
        for fact in WARNING
        if _worth(fact, first.get(fact), second.get(fact))
    ]


def _worth(fact: str, first: Any, second: Any) -> bool:
    if fact not in _SLACK and fact not in _SHARE:
        return bool(_plain(first) != _plain(second))
    if not (_is_number(first) and _is_number(second)):
        return False
    slack = _SLACK.get(fact, _SHARE.get(fact, 0.0) * max(abs(first), abs(second)))
    return bool(abs(first - second) > slack)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Lists and tuples alike: one of the two may have been JSON."""
    return tuple(value) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if value is None:
        return "not told"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
