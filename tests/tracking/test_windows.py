"""Parts of a picture around boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.tracking.windows import cut_out, out_of, scaled, within

RAMP = np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] * 2, (48, 64, 3))
sides = st.tuples(*[st.floats(-50, 50)] * 2, *[st.floats(1, 80)] * 2)


@given(sides, sides)
def test_a_box_within_a_window_comes_out_where_it_was(one, other):
    box, window = (np.array([x, y, x + w, y + h]) for x, y, w, h in (one, other))
    assert np.allclose(out_of(within(box, window), window), box, atol=1e-9)
    assert np.allclose(within(window, window), [0, 0, 1, 1])


def test_a_box_is_scaled_about_its_centre():
    assert scaled([10, 20, 30, 60], 2.0).tolist() == [0, 0, 40, 80]
    assert scaled(np.zeros((3, 4)), 2.0).shape == (3, 4)


def test_a_box_of_whole_pixels_at_its_own_size_is_nearly_the_picture():
    found = cut_out(RAMP, np.array([8, 4, 40, 36]), 32)
    assert np.abs(found.astype(int) - RAMP[4:36, 8:40]).max() <= 1


@pytest.mark.parametrize("size", [8, 16, 32])
def test_whatever_the_size_the_same_part_is_shown(size):
    found = cut_out(RAMP, np.array([16.0, 8.0, 48.0, 40.0]), size).astype(float)
    centres = 2 * (16 + 32 * (np.arange(size) + 0.5) / size - 0.5)
    assert np.abs(found - centres[None, :, None]).max() <= 1.01


def test_beyond_the_edge_the_edge_goes_on():
    found = cut_out(RAMP, np.array([-64, -48, -8, -4]), 8)
    assert (found == 0).all()
    assert (cut_out(RAMP, np.array([100, 0, 120, 20]), 8) == 126).all()
