"""Shares from limits and latencies that are given, so that every figure is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError
from edgekit.roofline.counting.operation import Counted, Operation
from edgekit.roofline.limits import Limits, Machine, Rate, Unavailable
from edgekit.roofline.shares import Figure, Measured, Subject, least_ms, roofline_rows, simple_ms

KB, MB, GIGA = 2**10, 2**20, 1e9


def rate(per_s, low=1.0, high=1.0):
    return Rate(per_s, (round(per_s * low), round(per_s * high)), 7, "a kernel")


LIMITS = Limits(
    threads=1,
    fp32=rate(100 * GIGA, 0.9, 1.1),
    int8=rate(400 * GIGA, 0.9, 1.1),
    bandwidth={
        64 * KB: rate(80 * GIGA),
        512 * KB: rate(100 * GIGA),
        8 * MB: rate(50 * GIGA),
        256 * MB: rate(10 * GIGA),
    },
    memory=rate(10 * GIGA),
    by_library={"numpy": {"fp32": 100 * GIGA}},
)


def operation(macs=0, weights=0, read=0, written=0, arithmetic="float32"):
    return Operation("a", "Conv", 1, macs, arithmetic if macs else "", weights, read, written)


def counted(*operations, **uncounted):
    return Counted(operations, uncounted)


def row(work, ms=1.0, spread=0.0, limits=LIMITS):
    measured = Measured(Figure(ms, (ms - spread, ms + spread)), "cpu", 7, 700, "run 1")
    (found,) = roofline_rows([Subject("tiny onnx-fp32", "0" * 64, work, limits, measured)])
    return found


def test_an_operation_takes_the_longer_of_computing_and_moving():
    # 1 ms of computing and 1 µs of moving; then 10 µs of computing and 0.5 ms of moving.
    compute = operation(macs=50_000_000, read=100_000)
    memory = operation(macs=500_000, weights=0, read=25_000_000, written=25_000_000)
    assert least_ms(counted(compute), LIMITS).value == pytest.approx(1.0)
    assert least_ms(counted(memory), LIMITS).value == pytest.approx(50e6 / 10e9 * 1e3)
    both = least_ms(counted(compute, memory), LIMITS)
    assert both.value == pytest.approx(1.0 + 5.0)


def test_an_8_bit_operation_is_held_to_the_8_bit_peak():
    slow, fast = (
        least_ms(counted(operation(macs=10**6, arithmetic=kind)), LIMITS).value
        for kind in ("float32", "int8")
    )
    assert slow == pytest.approx(4 * fast)


def test_small_data_comes_out_of_a_cache_and_large_constants_out_of_memory():
    small = operation(read=300 * KB)
    assert least_ms(counted(small), LIMITS).value == pytest.approx(300 * KB / 100e9 * 1e3)
    # Each layer's constants are small; all of them together fit no cache.
    layers = [operation(weights=MB) for _ in range(100)]
    assert least_ms(counted(*layers), LIMITS).value == pytest.approx(100 * MB / 10e9 * 1e3)


def test_smaller_data_is_never_slower():
    # 64 KB were seen at 80 GB/s only, for a call costs something too: 512 KB went faster.
    assert LIMITS.rate_of(10).per_s == LIMITS.rate_of(300 * KB).per_s == 100 * GIGA
    assert LIMITS.rate_of(2**40).per_s == 10 * GIGA


def test_the_interval_of_a_share_holds_both_sides_intervals():
    found = row(counted(operation(macs=25_000_000)), ms=1.0, spread=0.25)
    assert found.share.value == pytest.approx(0.5)
    low, high = found.share.ci95
    assert low == pytest.approx(0.5 / 1.1 / 1.25)
    assert high == pytest.approx(0.5 / 0.9 / 0.75)
    assert found.warnings == ()
    assert (found.bound, found.bound_share) == ("compute", 1.0)
    assert found.attained_per_s == pytest.approx(50e9)


def test_a_share_above_one_is_shown_as_it_is_with_a_warning():
    found = row(counted(operation(macs=100_000_000)))
    assert found.share.value == pytest.approx(2.0)
    (warning,) = found.warnings
    assert "measured too low" in warning


def test_without_an_8_bit_peak_an_8_bit_file_has_no_limit_and_a_float_file_has():
    lacking = replace(LIMITS, int8=Unavailable("no library with int8 kernels"))
    found = row(counted(operation(macs=10**6, arithmetic="int8")), limits=lacking)
    assert str(found.limit_ms) == "unavailable: no library with int8 kernels"
    assert (found.share, found.bound) == (None, "")
    assert found.to_json()["share"] is None
    assert found.to_json()["limit_ms"] == {"unavailable": "no library with int8 kernels"}
    assert row(counted(operation(macs=10**6)), limits=lacking).share is not None


def test_the_simple_limit_takes_every_byte_out_of_memory():
    work = counted(operation(macs=50_000_000, read=MB), operation(weights=19 * MB))
    assert simple_ms(work, LIMITS).value == pytest.approx(20 * MB / 10e9 * 1e3)
    without = replace(LIMITS, memory=Unavailable("too little memory"))
    assert isinstance(simple_ms(work, without), Unavailable)


def test_what_was_not_counted_is_a_warning():
    assert row(counted(operation(macs=1000), If=2)).warnings == ("2 If: not counted",)


operations = st.builds(
    operation,
    macs=st.integers(0, 10**9),
    weights=st.integers(0, 10**8),
    read=st.integers(0, 10**8),
    written=st.integers(0, 10**8),
    arithmetic=st.sampled_from(["float32", "int8", "int16", "float16"]),
)


@given(st.lists(operations, min_size=1, max_size=6))
def test_the_least_time_is_never_below_that_of_computing_alone_nor_outside_its_interval(found):
    limit = least_ms(counted(*found), LIMITS)
    compute = sum(2 * one.macs / LIMITS.peak(one.arithmetic).per_s for one in found if one.macs)
    assert limit.value >= compute * 1e3 * (1 - 1e-12)
    assert limit.ci95[0] <= limit.value <= limit.ci95[1]


@given(st.lists(operations, min_size=1, max_size=4), operations)
def test_more_work_never_takes_less_time(found, another):
    before, after = (least_ms(counted(*one), LIMITS).value for one in (found, [*found, another]))
    assert after >= before


# -- limits ----------------------------------------------------------------------------------------


def machine(limits=LIMITS, flags=("avx2", "avx512_vnni")):
    facts = {"cpu_model": "test", "cpu_flags": list(flags)}
    return Machine(facts, {"numpy": "2.0"}, {limits.threads: limits}, "2026-01-01T00:00:00Z")


def test_limits_survive_the_way_to_disk_and_back():
    lacking = replace(LIMITS, threads=2, int8=Unavailable("no runtime"))
    known = replace(machine(), limits={1: LIMITS, 2: lacking})
    assert Machine.from_json(json.loads(json.dumps(known.to_json()))) == known


@pytest.mark.parametrize("change", [{"format": 99}, {"limits": []}, {"more": 1}])
def test_limits_that_somebody_changed_are_refused(change):
    with pytest.raises(DeviceError):
        Machine.from_json({**machine().to_json(), **change})


def test_a_zero_is_no_limit():
    document = machine().to_json()
    document["limits"][0]["int8"]["per_s"] = 0
    with pytest.raises(DeviceError, match="per_s"):
        Machine.from_json(document)


def test_limits_that_scatter_are_doubted():
    quiet = machine().notes
    busy = replace(LIMITS, threads=2, fp32=rate(100 * GIGA, 0.8, 1.6))
    (*others, note) = replace(machine(), limits={1: LIMITS, 2: busy}).notes
    assert tuple(others) == quiet
    assert note.startswith("with 2 threads the processes differ by 80%: the machine was busy")


def test_flags_are_held_against_what_was_seen():
    (note,) = machine().notes
    assert note == "the processor has avx512_vnni; 8-bit arithmetic was 4.0 times float32's"
    (note,) = machine(replace(LIMITS, int8=rate(150 * GIGA))).notes
    assert "do not use it: 8-bit arithmetic was 1.5 times" in note
    (note,) = machine(flags=()).notes
    assert "no 8-bit dot product among its flags" in note
    assert machine(replace(LIMITS, int8=Unavailable("none"))).notes == ()
