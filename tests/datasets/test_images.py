from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets.images import fit_pixels
from edgekit.spec import InputSpec

LEVELS = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)  # [256, 1, 3]


@given(low=st.floats(-1000, 999), width=st.floats(0.01, 2000))
def test_black_and_white_become_the_ends_of_the_range_and_order_is_kept(low, width):
    spec = InputSpec("x", "float32", (256, 1, 3), "HWC", (low, low + width))
    values = fit_pixels(LEVELS, spec)
    assert values.dtype == np.float32
    assert values[0, 0, 0] == np.float32(low)
    assert np.isclose(values[-1, 0, 0], low + width, rtol=1e-6)
    assert (np.diff(values[:, 0, 0]) >= 0).all()


def test_bytes_for_a_byte_input_are_untouched():
    spec = InputSpec("x", "uint8", (256, 1, 3), "HWC")
    assert fit_pixels(LEVELS, spec) is LEVELS


def test_int8_is_bytes_less_128():
    spec = InputSpec("x", "int8", (256, 1, 3), "HWC", (-128.0, 127.0))
    assert np.array_equal(fit_pixels(LEVELS, spec), LEVELS.astype(int) - 128)


@pytest.mark.parametrize(("rgb", "grey"), [((255, 0, 0), 76), ((0, 255, 0), 150), ((9, 9, 9), 9)])
def test_one_channel_is_luma(rgb, grey):
    spec = InputSpec("x", "uint8", (1, 1, 1), "HWC")
    assert fit_pixels(np.array([[rgb]], np.uint8), spec).tolist() == [[[grey]]]
