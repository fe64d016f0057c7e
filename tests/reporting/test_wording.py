from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.reporting import wording
from edgekit.reporting.facts import Reading


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (Reading(0.63241, 0.6102, 0.6551, 7), "0.632 ms [0.610, 0.655]"),
        (Reading(1234.5, 1200, 1270, 9), "1,234 ms [1,200, 1,270]"),
        (Reading(0.63241, 0.6102, 0.6551, 5), "0.632 ms range [0.610, 0.655]"),
        (Reading(2.0, 2.0, 2.0, 7), "2.000 ms [2.000, 2.000]"),
        (None, "not measured"),
    ],
)
def test_a_figure_has_as_many_digits_as_its_interval_carries(reading, text):
    assert wording.reading(reading, "ms") == text


@given(st.floats(1e-6, 1e6), st.floats(0, 0.5), st.floats(0, 0.5))
def test_what_is_printed_lies_within_a_tenth_of_the_interval(value, below, above):
    low, high = value * (1 - below), value * (1 + above)
    shown, _ = wording.shown(value, low, high)
    step = 10.0 ** -wording.decimals(low, high, value)
    assert math.isclose(float(shown.replace(",", "")), value, abs_tol=step)


def test_names_are_clipped_with_a_sign_that_they_are():
    assert wording.clipped("abcdef", 6) == "abcdef"
    assert wording.clipped("abcdefg", 6) == "abcde…"
