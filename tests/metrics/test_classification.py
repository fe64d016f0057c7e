from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.errors import DataError, UsageError
from edgekit.metrics import METRICS, judges_vectors, score, top1_hits, top5_hits

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


def test_in_scope_leaves_out_the_last_class_and_out_of_scope_recall_is_of_it_alone():
    labels = np.array([0, 0, 1, 1, 3, 3, 3])
    answers = np.array([0, 3, 1, 2, 3, 3, 0])
    inside = score("in_scope", [one_hot(answers)], labels, [one_hot(labels)])
    outside = score("oos_recall", [one_hot(answers)], labels, [one_hot(labels)])
    assert (inside.samples, inside.value, inside.drop) == (4, 50.0, 50.0)
    assert (outside.samples, round(outside.value, 2)) == (3, 66.67)
    with pytest.raises(DataError, match="no sample counts for it"):
        score("oos_recall", [one_hot(answers)], np.zeros(7, np.int64))


def f1_by_the_book(labels, answers):
    """Mean over classes of 2 precision × recall / (precision + recall)."""
    figures = []
    for kind in sorted({*labels.tolist(), *answers.tolist()}):
        right = ((labels == kind) & (answers == kind)).sum()
        precision = right / max(1, (answers == kind).sum())
        recall = right / max(1, (labels == kind).sum())
        figures.append(2 * precision * recall / (precision + recall) if right else 0.0)
    return 100 * np.mean(figures)


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40))
def test_f1_is_the_mean_over_classes_and_its_drop_the_difference(rows):
    labels, answers, before = np.array(rows).T
    value = score("f1", [one_hot(answers)], labels, [one_hot(before)])
    assert value.value == pytest.approx(f1_by_the_book(labels, answers))
    assert value.reference == pytest.approx(f1_by_the_book(labels, before))
    assert value.drop == pytest.approx(value.reference - value.value)
    assert 0 <= value.ci95[0] <= value.ci95[1] <= 100 + 1e-9


def test_the_interval_of_f1_repeats_and_narrows_with_samples():
    random = np.random.default_rng(5)
    labels = random.integers(0, 4, 4000)
    answers = np.where(random.random(4000) < 0.8, labels, (labels + 1) % 4)
    few = score("f1", [one_hot(answers[:200])], labels[:200])
    many = score("f1", [one_hot(answers)], labels)
    assert many == score("f1", [one_hot(answers)], labels)
    assert many.ci95[0] < many.value < many.ci95[1]
    # The standard error of a share of 80 % over 4,000 samples is 0.63 points.
    assert 1.5 < many.ci95[1] - many.ci95[0] < 4
    assert few.ci95[1] - few.ci95[0] > 2 * (many.ci95[1] - many.ci95[0])


def test_the_drop_of_f1_is_paired():
    random = np.random.default_rng(6)
    labels = random.integers(0, 4, 500)
    answers = np.where(random.random(500) < 0.7, labels, (labels + 1) % 4)
    same = score("f1", [one_hot(answers)], labels, [one_hot(answers)])
    # That no answer of 500 differs does not say that none of the next would.
    assert (same.drop, same.drop_ci95) == (0.0, pytest.approx((-0.55, 0.55), abs=0.01))
    answers[:50] = (answers[:50] + 1) % 4
    other = score("f1", [one_hot(answers)], labels, [one_hot(labels)])
    assert other.drop_ci95[1] - other.drop_ci95[0] < 1.1 * (other.ci95[1] - other.ci95[0])


def test_rank1_asks_whether_the_most_alike_other_sample_is_of_the_same_class():
    vectors = np.array([[1, 0], [5, 1], [0, 1], [1, 9], [-1, 0], [-3, 0.1]], float)
    # Lengths don't count; the last two look alike and are of different classes.
    hits = METRICS["rank1"].judge([vectors], np.array([0, 0, 1, 1, 2, 0])).marks
    assert hits.tolist() == [True, True, True, True, False, False]
    alone = METRICS["rank1"].judge([np.zeros((2, 3))], np.array([4, 4]))
    assert alone.marks.tolist() == [True, True]
    assert judges_vectors("rank1")
    assert not judges_vectors("top1")
