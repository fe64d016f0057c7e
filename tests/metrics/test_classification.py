from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.errors import UsageError
from edgekit.metrics import score, top1_hits, top5_hits

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(5, 9)),
    elements=st.floats(-9, 9, width=32),
)


def one_hot(labels, classes=4):
    return np.eye(classes, dtype=np.float32)[labels]


def test_accuracy_is_in_points_with_the_drop_against_the_reference():
    labels = np.array([0, 1, 2, 3] * 25)
    wrong = labels.copy()
    wrong[:2] = (labels[:2] + 1) % 4
    value = score("top1", [one_hot(wrong)], labels, [one_hot(labels)])
    assert (value.samples, value.value, value.reference, value.drop) == (100, 98.0, 100.0, 2.0)
    assert value.ci95[0] < 98 < value.ci95[1]
    assert value.drop_ci95[0] < 2 < value.drop_ci95[1]


def test_the_drop_is_paired_so_equal_answers_have_a_narrower_interval_than_equal_scores():
    labels = np.zeros(200, dtype=np.int64)
    first, second = np.zeros(200, dtype=np.int64), np.zeros(200, dtype=np.int64)
    first[:20] = 1
    second[-20:] = 1
    same = score("top1", [one_hot(first)], labels, [one_hot(first)])
    other = score("top1", [one_hot(first)], labels, [one_hot(second)])
    assert same.drop == other.drop == 0
    width = [value.drop_ci95[1] - value.drop_ci95[0] for value in (same, other)]
    assert width[0] < width[1] / 3


def test_without_a_reference_there_is_no_drop():
    value = score("top1", [one_hot([1])], np.array([1]))
    assert (value.reference, value.drop, value.drop_ci95) == (None, None, None)
    assert json.loads(json.dumps(value.to_json()))["ci95"] == list(value.to_json()["ci95"])


def test_equal_logits_rank_in_index_order():
    assert top5_hits(np.zeros((6, 9)), np.arange(6)).tolist() == [True] * 5 + [False]


def test_int8_logits_are_ranked_without_overflow():
    logits = np.array([[-128, 127, 0, 1, 2, 3]], dtype=np.int8)
    assert top5_hits(logits, np.array([1])).all()
    assert not top5_hits(logits, np.array([0])).any()


def test_outputs_with_extra_axes_are_flattened():
    assert top1_hits(np.array([[[[0.0, 1.0]]]]), np.array([1])).all()


@given(logits=LOGITS, seed=st.integers(0, 99))
def test_the_order_of_samples_does_not_matter_and_top5_is_never_below_top1(logits, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, logits.shape[1], len(logits))
    order = random.permutation(len(logits))
    for name in ("top1", "top5"):
        assert score(name, [logits], labels) == score(name, [logits[order]], labels[order])
    assert not (top1_hits(logits, labels) & ~top5_hits(logits, labels)).any()


def test_an_unknown_metric_gets_a_suggestion():
    with pytest.raises(UsageError, match="unknown metric 'top2'"):
        score("top2", [one_hot([0])], np.array([0]))
