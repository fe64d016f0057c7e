"""Latency of one file against another's: who is timed against whom, and what is said of it."""

from __future__ import annotations

import pytest

from edgekit import pace
from edgekit.measure import Placement
from edgekit.pace import Pace, time_against_float, time_pair


def placement(partitions=1, left_out=(), ops=10, delegated=8):
    return Placement(ops, delegated, partitions, {"XNNPACK": delegated}, "test", dict(left_out))


def paced(ci95, *, mine=None, other=None):
    middle = sum(ci95) / 2
    places = mine or placement(), other or placement()
    return Pace("tflite-int8", "tflite-fp32", "tflite", middle, ci95, 2.0, 1.0, *places)


def test_a_file_against_itself_takes_about_the_same_time(make_artifact):
    artifact = make_artifact("tflite")
    found = time_pair(artifact, artifact, lambda _: None)
    low, high = found.ci95
    assert low <= found.ratio <= high
    assert 0.1 < found.ratio < 10
    assert found.placement == found.against_placement
    assert found.placement.ops > 0


def test_each_quantized_file_is_timed_against_the_float_one_of_its_target(
    make_artifact, monkeypatch
):
    pairs = []

    def note(one, other, _):
        pairs.append((one.label, other.label))
        return paced((0.5, 0.6))

    monkeypatch.setattr(pace, "time_pair", note)
    quantized = make_artifact("tflite", precision="int8")
    others = [make_artifact("onnx"), make_artifact("openvino")]
    assert time_against_float([quantized, *others], lambda _: None) == ()
    artifacts = [make_artifact("tflite"), quantized, *others]
    assert len(time_against_float(artifacts, lambda _: None)) == 1
    assert pairs == [("tflite-int8", "tflite-fp32")]


def test_what_cannot_be_timed_is_reported_and_left_out(make_artifact):
    artifacts = [make_artifact("tflite"), make_artifact("tflite", precision="int8")]
    artifacts[1].model_path.write_bytes(b"no model")
    heard = []
    assert time_against_float(artifacts, heard.append) == ()
    assert heard[-1].task == "timing tflite-int8"
    assert heard[-1].note.startswith("failed: ")


@pytest.mark.parametrize(("ci95", "slower"), [((0.9, 1.2), False), ((1.01, 1.2), True)])
def test_only_an_interval_above_one_is_slower(ci95, slower):
    assert paced(ci95).slower is slower
    assert paced(ci95).to_json()["slower"] is slower


def test_it_is_said_what_cuts_a_delegate():
    found = paced((2.0, 2.4), mine=placement(19, {"HARD_SWISH": 18, "SOFTMAX": 2}.items()))
    assert found.why_slower() == (
        "the delegate runs it in 19 pieces (float: 1), cut by HARD_SWISH ×18, SOFTMAX ×2"
    )
    assert str(found) == "2.20 [2.00, 2.40]"


def test_what_the_float_file_leaves_out_as_well_is_not_blamed():
    other = placement(1, {"SOFTMAX": 1}.items())
    found = paced((2.0, 2.4), mine=placement(1, {"SOFTMAX": 1, "GELU": 3}.items()), other=other)
    assert found.why_slower() == "left in float or to slow kernels: GELU ×3"


def test_without_a_delegate_what_computes_in_float_is_blamed():
    mine = Placement(9, 0, 0, {"f32": 4, "i8": 5}, "test", {"Softmax": 4})
    other = Placement(9, 0, 0, {"f32": 9}, "test", {"Softmax": 4, "Convolution": 5})
    assert paced((1.1, 1.2), mine=mine, other=other).why_slower() == (
        "left in float or to slow kernels: Softmax ×4"
    )
    whole = Placement(9, 0, 0, {"i8": 9}, "test")
    said = paced((1.1, 1.2), mine=whole, other=other).why_slower()
    assert said.startswith("all of it runs where the float file does")
