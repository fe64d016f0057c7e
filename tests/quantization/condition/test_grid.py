from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgekit.quantization.condition.grid import codes, on_grid, steps

sizes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4))
kernels = sizes.flatmap(
    lambda shape: arrays(
        np.float32, shape, elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
    )
)


@given(kernels, st.sampled_from([(2,), (0,), (1, 2)]))
def test_a_rounded_kernel_has_the_same_numbers_again_and_the_same_step(kernel, axes):
    rounded = on_grid(kernel, axes)
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(codes(rounded, axes), codes(kernel, axes))
    np.testing.assert_allclose(steps(rounded, axes), steps(kernel, axes), rtol=2e-7)


@given(kernels)
def test_no_value_moves_further_than_half_a_step_of_its_channel(kernel):
    moved = np.abs(on_grid(kernel, (2,)).astype(np.float64) - kernel)
    assert (moved <= steps(kernel, (2,)) * 0.5001 + 1e-34).all()


@given(kernels)
def test_each_channel_uses_the_whole_range_or_is_zero(kernel):
    peaks = np.abs(codes(kernel, (2,)).astype(int)).max((0, 1))
    assert set(peaks.tolist()) <= {0, 127}


def test_a_dead_channel_stays_zero_and_does_not_spoil_the_others():
    kernel = np.array([[0.0, 1.0, 1e-41], [0.0, -0.5, -1e-41]], np.float32)
    rounded = on_grid(kernel, (1,))
    assert np.isfinite(rounded).all()
    assert (rounded[:, 0] == 0).all()
    assert (rounded[:, 2] == 0).all()
    np.testing.assert_allclose(rounded[:, 1], [1.0, -0.5], atol=1 / 254)
