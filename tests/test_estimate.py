"""Trimmed means and their errors, against scipy's and by simulation."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgekit.estimate import Estimate, student, trimmed_mean

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40)


@given(VALUES)
def test_the_trimmed_mean_is_scipys(values):
    assert trimmed_mean(values).value == pytest.approx(stats.trim_mean(values, 0.2), abs=1e-9)


@given(VALUES, st.floats(-10, 10), st.floats(0.1, 10))
def test_it_moves_and_stretches_with_the_values(values, shift, scale):
    plain = trimmed_mean(values)
    moved = trimmed_mean([shift + scale * value for value in values])
    assert moved.value == pytest.approx(shift + scale * plain.value, abs=1e-6)
    assert moved.error == pytest.approx(scale * plain.error, abs=1e-6)


def test_without_trimming_it_is_the_mean_with_its_usual_error():
    values = [1.0, 2.0, 4.0, 8.0]
    found = trimmed_mean(values, share=0.0)
    assert found.value == 3.75
    assert found.error == pytest.approx(stats.sem(values))
    assert found.freedom == 3


def test_one_wild_value_does_not_move_it():
    values = [1.0, 1.1, 0.9, 1.05, 0.95]
    wild = trimmed_mean([*values[:-1], 1e9])
    assert wild.value == pytest.approx(1.05, abs=0.06)
    assert wild.error < 0.2


def test_its_interval_covers_the_truth_as_often_as_it_says():
    chance = random.Random(0)
    covered = 0
    for _ in range(2000):
        values = [chance.gauss(0, 1) * (5 if chance.random() < 0.1 else 1) for _ in range(9)]
        low, high = trimmed_mean(values).interval()
        covered += low <= 0 <= high
    # One value in ten is five times as wild: 93.9 % with this seed.
    assert 0.93 <= covered / 2000 <= 0.97


def test_the_quantile_is_students():
    assert student(0.975, 6) == pytest.approx(2.446912, abs=1e-6)
    assert student(0.5, 3) == pytest.approx(0.0, abs=1e-12)


def test_more_power_needs_a_larger_difference():
    estimate = Estimate(0.0, 0.01, 8)
    assert estimate.detectable(0.9) > estimate.detectable(0.5) > 0.01
    assert math.isclose(estimate.detectable(0.5), estimate.interval()[1])


def test_a_single_value_has_no_error():
    with pytest.raises(ValueError, match="have no error"):
        trimmed_mean([1.0])
