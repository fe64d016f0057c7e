from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.statistics import median, median_interval, paired_difference, quantile, wilson

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("successes", "samples", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes, samples, low, high):
    assert wilson(successes, samples) == pytest.approx((low, high), abs=5e-5)


@given(samples=st.integers(1, 10_000), data=st.data())
def test_a_wilson_interval_holds_its_proportion_and_mirrors(samples, data):
    successes = data.draw(st.integers(0, samples))
    low, high = wilson(successes, samples)
    assert 0 <= low <= successes / samples <= high <= 1
    assert wilson(samples - successes, samples) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize(("successes", "samples"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_proportion_is_refused(successes, samples):
    with pytest.raises(ValueError, match="is not a proportion"):
        wilson(successes, samples)


@pytest.mark.parametrize("samples", [30, 200, 2000])
def test_wilson_covers_95_percent_on_average_over_all_proportions(samples):
    intervals = np.array([wilson(k, samples) for k in range(samples + 1)])
    k = np.arange(samples + 1)
    log_choose = np.array(
        [math.lgamma(samples + 1) - math.lgamma(i + 1) - math.lgamma(samples - i + 1) for i in k]
    )
    coverages = []
    for p in np.linspace(0.02, 0.98, 97):
        pmf = np.exp(log_choose + k * np.log(p) + (samples - k) * np.log1p(-p))
        coverages.append(pmf[(intervals[:, 0] <= p) & (p <= intervals[:, 1])].sum())
    assert np.mean(coverages) == pytest.approx(0.95, abs=0.01)
    assert min(coverages) > 0.90


@pytest.mark.parametrize(("first", "second"), [(0.02, 0.02), (0.05, 0.01), (0.1, 0.1), (0.3, 0.1)])
def test_the_paired_interval_covers_at_least_94_percent(first, second):
    n = 60
    rest = 1 - first - second
    covered = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            low, high = paired_difference(b, c, n)
            if low <= first - second <= high:
                covered += math.exp(
                    math.lgamma(n + 1)
                    - math.lgamma(b + 1)
                    - math.lgamma(c + 1)
                    - math.lgamma(n - b - c + 1)
                    + b * math.log(first)
                    + c * math.log(second)
                    + (n - b - c) * math.log(rest)
                )
    assert covered > 0.94


@given(samples=st.integers(1, 5000), data=st.data())
def test_a_paired_interval_holds_no_difference_for_equal_counts_and_mirrors(samples, data):
    first = data.draw(st.integers(0, samples))
    second = data.draw(st.integers(0, samples - first))
    low, high = paired_difference(first, second, samples)
    assert -1 <= low <= high <= 1
    assert paired_difference(second, first, samples) == pytest.approx((-high, -low))
    if first == second:
        assert low <= 0 <= high


def test_impossible_pairs_are_refused():
    for pairs in [(1, 1, 1), (-1, 0, 5), (0, 0, 0)]:
        with pytest.raises(ValueError, match="not discordant pairs"):
            paired_difference(*pairs)


@pytest.mark.parametrize(
    ("samples", "low", "high"),
    # Ranks of the 95 % interval, Conover, table A3 and any table of the sign test.
    [
        (6, 1, 6),
        (8, 1, 8),
        (9, 2, 8),
        (10, 2, 9),
        (15, 4, 12),
        (20, 6, 15),
        (25, 8, 18),
        (50, 18, 33),
    ],
)
def test_the_median_interval_takes_the_published_ranks(samples, low, high):
    assert median_interval([float(n) for n in range(samples, 0, -1)]) == (low, high)


def test_with_fewer_than_six_values_the_median_interval_is_the_range():
    assert median_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert median_interval([7.0]) == (7.0, 7.0)


@given(values=NUMBERS)
def test_a_median_interval_holds_the_median(values):
    low, high = median_interval(values)
    assert low <= median(values) <= high
    assert {low, high} <= set(values)


@given(values=NUMBERS, q=st.floats(0, 1))
def test_medians_and_quantiles_are_numpys(values, q):
    assert median(values) == pytest.approx(float(np.median(values)), abs=1e-6)
    assert quantile(values, q) == pytest.approx(float(np.quantile(values, q)), abs=1e-6)


@pytest.mark.parametrize(
    "function", [median, median_interval, lambda values: quantile(values, 0.5)]
)
def test_no_values_are_refused(function):
    with pytest.raises(ValueError, match="no values"):
        function([])
