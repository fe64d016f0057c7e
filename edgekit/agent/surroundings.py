"""What stands around a process: memory, limits of its control group, virtual machine, power, heat.

Read from Linux; None where it is silent, "unlimited" where it says that there is no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgekit.agent.tree import Tree, kibibytes

UNLIMITED = "unlimited"
_NO_LIMIT = 2**60  # version 1 writes the largest whole number of pages instead of a word


def memory_facts(tree: Tree) -> dict[str, Any]:
    """Memory and swap of the machine, in bytes."""
    found = {key: kibibytes(value) for key, value in tree.entries("proc/meminfo").items()}
    total, free = found.get("SwapTotal"), found.get("SwapFree")
    huge = tree.text("sys/kernel/mm/transparent_hugepage/enabled") or ""
    return {
        "memory_bytes": found.get("MemTotal"),
        "memory_available_bytes": found.get("MemAvailable"),
        "swap_bytes": total,
        "swap_used_bytes": None if total is None or free is None else total - free,
        "transparent_hugepage": _bracketed(huge),
        "aslr": tree.number("proc/sys/kernel/randomize_va_space"),
    }


def limit_facts(tree: Tree) -> dict[str, Any]:
    """Limits of the control group and of those around it; the tightest of each holds."""
    quotas: list[float] = []
    limits: list[int] = []
    told_quota = told_limit = False
    for place in _groups(tree, ""):  # version 2
        quota = (tree.text(f"{place}/cpu.max") or "").split()
        told_quota |= len(quota) == 2
        if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]):
            quotas.append(int(quota[0]) / int(quota[1]))
        limit = tree.text(f"{place}/memory.max")
        told_limit |= limit is not None
        if limit and limit.isdigit():
            limits.append(int(limit))
    for place in _groups(tree, "cpu"):
        cfs, period = (tree.number(f"{place}/cpu.cfs_{part}_us") for part in ("quota", "period"))
        told_quota |= cfs is not None
        if cfs is not None and cfs > 0 and period:
            quotas.append(cfs / period)
    for place in _groups(tree, "memory"):
        bound = tree.number(f"{place}/memory.limit_in_bytes")
        told_limit |= bound is not None
        if bound is not None and bound < _NO_LIMIT:
            limits.append(bound)
    return {
        "cpu_quota": round(min(quotas), 4) if quotas else (UNLIMITED if told_quota else None),
        "memory_limit_bytes": min(limits) if limits else (UNLIMITED if told_limit else None),
    }


def virtual_facts(tree: Tree) -> dict[str, Any]:
    """Hypervisor and container around the process."""
    return {"hypervisor": _hypervisor(tree), "container": _container(tree)}


def power_source(tree: Tree) -> str | None:
    """What feeds the machine, "mains" or "battery"; None where the system doesn't say."""
    online: list[int] = []
    discharging = False
    for place in tree.folders("sys/class/power_supply/*"):
        kind = tree.text(f"{place}/type")
        # The battery of a mouse has the scope "Device".
        if kind == "Battery" and tree.text(f"{place}/scope") != "Device":
            discharging |= tree.text(f"{place}/status") == "Discharging"
        elif kind in ("Mains", "USB"):
            state = tree.number(f"{place}/online")
            online += [] if state is None else [state]
    if discharging:
        return "battery"
    return "mains" if any(online) else None


def temperatures(tree: Tree) -> dict[str, float]:
    """Thermal zones in °C by their kind; zones of one kind are numbered from the second on."""
    found: dict[str, float] = {}
    for place in tree.folders("sys/class/thermal/thermal_zone*"):
        value = tree.number(f"{place}/temp")
        if value is None:
            continue
        kind = tree.text(f"{place}/type") or place.rpartition("/")[2]
        name, number = kind, 2
        while name in found:
            name, number = f"{kind} {number}", number + 1
        found[name] = value / 1000
    return found


def hottest(tree: Tree) -> float | None:
    """Of the hottest thermal zone, in °C."""
    return max(temperatures(tree).values(), default=None)


def _groups(tree: Tree, controller: str) -> Iterator[str]:
    """Places of the process's group of a controller and of all around it; "" is version 2's."""
    for line in (tree.text("proc/self/cgroup") or "").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controller not in controllers.split(","):
            continue
        mounts = (f"sys/fs/cgroup/{controllers}", f"sys/fs/cgroup/{controller}")
        if not controller:
            mounts = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
        for mount in dict.fromkeys(mounts):
            parts = [part for part in path.split("/") if part not in ("", "..")]
            # Inside a container the path may be the host's, which is not there: the mount is.
            for depth in range(len(parts), -1, -1):
                place = "/".join([mount, *parts[:depth]])
                if tree.exists(place):
                    yield place


def _hypervisor(tree: Tree) -> str | None:
    """Its name, "unnamed" where only its presence shows, "none" where the processor shows none."""
    if kind := tree.text("sys/hypervisor/type"):
        return kind
    info = tree.entries("proc/cpuinfo")
    flags = info.get("flags")
    if flags is not None and "hypervisor" not in flags.split():
        return "none"
    vendor = tree.text("sys/class/dmi/id/sys_vendor")
    product = tree.text("sys/class/dmi/id/product_name")
    if flags is not None:
        return " ".join(part for part in (vendor, product) if part) or "unnamed"
    # Without that flag (ARM) only a vendor that makes nothing but virtual machines tells.
    return vendor if vendor in ("QEMU", "Xen", "VMware, Inc.", "innotek GmbH") else None


def _container(tree: Tree) -> str | None:
    """Its kind where something says so; that nothing does proves nothing."""
    if kind := tree.text("run/systemd/container"):
        return kind
    for place, kind in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
        if tree.exists(place):
            return kind
    groups = tree.text("proc/self/cgroup") or ""
    kinds = ("kubepods", "docker", "lxc", "containerd")
    return next((kind for kind in kinds if kind in groups), None)


def _bracketed(text: str) -> str | None:
    """`always [madvise] never` → `madvise`."""
    return text.partition("[")[2].partition("]")[0] or None
