"""Logistic regression of few vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.fitting import fit_two_classes, scores


def _clouds(count: int, rest: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    wanted = np.arange(count + rest) < count
    middle = np.where(wanted[:, None], 1.0, -1.0) * np.array([2.0, 0.0, -1.0])
    return middle + random.standard_normal((count + rest, 3)), wanted


def test_what_it_was_fitted_to_and_more_of_the_same_is_told_apart():
    weights = fit_two_classes(*_clouds(40, 40))
    vectors, wanted = _clouds(500, 500, seed=1)
    assert ((scores(vectors, weights) > 0) == wanted).mean() > 0.97


def test_the_rare_class_counts_as_much_as_the_frequent_one():
    vectors, wanted = _clouds(8, 800)
    right = (scores(vectors, fit_two_classes(vectors, wanted)) > 0) == wanted
    assert right[wanted].mean() > 0.85
    assert right[~wanted].mean() > 0.85


def test_the_gradient_is_zero_at_the_end():
    vectors, wanted = _clouds(30, 50)
    weights = fit_two_classes(vectors, wanted)
    for place in range(len(weights)):
        moved = []
        for by in (-1e-3, 1e-3):
            other = weights.copy()
            other[place] += by
            moved.append(_loss(vectors, wanted, other))
        assert (moved[1] - moved[0]) / 2e-3 == pytest.approx(0, abs=1e-5)


def _loss(vectors: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> float:
    found = scores(vectors, weights)
    each = np.logaddexp(0, np.where(wanted, -found, found))
    unit = (vectors**2).mean()
    ridge = 0.02 * unit * (weights[:-1] ** 2).sum() + 1e-6 * weights[-1] ** 2
    return (each[wanted].mean() + each[~wanted].mean() + ridge) / 2


@given(st.floats(1e-3, 1e3))
def test_scaling_the_vectors_changes_no_answer(by):
    vectors, wanted = _clouds(20, 20)
    plain, large = (scores(v, fit_two_classes(v, wanted)) for v in (vectors, by * vectors))
    assert np.allclose(plain, large, rtol=1e-6, atol=1e-6)


def test_vectors_that_are_all_alike_have_an_answer():
    assert np.isfinite(fit_two_classes(np.zeros((6, 4)), np.arange(6) < 2)).all()
