"""Copies of /proc and /sys as tests want them."""

from __future__ import annotations

import pytest

from edgekit.agent.tree import Tree

CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Gold 6430
stepping\t: 8
microcode\t: 0x2b0004d0
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni amx_int8 {more}

processor\t: 1
model name\t: another
"""


@pytest.fixture
def tree_of(tmp_path):
    """Make a tree of files: place → what is in it; may be called again to change some."""

    def make(files):
        for place, content in files.items():
            path = tmp_path / "root" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{content}\n")
        return Tree(tmp_path / "root")

    return make


@pytest.fixture
def cpuinfo():
    """/proc/cpuinfo of a server, with more flags."""
    return lambda more="": CPUINFO.format(more=more)


@pytest.fixture
def rapl():
    """RAPL as Linux shows it: packages by name → joules, and a part of the first, in it already."""

    def files(joules, span=262_143.0):
        base = "sys/class/powercap"
        made = {f"{base}/intel-rapl/enabled": 1}
        for number, (name, value) in enumerate(joules.items()):
            place = f"{base}/intel-rapl:{number}"
            made[f"{place}/name"] = name
            made[f"{place}/energy_uj"] = round(value * 1e6)
            made[f"{place}/max_energy_range_uj"] = round(span * 1e6)
        made[f"{base}/intel-rapl:0:0/name"] = "core"
        made[f"{base}/intel-rapl:0:0/energy_uj"] = 10**9
        return made

    return files
