"""Mean intersection over union, against its definition written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.metrics import METRICS, score

METRIC = METRICS["miou"]


def _scores(answers: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[answers]


def _by_definition(answers: np.ndarray, labels: np.ndarray, classes: int) -> float:
    shares = []
    for kind in range(classes):
        there = labels >= 0
        common = ((answers == kind) & (labels == kind)).sum()
        either = (((answers == kind) & there) | (labels == kind)).sum()
        if either:
            shares.append(common / either)
    return 100 * float(np.mean(shares))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 5))
def test_the_figure_is_the_one_of_the_definition(seed, count, classes):
    random = np.random.default_rng(seed)
    labels = random.integers(-1, classes, (count, 5, 4))
    labels[0, 0, 0] = 0
    answers = random.integers(0, classes, (count, 5, 4))
    found = score("miou", [_scores(answers, classes)], labels)
    assert found.value == pytest.approx(_by_definition(answers, labels, classes))
    assert found.ci95[0] <= found.value <= found.ci95[1]


def test_a_worse_answer_drops_with_an_interval_above_zero_and_a_small_p():
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, (60, 8, 8))
    flipped = np.where(random.random(labels.shape) < 0.2, (labels + 1) % 3, labels)
    good, bad = (_scores(answers, 3) for answers in (labels, flipped))
    found = score("miou", [bad], labels, [good])
    assert found.reference == 100.0
    assert 0 < found.drop_ci95[0] <= found.drop <= found.drop_ci95[1]
    judged = METRIC.judge([good], labels), METRIC.judge([bad], labels)
    assert METRIC.p_value(*judged) < 0.001
    assert METRIC.p_value(judged[0], judged[0]) == 1.0
