"""The machine's limits, measured for a moment: what is asserted is order, never speed."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from edgekit.files import cache_folder
from edgekit.process import ChildCrashed
from edgekit.roofline.limits import Rate, Unavailable
from edgekit.roofline.probing import measuring
from edgekit.roofline.probing.kernel import Kernel, best_rates
from edgekit.roofline.probing.measuring import Effort, ladder, measure_machine

MOMENT = Effort(processes=1, seconds=0.001, most_bytes=2**22)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path))
    return tmp_path / "limits"


@pytest.fixture(scope="module")
def measured():
    return measure_machine([1], effort=MOMENT)


def test_every_limit_is_measured_and_says_by_what(measured):
    limits = measured.limits[1]
    for peak in (limits.fp32, limits.int8):
        assert isinstance(peak, Rate)
        assert peak.ci95[0] <= peak.per_s <= peak.ci95[1]
        assert peak.processes == 1
    assert limits.int8.by.startswith(("onnxruntime ", "openvino "))
    assert set(limits.by_library) == {"numpy", "onnxruntime", "openvino"}
    assert "int8" not in limits.by_library["numpy"]
    assert list(limits.bandwidth) == [2**19, 2**21, 2**22]
    assert measured.environment["cpu_flags"] is not None


def test_what_fits_a_cache_says_nothing_of_memory(measured):
    assert isinstance(measured.limits[1].memory, Unavailable)


def test_8_bit_products_are_no_slower_where_the_processor_has_them(measured):
    flags = set(measured.environment["cpu_flags"] or ())
    if not flags & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}:
        pytest.skip("this processor has no instruction for 8-bit products")
    limits = measured.limits[1]
    assert limits.int8.per_s >= 0.8 * limits.fp32.per_s


def test_limits_are_measured_once_and_then_known(cache, monkeypatch):
    asked = []
    kinds = ("fp32", "524288")
    answer = {"rates": [{"kind": kind, "name": "matmul", "per_s": 1e9} for kind in kinds]}

    def child(entry, payload, **_):
        asked.append(payload["library"])
        return answer

    monkeypatch.setattr(measuring, "run_in_child", child)
    first = measure_machine([1], effort=MOMENT)
    assert asked == ["numpy", "onnxruntime", "openvino", "memory"]
    assert measure_machine([1], effort=MOMENT) == first
    assert len(asked) == 4
    measure_machine([1], effort=MOMENT, fresh=True)
    assert len(asked) == 8
    measure_machine([1, 2], effort=MOMENT)
    assert len(asked) == 16
    assert len(list(cache.iterdir())) == 2


def test_damaged_or_foreign_limits_are_measured_anew(cache, monkeypatch):
    answer = {"rates": [{"kind": "fp32", "name": "matmul", "per_s": 1e9}]}
    monkeypatch.setattr(measuring, "run_in_child", lambda *_, **__: answer)
    known = measure_machine([1], effort=MOMENT)
    (file,) = cache.iterdir()
    for content in ("", "{", "[]", json.dumps({**known.to_json(), "format": 99})):
        file.write_text(content)
        assert measure_machine([1], effort=MOMENT).limits == known.limits
        assert json.loads(file.read_text())["format"] == 1


def test_another_machine_has_limits_of_its_own(cache, monkeypatch):
    answer = {"rates": [{"kind": "fp32", "name": "matmul", "per_s": 1e9}]}
    monkeypatch.setattr(measuring, "run_in_child", lambda *_, **__: answer)
    measure_machine([1], effort=MOMENT)
    here = measuring.machine.describe()
    monkeypatch.setattr(measuring.machine, "describe", lambda: {**here, "cpu_model": "another"})
    measure_machine([1], effort=MOMENT)
    assert len(list(cache.iterdir())) == 2


def test_without_a_runtime_8_bit_arithmetic_is_unavailable_and_never_zero(cache, monkeypatch):
    version = importlib.metadata.version

    def absent(name):
        if name in ("onnxruntime", "openvino"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    found = measure_machine([1], effort=MOMENT)
    assert str(found.limits[1].int8) == (
        "unavailable: no library with int8 kernels: numpy has none, onnxruntime not installed, "
        "openvino not installed"
    )
    assert isinstance(found.limits[1].fp32, Rate)
    assert found.limits[1].fp32.by.startswith("numpy ")


def test_a_library_that_crashes_is_named_and_the_others_go_on(cache, monkeypatch):
    def child(entry, payload, **_):
        if payload["library"] == "openvino":
            raise ChildCrashed("the process was ended by SIGILL")
        kinds = {"memory": ["524288"], "numpy": ["fp32"]}.get(payload["library"], ["fp32", "int8"])
        return {"rates": [{"kind": kind, "name": "k", "per_s": 1e9} for kind in kinds]}

    monkeypatch.setattr(measuring, "run_in_child", child)
    found = measure_machine([1], effort=Effort(processes=3, seconds=0.001, most_bytes=2**22))
    assert found.libraries["openvino"] == "failed: the process was ended by SIGILL"
    assert found.limits[1].int8.by.startswith("onnxruntime ")
    assert found.limits[1].int8.processes == 3


def test_a_single_thread_is_pinned_and_several_are_not(cache, monkeypatch):
    asked = []

    def child(entry, payload, *, environment, **_):
        asked.append((payload["threads"], payload["cpu"], environment["OMP_NUM_THREADS"]))
        return {"rates": []}

    monkeypatch.setattr(measuring, "run_in_child", child)
    measure_machine([1, 3], effort=MOMENT)
    alone = [entry for entry in asked if entry[0] == 1]
    assert all(cpu is not None and threads == "1" for _, cpu, threads in alone)
    together = [entry for entry in asked if entry[0] == 3]
    # Memory is gone through by threads of its own.
    assert together == [(3, None, "3")] * 3 + [(3, None, "1")]


def test_the_best_of_many_calls_counts(monkeypatch):
    now = 0
    durations_ms = iter([1, 1, 5, 3, 4, 6, 5])  # two untimed ones first

    def run():
        nonlocal now
        now += next(durations_ms) * 10**6

    monkeypatch.setattr("time.perf_counter_ns", lambda: now)
    (found,) = best_rates(iter([Kernel("fp32", "a kernel", 6_000, run)]), 0.0)
    assert found == {"kind": "fp32", "name": "a kernel", "per_s": pytest.approx(6_000 / 0.003)}


def test_the_largest_array_is_far_larger_than_the_last_cache():
    sizes, beyond = ladder()
    assert sizes == sorted(set(sizes))
    assert sizes[-1] >= beyond or sizes[-1] <= 2**30


def test_the_cache_folder_is_the_tests_own(cache):
    assert cache_folder() == cache.parent
