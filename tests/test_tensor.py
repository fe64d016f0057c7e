from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.errors import DeviceError
from edgekit.tensor import TensorInfo, affine_grid, dequantize, quantize

FLOATS = arrays.arrays(np.float32, 8, elements=st.floats(-1e4, 1e4, width=32))
SCALES = st.floats(2**-10, 2**4, width=32)
ZERO_POINTS = st.integers(-128, 127)
NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)
KINDS = st.sampled_from(["int8", "uint8"])


@given(FLOATS, SCALES, ZERO_POINTS)
def test_a_value_in_range_comes_back_within_half_a_step(values, scale, zero_point):
    low = (-128 - zero_point) * scale
    high = (127 - zero_point) * scale
    inside = np.clip(values, low, high).astype(np.float32)
    back = dequantize(quantize(inside, scale, zero_point, "int8"), scale, zero_point)
    assert np.abs(back - inside).max() <= scale * 0.5001


@given(SCALES, ZERO_POINTS)
def test_every_integer_comes_back_as_itself(scale, zero_point):
    whole = np.arange(-128, 128).astype(np.int8)
    real = dequantize(whole, scale, zero_point)
    assert (quantize(real, scale, zero_point, "int8") == whole).all()


def test_halves_round_to_even():
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    assert quantize(halves, 1.0, 0, "int8").tolist() == [-2, -2, 0, 0, 2, 2]


def test_values_beyond_the_range_saturate():
    wild = np.array([-1e30, -129.0, 128.0, np.inf], np.float32)
    assert quantize(wild, 1.0, 0, "int8").tolist() == [-128, -128, 127, 127]
    assert quantize(wild, 1.0, 128, "uint8").tolist() == [0, 0, 255, 255]


def test_nan_has_no_integer():
    with pytest.raises(ValueError, match="NaN"):
        quantize(np.array([np.nan], np.float32), 1.0, 0, "int8")


@given(NUMBERS, NUMBERS, KINDS)
def test_zero_has_an_integer_of_its_own_and_comes_back_exactly(a, b, dtype):
    scale, zero = affine_grid((min(a, b), max(a, b)), dtype)
    limits = np.iinfo(dtype)
    assert scale > 0
    assert limits.min <= zero <= limits.max
    assert dequantize(quantize(np.zeros(1), scale, zero, dtype), scale, zero) == 0.0


@given(NUMBERS, NUMBERS, st.floats(0, 1), KINDS)
def test_a_grid_covers_its_range_to_a_step(a, b, share, dtype):
    low, high = min(a, b), max(a, b)
    value = np.float32(low + share * (high - low))
    scale, zero = affine_grid((low, high), dtype)
    if scale < 1e-30:  # below that float32 has no digits left to be exact with
        return
    back = dequantize(quantize(np.array([value]), scale, zero, dtype), scale, zero)[0]
    assert abs(float(back) - float(value)) <= 1.001 * scale


def test_bytes_need_no_arithmetic():
    assert affine_grid((0.0, 255.0), "uint8") == (1.0, 0)
    assert affine_grid((0.0, 255.0), "int8") == (1.0, -128)


def test_a_constant_zero_has_a_step_that_can_be_divided_by():
    assert affine_grid((0.0, 0.0), "uint8") == (1.0, 0)


def test_a_tensor_comes_back_from_json_as_it_was():
    tensor = TensorInfo("image", "int8", (-1, 8, 8, 3), 0.5, -128)
    assert TensorInfo.from_json(tensor.to_json(), DeviceError) == tensor


@pytest.mark.parametrize(
    "change", [{"scale": 0}, {"shape": [-2]}, {"dtype": 8}, {"name": None}, {"extra": 1}]
)
def test_a_malformed_tensor_is_refused(change):
    data = TensorInfo("image", "int8", (1, 3), 0.5, 0).to_json()
    with pytest.raises(DeviceError, match=next(iter(change))):
        TensorInfo.from_json({**data, **change}, DeviceError)
