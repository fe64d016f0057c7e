from __future__ import annotations

import pytest

from edgekit.agent.processor import processor_facts

CPU = "sys/devices/system/cpu"


def core(number, **files):
    return {f"{CPU}/cpu{number}/{key.replace('__', '/')}": value for key, value in files.items()}


def test_an_empty_machine_is_silent_about_everything(tree_of, monkeypatch):
    monkeypatch.setattr("edgekit.agent.processor.platform.processor", lambda: "")
    facts = processor_facts(tree_of({}), [0, 1])
    assert set(facts.values()) == {None}


def test_the_first_processors_name_number_and_flags_are_read(tree_of, cpuinfo):
    tree = tree_of({"proc/cpuinfo": cpuinfo()})
    facts = processor_facts(tree, [0])
    assert facts["cpu_model"] == "Intel(R) Xeon(R) Gold 6430"
    assert facts["cpu_id"] == "GenuineIntel 6 143 8"
    assert facts["microcode"] == "0x2b0004d0"
    assert facts["cpu_flags"] == ["avx2", "avx512f", "avx512_vnni", "amx_int8"]


def test_an_arm_core_is_known_by_its_part(tree_of):
    text = (
        "processor : 0\nFeatures : fp asimd asimddp\nCPU implementer : 0x41\nCPU variant : 0x4\n"
        "CPU part : 0xd0b\nCPU revision : 1\n\nModel : Raspberry Pi 5 Model B Rev 1.0"
    )
    facts = processor_facts(tree_of({"proc/cpuinfo": text}), [0])
    assert facts["cpu_model"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert facts["cpu_id"] == "0x41 0x4 0xd0b 1"
    assert facts["cpu_flags"] == ["asimd", "asimddp"]


def test_a_board_whose_processor_has_no_name_is_known_by_its_device_tree(tree_of):
    files = {
        "proc/cpuinfo": "processor : 0\nCPU part : 0xd0b",
        "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    }
    assert processor_facts(tree_of(files), [0])["cpu_model"] == "Raspberry Pi 5 Model B Rev 1.0"


def test_frequencies_and_governors_are_those_of_the_allowed_cores_alone(tree_of):
    files = {}
    for number, (governor, now) in enumerate([("performance", 3_000), ("powersave", 900)] * 2):
        files |= core(
            number,
            cpufreq__scaling_governor=governor,
            cpufreq__scaling_cur_freq=now,
            cpufreq__scaling_min_freq=800,
            cpufreq__scaling_max_freq=3_200 + number,
            cpu_capacity=1024 if number < 2 else 512,
        )
    tree = tree_of(files)
    both = processor_facts(tree, [0, 1])
    assert both["cpu_governor"] == "performance, powersave"
    assert (both["cpu_khz"], both["cpu_khz_min"], both["cpu_khz_max"]) == (3_000, 800, 3_201)
    assert both["cpu_capacity"] == [1024, 1024]
    assert processor_facts(tree, [0, 2])["cpu_governor"] == "performance"
    assert processor_facts(tree, [0, 2])["cpu_capacity"] == [1024, 512]
    assert processor_facts(tree, [0, 7])["cpu_capacity"] is None


@pytest.mark.parametrize(
    ("file", "value", "turbo"),
    [
        ("intel_pstate/no_turbo", 0, True),
        ("intel_pstate/no_turbo", 1, False),
        ("cpufreq/boost", 1, True),
        ("cpufreq/boost", 0, False),
    ],
)
def test_turbo_is_read_however_the_driver_says_it(tree_of, file, value, turbo):
    assert processor_facts(tree_of({f"{CPU}/{file}": value}), [0])["cpu_turbo"] is turbo


def test_hardware_threads_that_share_a_core_are_told(tree_of):
    files = {f"{CPU}/smt/active": 1}
    files |= core(0, topology__thread_siblings_list="0,4")
    files |= core(1, topology__thread_siblings_list="1,5")
    files |= core(4, topology__thread_siblings_list="0,4")
    facts = processor_facts(tree_of(files), [0, 1, 4])
    assert facts["smt"] is True
    assert facts["cpu_siblings"] == ["0,4", "1,5"]
