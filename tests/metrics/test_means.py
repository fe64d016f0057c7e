"""Means over samples of one number each, in their own units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.errors import ArtifactError, DataError
from edgekit.metrics import METRICS, MetricValue, score
from edgekit.metrics.differences import differ
from edgekit.metrics.means import bits

RANDOM = np.random.default_rng(3)


def _logits(answers: np.ndarray, classes: int, sure: float = 5.0) -> np.ndarray:
    return sure * np.eye(classes, dtype=np.float32)[answers]


def test_right_steps_are_averaged_by_sample_and_uncounted_steps_do_not_count():
    labels = np.array([[0, 1, -1, -1], [2, 2, 2, 2]])
    answers = np.array([[0, 0, 1, 1], [2, 2, 2, 2]])
    found = score("step_top1", [_logits(answers, 3)], labels)
    assert found.value == pytest.approx((50 + 100) / 2)
    assert found.unit == "points"


def test_a_sample_is_exact_only_where_every_step_that_counts_is_right():
    labels = np.array([[0, 1, -1], [2, 2, 2], [1, 1, 1]])
    answers = np.array([[0, 1, 2], [2, 2, 0], [1, 1, 1]])
    assert score("exact", [_logits(answers, 3)], labels).value == pytest.approx(100 * 2 / 3)


def test_bits_are_the_logarithm_of_what_the_right_class_was_given():
    logits = np.log(np.array([[[0.5, 0.25, 0.25]], [[0.125, 0.75, 0.125]]], np.float32))
    found = score("bits", [logits], np.array([[0], [2]]))
    assert found.value == pytest.approx((1 + 3) / 2, abs=1e-5)
    assert found.unit == "bits"


def test_bits_of_more_samples_than_are_judged_at_once_are_those_of_each():
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(70, 3, 5)), random.integers(-1, 5, (70, 3))
    labels[:, 0] = 0
    each = [bits(logits[at : at + 1], labels[at : at + 1])[0] for at in range(70)]
    assert np.allclose(bits(logits, labels), each)


def test_more_bits_are_a_drop_and_worse():
    labels = RANDOM.integers(0, 4, (200, 6))
    sure, unsure = (_logits(labels, 4, by) for by in (4.0, 1.0))
    found = score("bits", [unsure], labels, [sure])
    assert found.drop == pytest.approx(found.value - found.reference)
    assert found.drop > 0
    assert found.drop_ci95[0] <= found.drop <= found.drop_ci95[1]
    metric = METRICS["bits"]
    pair = differ(metric, metric.judge([sure], labels), metric.judge([unsure], labels), margin=0.01)
    assert pair.verdict == "worse"
    assert pair.lost == 200


def test_decibels_of_a_picture_follow_its_mean_squared_error():
    labels = np.zeros((3, 4, 4, 1), np.float32)
    outputs = np.full((3, 4, 4, 1), 0.1, np.float32)
    assert score("psnr", [outputs], labels).value == pytest.approx(20.0, abs=1e-3)
    assert score("psnr", [labels], labels).value == pytest.approx(100.0)


@pytest.mark.parametrize("name", ["bits", "psnr", "step_top1"])
def test_a_figure_with_a_unit_survives_its_json(name):
    labels = RANDOM.integers(0, 4, (40, 6))
    outputs = RANDOM.normal(size=(40, 6, 4)).astype(np.float32)
    if name == "psnr":
        labels, outputs = RANDOM.random((40, 8)), RANDOM.random((40, 8))
    found = score(name, [outputs], labels, [outputs + 0.01 * RANDOM.normal(size=outputs.shape)])
    again = MetricValue.from_json(found.to_json())
    assert again.scale == METRICS[name].scale
    assert again.value == pytest.approx(found.value, abs=1e-4)


def test_an_unknown_unit_and_a_drop_of_the_wrong_sign_are_refused():
    labels = RANDOM.integers(0, 4, (40, 6))
    good = score("bits", [_logits(labels, 4)], labels, [_logits(labels, 4, 1.0)]).to_json()
    with pytest.raises(ArtifactError, match="unit"):
        MetricValue.from_json({**good, "unit": "furlongs"})
    with pytest.raises(ArtifactError, match="value − reference"):
        MetricValue.from_json({**good, "drop": -good["drop"], "drop_ci95": None})


def test_labels_without_any_step_that_counts_have_no_figure():
    with pytest.raises(DataError, match="no sample counts"):
        score("step_top1", [np.zeros((2, 3, 4))], np.full((2, 3), -1))


def test_marks_of_something_else_are_refused():
    for marks in (np.ones(3, bool), np.ones((3, 2)), np.array([1.0, np.nan])):
        with pytest.raises(ArtifactError):
            METRICS["bits"].recall(marks, np.zeros((3, 2), int))


@given(arrays.arrays(np.float64, st.integers(2, 40), elements=st.floats(-3, 3)))
def test_the_interval_holds_the_figure_and_equal_models_do_not_differ(values):
    metric = METRICS["psnr"]
    judged = metric.judge([np.abs(values)[:, None]], np.zeros((len(values), 1)))
    value, (low, high) = metric.figure(judged)
    assert low <= value <= high
    gap = metric.gap(judged, judged)
    assert gap.ci95 == (0.0, 0.0)
    assert metric.p_value(judged, judged) == 1.0
