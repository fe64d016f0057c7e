from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.errors import ConversionError, GateError
from edgekit.manifest import Parity
from edgekit.metrics import MetricValue
from edgekit.parity import check_likeness, check_metric, check_parity, compare
from edgekit.spec import UNLABELLED, Gate

REFERENCE = [np.array([[0.0, 1.0], [3.0, 2.0]], np.float32)]


def metric(drop, low=0.0, high=9.0):
    return MetricValue("top1", 200, 90.0 - drop, (0.0, 100.0), 90.0, drop, (low, high))


def test_equal_outputs_differ_by_nothing_and_agree():
    assert compare(REFERENCE, REFERENCE) == Parity(0.0, 1.0, 2, snr_db=150.0)


def test_the_largest_difference_is_over_all_outputs_and_samples():
    two = [np.zeros((2, 3), np.float32), np.zeros((2, 4, 4), np.float32)]
    other = [two[0].copy(), two[1].copy()]
    other[1][1, 3, 3] = -0.25
    assert compare(other, two).max_abs == 0.25


def test_a_sample_agrees_only_if_all_outputs_have_the_same_label():
    swapped = [REFERENCE[0][:, ::-1], REFERENCE[0]]
    parity = compare([REFERENCE[0], REFERENCE[0]], swapped)
    assert parity.top1_agreement == 0.0


def test_detectors_agree_on_the_class_of_the_highest_score_wherever_it_is():
    boxes = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    scores = np.zeros((2, 3, 2), np.float32)
    scores[0, 0, 1] = scores[1, 2, 0] = 5
    moved = scores[:, ::-1]  # another place, the same class
    assert compare([-boxes, moved], [boxes, scores]).top1_agreement == 1.0
    other = scores.copy()
    other[1] = scores[1, :, ::-1]
    assert compare([boxes, other], [boxes, scores]).top1_agreement == 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_never_pass_as_equal(value):
    outputs = [REFERENCE[0].copy()]
    outputs[0][1, 1] = value
    with pytest.raises(ConversionError, match="NaN or infinite"):
        compare(outputs, REFERENCE)
    with pytest.raises(ConversionError, match="NaN or infinite"):
        compare(REFERENCE, outputs)


def test_other_shapes_are_named():
    with pytest.raises(ConversionError, match=r"\[\[2, 1\]\].*\[\[2, 2\]\]"):
        compare([REFERENCE[0][:, :1]], REFERENCE)


@given(hnp.arrays(np.int8, (5, 3)), hnp.arrays(np.int8, (5, 3)))
def test_integers_are_compared_without_overflow(mine, theirs):
    expected = np.abs(mine.astype(int) - theirs.astype(int)).max()
    assert compare([mine], [theirs]).max_abs == expected


@given(st.floats(0, 1e6), st.floats(1e-9, 1.0))
def test_the_float_limit_grows_with_outputs_larger_than_one(peak, max_abs):
    reference = [np.array([[peak]])]
    gate = Gate(max_abs=max_abs)
    limit = max_abs * max(1.0, peak)
    check_parity("onnx-fp32", "fp32", Parity(limit, 1.0, 1), reference, gate)
    with pytest.raises(GateError, match="onnx-fp32 differs from its source"):
        check_parity("onnx-fp32", "fp32", Parity(limit * 1.01, 1.0, 1), reference, gate)


def test_a_limit_of_a_model_toml_is_meant_as_it_stands():
    reference = [np.array([[1000.0]])]
    with pytest.raises(GateError) as caught:
        check_parity(
            "onnx-fp32", "fp32", Parity(0.01, 1.0, 4), reference,
            Gate(max_abs=1e-3, strict=True, origin="gate in own/model.toml"),
        )  # fmt: skip
    assert caught.value.limit == "max_abs of gate in own/model.toml"


@pytest.mark.parametrize("precision", ["fp16", "dynamic", "int8"])
def test_only_float32_is_held_to_the_difference(precision):
    check_parity("x", precision, Parity(9.0, 0.0, 1), REFERENCE, Gate())


def test_a_difference_that_is_no_number_is_over_every_limit():
    with pytest.raises(GateError):
        check_parity("x", "fp32", Parity(float("nan"), 1.0, 1), REFERENCE, Gate())


def test_a_drop_at_the_limit_passes_and_one_above_says_by_how_much():
    check_metric("onnx-int8", "own", metric(1.0), Gate(max_drop=1.0))
    with pytest.raises(GateError) as caught:
        check_metric("onnx-int8", "own", metric(1.5, 0.25, 3.0), Gate(max_drop=1.0))
    text = caught.value.render()
    assert "error: own onnx-int8 loses 1.50 points of top1; the limit is 1.00" in text
    assert "source 90.00 %, artifact 88.50 %, over 200 samples" in text
    assert "interval is 0.25 to 3.00" in text
    assert "limit: max_drop of edgekit's defaults" in text


def test_a_gain_passes_a_limit_of_zero():
    check_metric("onnx-int8", "own", metric(-0.5), Gate(max_drop=0.0))


@pytest.mark.parametrize(
    ("snr", "same", "shape", "missed"),
    [
        (10.0, 0.9, (20, 4), None),
        (9.9, 1.0, (20, 4), "signal 9.9 dB; at least 10 dB is wanted"),
        (9.9, 1.0, (20, 4, 4, 2), "signal 9.9 dB; at least 10 dB is wanted"),
        (30.0, 0.89, (20, 4), "same label 89.0%; at least 90% is wanted"),
        (30.0, 0.0, (20, 4, 4, 2), None),  # places have no label
        (30.0, 0.0, (20, 1), None),
        (3.0, 0.5, (20, 4), "at least 10 dB, 90% is wanted"),
    ],
)
def test_without_labels_signal_and_equal_labels_are_the_gate(snr, same, shape, missed):
    parity = Parity(0.1, same, shape[0], snr_db=snr)
    reference = [np.zeros(shape, np.float32)]
    check_likeness("onnx-int8", parity, reference, Gate())  # no limit unless it is set
    if missed is None:
        check_likeness("onnx-int8", parity, reference, UNLABELLED)
        return
    with pytest.raises(GateError) as caught:
        check_likeness("onnx-int8", parity, reference, UNLABELLED)
    assert missed in caught.value.message
    assert "edgekit's defaults" in caught.value.limit
    assert "--allow-drop" in caught.value.hint
