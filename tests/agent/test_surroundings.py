from __future__ import annotations

import pytest

from edgekit.agent.surroundings import (
    hottest,
    limit_facts,
    memory_facts,
    power_source,
    temperatures,
    virtual_facts,
)


def test_an_empty_machine_is_silent_about_everything(tree_of):
    tree = tree_of({})
    for facts in (memory_facts(tree), limit_facts(tree), virtual_facts(tree)):
        assert set(facts.values()) == {None}
    assert power_source(tree) is None
    assert temperatures(tree) == {}
    assert hottest(tree) is None


def test_memory_is_in_bytes_and_used_swap_a_difference(tree_of):
    text = "MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB"
    files = {
        "proc/meminfo": text,
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "proc/sys/kernel/randomize_va_space": 2,
    }
    assert memory_facts(tree_of(files)) == {
        "memory_bytes": 1_024_000,
        "memory_available_bytes": 614_400,
        "swap_bytes": 102_400,
        "swap_used_bytes": 10_240,
        "transparent_hugepage": "madvise",
        "aslr": 2,
    }


def test_swap_that_only_its_size_is_told_of_is_not_unused(tree_of):
    facts = memory_facts(tree_of({"proc/meminfo": "SwapTotal: 100 kB"}))
    assert facts["swap_used_bytes"] is None


def test_the_tightest_limit_of_all_groups_around_holds(tree_of):
    base = "sys/fs/cgroup"
    files = {
        "proc/self/cgroup": "0::/pods/one",
        f"{base}/pods/one/cpu.max": "400000 100000",
        f"{base}/pods/one/memory.max": "max",
        f"{base}/pods/cpu.max": "150000 100000",
        f"{base}/pods/memory.max": 2**30,
    }
    assert limit_facts(tree_of(files)) == {
        "cpu_quota": 1.5,
        "memory_limit_bytes": 2**30,
    }


def test_no_limit_is_a_fact_and_not_silence(tree_of):
    files = {
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/cpu.max": "max 100000",
        "sys/fs/cgroup/memory.max": "max",
    }
    assert limit_facts(tree_of(files)) == {
        "cpu_quota": "unlimited",
        "memory_limit_bytes": "unlimited",
    }


def test_groups_of_the_first_version_are_read_too(tree_of):
    files = {
        "proc/self/cgroup": "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc",
        # Inside the container the path of the host is not there.
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": 50_000,
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": 100_000,
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 9_223_372_036_854_771_712,
    }
    tree = tree_of(files)
    assert limit_facts(tree) == {"cpu_quota": 0.5, "memory_limit_bytes": "unlimited"}
    assert virtual_facts(tree)["container"] == "docker"


@pytest.mark.parametrize(
    ("files", "hypervisor"),
    [
        ({"proc/cpuinfo": ""}, "none"),
        ({"proc/cpuinfo": "hypervisor"}, "unnamed"),
        (
            {
                "proc/cpuinfo": "hypervisor",
                "sys/class/dmi/id/sys_vendor": "QEMU",
            },
            "QEMU",
        ),
        ({"sys/hypervisor/type": "xen"}, "xen"),
        ({"proc/cpuinfo": "Features : asimd"}, None),
        ({"sys/class/dmi/id/sys_vendor": "Dell Inc."}, None),
    ],
)
def test_a_hypervisor_is_named_only_where_something_shows_it(tree_of, cpuinfo, files, hypervisor):
    if files.get("proc/cpuinfo") in ("", "hypervisor"):
        files = {**files, "proc/cpuinfo": cpuinfo(files["proc/cpuinfo"])}
    assert virtual_facts(tree_of(files))["hypervisor"] == hypervisor


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({"AC/type": "Mains", "AC/online": 1}, "mains"),
        ({"AC/type": "Mains", "AC/online": 0}, None),
        (
            {
                "AC/type": "Mains",
                "AC/online": 0,
                "BAT0/type": "Battery",
                "BAT0/status": "Discharging",
            },
            "battery",
        ),
        (
            {"m/type": "Battery", "m/status": "Discharging", "m/scope": "Device"},
            None,
        ),
    ],
)
def test_what_feeds_the_machine(tree_of, files, source):
    placed = {f"sys/class/power_supply/{place}": text for place, text in files.items()}
    assert power_source(tree_of(placed)) == source


def test_every_zone_is_told_and_the_hottest_found(tree_of):
    base = "sys/class/thermal"
    files = {}
    for number, (kind, value) in enumerate([("cpu", 41_500), ("cpu", 47_250), ("gpu", 39_000)]):
        files |= {f"{base}/thermal_zone{number}/type": kind}
        files |= {f"{base}/thermal_zone{number}/temp": value}
    files[f"{base}/thermal_zone3/type"] = "silent"
    tree = tree_of(files)
    assert temperatures(tree) == {"cpu": 41.5, "cpu 2": 47.25, "gpu": 39.0}
    assert hottest(tree) == 47.25
