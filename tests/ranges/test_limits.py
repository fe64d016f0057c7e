from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from edgekit.ranges.limits import (
    ASKABLE,
    METHODS,
    MINMAX,
    candidates,
    limits,
    squared_error,
    unmeasured,
)
from edgekit.ranges.observer import Observer

FINITE = st.floats(-(2.0**90), 2.0**90, width=32)
VALUES = hn.arrays(np.float32, st.tuples(st.just(1), st.integers(1, 60)), elements=FINITE)


def observed(values):
    observer = Observer()
    observer.add(np.asarray(values, np.float32).reshape(1, -1))
    return observer


def quantized(values, low, high):
    step = (high - low) / 255
    zero = round(-low / step)
    return (np.clip(np.rint(values / step) + zero, 0, 255) - zero) * step


@settings(max_examples=200, deadline=None)
@given(VALUES, st.sampled_from(METHODS))
def test_limits_contain_zero_and_lie_within_the_extremes(values, method):
    low, high = limits(observed(values), method)
    assert min(float(values.min()), 0.0) <= low <= 0.0 <= high <= max(float(values.max()), 0.0)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_mse_never_errs_more_than_minmax_by_its_own_measure(values):
    observer = observed(values)
    pairs = np.array([limits(observer, method) for method in ("mse", MINMAX)])
    found, widest = squared_error(observer, pairs[:, 0], pairs[:, 1])
    assert found <= widest * (1 + 1e-9)


def test_the_expected_error_is_the_real_one():
    values = np.random.default_rng(0).laplace(size=4000).astype(np.float32)
    observer = observed(values)
    for low, high in ((-8.0, 8.0), (-3.0, 4.0), (-1.0, 1.5), (0.0, 2.0)):
        real = ((quantized(values, low, high) - values) ** 2).sum()
        (expected,) = squared_error(observer, np.array([low]), np.array([high]))
        assert expected == pytest.approx(real, rel=0.1)


def test_mse_clips_a_lone_outlier_and_really_errs_less():
    random = np.random.default_rng(1)
    values = random.normal(size=(100, 4000)).astype(np.float32)
    values[7, 7] = 10.0
    observer = Observer()
    observer.add(values)
    high = limits(observer, "mse")[1]
    real = {
        name: ((quantized(values, *limits(observer, name)) - values) ** 2).sum()
        for name in ("mse", MINMAX)
    }
    assert high < 8
    assert real["mse"] < real[MINMAX]


def test_percentiles_leave_out_what_they_say():
    values = np.random.default_rng(2).normal(size=(50, 4000)).astype(np.float32)
    observer = Observer()
    observer.add(values)
    for share in (99.9, 99.99):
        low, high = limits(observer, f"percentile-{share}")
        wanted = np.percentile(values, [100 - share, share])
        np.testing.assert_allclose([low, high], wanted, atol=2 * (values.max() * 2) / 1024)


def test_too_few_values_for_a_percentile_leave_nothing_out():
    observer = observed(np.linspace(-1, 3, 50))
    assert limits(observer, "percentile-99.9") == limits(observer, MINMAX)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, (0.0, 0.0)), (5.0, (0.0, 5.0)), (-5.0, (-5.0, 0.0))]
)
def test_a_constant_tensor_gets_a_range_from_zero_to_it(method, value, expected):
    low, high = limits(observed([value] * 300), method)
    # It lies on the last step or, with `mse`, where it errs least: within a step.
    np.testing.assert_allclose((low, high), expected, atol=abs(value) / 20)


def test_a_tensor_without_values_gets_no_room():
    assert limits(Observer(), "mse") == (0.0, 0.0)


def test_what_can_be_asked_for_leads_to_methods():
    assert candidates("auto") == METHODS
    assert [candidates(asked)[0] for asked in ASKABLE[1:]] == ["minmax", "percentile-99.9", "mse"]
    assert len(candidates("percentile")) == 3
    assert {unmeasured(asked) for asked in ASKABLE} <= set(METHODS)
    assert unmeasured("auto") == MINMAX
