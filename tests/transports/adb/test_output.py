from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError
from edgekit.transports.adb.facts import read_facts
from edgekit.transports.adb.output import placement_of, read_output

# From the tool's own log of a phone with an NPU, its lines as they are.
NNAPI = b"""\
INFO: NNAPI accelerators available: [synap-npu,nnapi-reference]
INFO: NNAPI delegate created.
VERBOSE: Replacing 31 out of 31 node(s) with delegate (TfLiteNnapiDelegate) node, yielding 1 \
partitions for the whole graph.
INFO: Explicitly applied NNAPI delegate, and the model graph will be completely executed by the \
delegate.
INFO: Initialized session in 66.002ms.
INFO: count=1 curr=637079

INFO: count=2 first=2531 curr=2793 min=2531 max=2793 avg=2662 std=131

INFO: Inference timings in us: Init: 66002, First inference: 637079, Warmup (avg): 637079, \
Inference (avg): 2662
"""
GPU = NNAPI.replace(b"NNAPI delegate,", b"GPU delegate,").replace(
    b"Replacing 31 out of 31 node(s) with delegate (TfLiteNnapiDelegate) node, yielding 1 ",
    b"Replacing 54 out of 559 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 3 "
    b"partitions for subgraph 0.\nVERBOSE: Replacing 456 out of 506 node(s) with delegate "
    b"(TfLiteXNNPackDelegate) node, yielding 4 ",
)


def test_calls_are_the_two_that_the_tool_gives_singly():
    found = read_output(NNAPI, calls=2, wanted="NNAPI")
    assert found.samples_us == (2531, 2793)
    assert (found.init_us, found.first_us) == (66002, 637079)
    assert found.peak_rss_bytes is None


def test_two_calls_of_one_length_are_two_calls():
    same = NNAPI.replace(b"count=2 first=2531 curr=2793 min", b"count=2 curr=2793(all same) min")
    assert read_output(same, calls=2).samples_us == (2793, 2793)


def test_a_delegate_that_took_a_part_is_told_with_what_the_others_took():
    placement = placement_of(read_output(GPU, calls=2, wanted="GPU"))
    assert (placement.ops, placement.delegated, placement.partitions) == (559, 54, 3)
    assert placement.executors == {"GPU": 54, "XNNPACK": 456, "LiteRT kernels": 49}
    assert str(placement) == "GPU 54/559 in 3"


def test_a_log_without_replaced_nodes_tells_pieces_only():
    quiet = b"\n".join(line for line in NNAPI.split(b"\n") if b"Replacing" not in line)
    placement = placement_of(read_output(quiet, calls=2, wanted="NNAPI"))
    assert (placement.ops, placement.delegated) == (1, 1)
    partly = quiet.replace(b"completely executed by the delegate", b"partially executed by the "
                           b"delegate w/ 3 delegate kernels")  # fmt: skip
    with pytest.raises(DeviceError, match="does not say how many nodes"):
        placement_of(read_output(partly, calls=2))
    profiled = partly + b"Number of nodes executed: 20\n"
    placement = placement_of(read_output(profiled, calls=2))
    assert (placement.ops, placement.delegated, placement.partitions) == (20, 3, 3)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"count=2 first=2531 curr=2793", b"count=520 first=1 curr=2", "timed 520 calls"),
        (b"count=2 first=2531 curr=2793", b"count=2 curr=2793", "how long the first of two"),
        (b"count=2 first=2531", b"count=2 first=" + b"9" * 30, "out of bounds"),
        (b"Init: 66002", b"Init: -1", "no timings"),
        (b"count=", b"kount=", "no count"),
        (b"INFO: NNAPI delegate created", b"WARN: Unconsumed cmdline flags: --use_npu", "use_npu"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(old, new, told):
    with pytest.raises(DeviceError, match=told):
        read_output(NNAPI.replace(old, new), calls=2)


def test_more_nodes_than_there_are_is_refused():
    more = NNAPI.replace(b"Replacing 31 out of 31", b"Replacing 32 out of 31")
    with pytest.raises(DeviceError, match="more nodes than there are"):
        placement_of(read_output(more, calls=2))


@given(st.binary(max_size=2000))
def test_any_bytes_are_output_or_an_error(noise):
    with pytest.raises(DeviceError):
        read_output(noise, calls=2)
    assert read_output(noise + b"\n" + NNAPI, calls=2).samples_us == (2531, 2793)


@given(st.lists(st.sampled_from(["machine", "core", "zone", "level", "maker"])), st.binary())
def test_any_bytes_are_facts_that_are_checked(keys, noise):
    lines = b"\n".join(key.encode() + b"=" + noise for key in keys)
    facts = read_facts(lines + b"\n@battery\n" + lines)
    assert all(len(str(value)) <= 500 for value in facts.values())
    assert 0 <= facts.get("battery_percent", 0) <= 100


def test_the_fastest_cores_and_the_hottest_zone_are_found():
    told = b"core=0 1800000 walt\ncore=3 3000000 walt\ncore=7 3000000 walt\n"
    told += b"serial=39281FDJH0\nzone=41200\nzone=-274000\nzone=\nmodel=Pixel 8\nmaker=Google\n"
    facts = read_facts(told)
    assert facts["fastest_cores"] == [3, 7]
    assert facts["nodename"] == "39281FDJH0"
    assert facts["temperature_c"] == 41.2
    assert facts["cpu_model"] == "Google Pixel 8"
    assert facts["cpu_governor"] == "walt"
    assert "battery_percent" not in facts
