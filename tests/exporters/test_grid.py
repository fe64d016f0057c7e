from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit.agent.quantize import dequantize, quantize
from edgekit.exporters.grid import affine_grid

NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)


@given(NUMBERS, NUMBERS, st.sampled_from(["int8", "uint8"]))
def test_zero_has_an_integer_of_its_own_and_comes_back_exactly(a, b, dtype):
    scale, zero = affine_grid((min(a, b), max(a, b)), dtype)
    limits = np.iinfo(dtype)
    assert scale > 0
    assert limits.min <= zero <= limits.max
    stored = quantize(np.zeros(1), scale, zero, dtype, "even")
    assert dequantize(stored, scale, zero) == 0.0


@given(NUMBERS, NUMBERS, st.floats(0, 1), st.sampled_from(["int8", "uint8"]))
def test_a_value_in_range_comes_back_within_a_step(a, b, share, dtype):
    low, high = min(a, b), max(a, b)
    value = np.float32(low + share * (high - low))
    scale, zero = affine_grid((low, high), dtype)
    if scale < 1e-30:  # below that float32 has no digits left to be exact with
        return
    back = dequantize(quantize(np.array([value]), scale, zero, dtype, "even"), scale, zero)[0]
    assert abs(float(back) - float(value)) <= 1.001 * scale


def test_bytes_need_no_arithmetic():
    assert affine_grid((0.0, 255.0), "uint8") == (1.0, 0)
    assert affine_grid((0.0, 255.0), "int8") == (1.0, -128)


def test_a_constant_zero_has_a_step_that_can_be_divided_by():
    assert affine_grid((0.0, 0.0), "uint8") == (1.0, 0)
