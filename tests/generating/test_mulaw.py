"""Sound as levels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit.generating.mulaw import LEVELS, compress, expand


def test_every_level_is_its_own_again():
    levels = np.arange(LEVELS)
    assert np.array_equal(compress(expand(levels)), levels)
    assert np.allclose(expand(np.array([0, LEVELS - 1])), [-1, 1])


@given(st.floats(-2, 2))
def test_what_a_level_loses_is_a_share_of_its_loudness(value):
    inside = np.clip(value, -1, 1)
    lost = abs(float(expand(compress(np.array(value)))) - inside)
    assert lost <= 0.022 * abs(inside) + 1e-4
