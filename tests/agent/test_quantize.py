from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.agent.quantize import dequantize, quantize

floats = arrays.arrays(np.float32, 8, elements=st.floats(-1e4, 1e4, width=32))
scales = st.floats(2**-10, 2**4, width=32)
zero_points = st.integers(-128, 127)


@given(floats, scales, zero_points, st.sampled_from(["even", "away"]))
def test_a_value_in_range_comes_back_within_half_a_step(values, scale, zero_point, rounding):
    low = (-128 - zero_point) * scale
    high = (127 - zero_point) * scale
    inside = np.clip(values, low, high).astype(np.float32)
    back = dequantize(quantize(inside, scale, zero_point, "int8", rounding), scale, zero_point)
    assert np.abs(back - inside).max() <= scale * 0.5001


@given(scales, zero_points, st.sampled_from(["even", "away"]))
def test_every_integer_comes_back_as_itself(scale, zero_point, rounding):
    whole = np.arange(-128, 128).astype(np.int8)
    real = dequantize(whole, scale, zero_point)
    assert (quantize(real, scale, zero_point, "int8", rounding) == whole).all()


def test_halves_round_to_even_or_away_from_zero():
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    assert quantize(halves, 1.0, 0, "int8", "even").tolist() == [-2, -2, 0, 0, 2, 2]
    assert quantize(halves, 1.0, 0, "int8", "away").tolist() == [-3, -2, -1, 1, 2, 3]


def test_values_beyond_the_range_saturate():
    wild = np.array([-1e30, -129.0, 128.0, np.inf], np.float32)
    assert quantize(wild, 1.0, 0, "int8", "even").tolist() == [-128, -128, 127, 127]
    assert quantize(wild, 1.0, 128, "uint8", "away").tolist() == [0, 0, 255, 255]


def test_nan_has_no_integer():
    with pytest.raises(ValueError, match="NaN"):
        quantize(np.array([np.nan], np.float32), 1.0, 0, "int8", "even")
