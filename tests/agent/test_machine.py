from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.agent import machine
from edgekit.errors import DeviceError

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_the_description_is_json_and_knows_this_machine():
    facts = machine.describe()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu_count"] == os.cpu_count()
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))


def output_of(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@linux
def test_flags_are_those_of_the_processor():
    present = Path("/proc/cpuinfo").read_text()
    for flag in machine.describe()["cpu_flags"]:
        assert f" {flag} " in present.replace("\n", " ")


def test_what_the_machine_does_not_say_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "Path", lambda *_: tmp_path / "absent")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    facts = machine.describe(tmp_path / "absent")
    told = {"edgekit", "system", "kernel", "machine", "python", "numpy", "cpu_count", "affinity"}
    assert {fact for fact, value in facts.items() if value is not None} <= told | {"load_1min"}
    assert machine.peak_rss_bytes() is None
    assert machine.cpu_ticks() is None


@linux
def test_a_machine_can_be_described_from_a_copy_of_its_files(tree_of, cpuinfo):
    root = tree_of({"proc/cpuinfo": cpuinfo(), "proc/meminfo": "MemTotal: 8 kB"}).root
    facts = machine.describe(root)
    assert facts["cpu_model"] == "Intel(R) Xeon(R) Gold 6430"
    assert facts["memory_bytes"] == 8192
    assert facts["temperatures_c"] is None


@linux
def test_a_pinned_process_runs_on_that_core_only():
    core = max(os.sched_getaffinity(0))
    script = (
        "import os; from edgekit.agent import machine;"
        f"machine.pin({core}); print(sorted(os.sched_getaffinity(0)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [core]


@linux
def test_a_core_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match="core 9999 is not among those"):
        machine.pin(9999)


@linux
def test_peak_memory_counts_what_was_touched_and_not_the_parents():
    # `ru_maxrss` would start at the size of the process that forked.
    script = (
        "from edgekit.agent import machine; a = machine.peak_rss_bytes();"
        "x = bytearray(b'x') * (64 << 20); b = machine.peak_rss_bytes(); del x;"
        "print(a, b, machine.peak_rss_bytes())"
    )
    ballast = bytearray(b"x") * (256 << 20)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    before, during, after = (int(part) for part in done.stdout.split())
    assert len(ballast) > before
    assert during - before >= 60 << 20
    assert abs(after - during) < 1 << 20  # the kernel counts in batches
