from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgekit.quantization.explain.signal import MOST_DB, Noise, concordance, decibels

VALUES = st.floats(-100, 100, width=32, allow_subnormal=False)
TENSORS = arrays(np.float32, (6, 4, 3), elements=VALUES)


def figures(real, values):
    noise = Noise()
    noise.add(real, values)
    return noise.figures()


@given(TENSORS, TENSORS, st.integers(1, 5))
def test_chunks_come_to_the_same_figures_as_the_whole(real, values, at):
    parts = Noise()
    for piece in (slice(0, at), slice(at, None)):
        parts.add(real[piece], values[piece])
    whole, summed = figures(real, values), parts.figures()
    assert summed.snr_db == pytest.approx(whole.snr_db, abs=1e-6)
    assert summed.bias_share == pytest.approx(whole.bias_share, abs=1e-6)
    assert summed.noisy == whole.noisy
    assert (summed.bias is None) == (whole.bias is None)
    if whole.bias is not None:
        assert summed.bias == pytest.approx(whole.bias, rel=1e-6, abs=1e-9)


@given(TENSORS, TENSORS)
def test_figures_stay_in_their_bounds(real, values):
    found = figures(real, values)
    assert -MOST_DB <= found.snr_db <= MOST_DB
    assert 0.0 <= found.bias_share <= 1.0
    assert 0 <= found.noisy <= found.channels == 3


@given(TENSORS)
def test_nothing_differs_from_itself(real):
    found = figures(real, real)
    assert found.snr_db == MOST_DB
    assert (found.bias or 0.0, found.bias_share, found.noisy) == (0.0, 0.0, 0)


@given(TENSORS, TENSORS, st.sampled_from([0.125, 2.0, 64.0]))
def test_the_unit_of_the_values_does_not_matter(real, values, factor):
    plain, scaled = figures(real, values), figures(factor * real, factor * values)
    assert scaled.snr_db == pytest.approx(plain.snr_db, abs=1e-6)
    assert scaled.bias_share == pytest.approx(plain.bias_share, abs=1e-9)
    assert scaled.noisy == plain.noisy


def test_an_error_of_a_tenth_is_twenty_decibels():
    real = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    assert figures(real, 1.1 * real).snr_db == pytest.approx(20.0, abs=0.01)


def test_a_constant_error_of_a_channel_is_all_bias_and_named():
    real = np.random.default_rng(0).normal(size=(640, 4)).astype(np.float32)
    shifted = real + np.float32([0, 0, -0.5, 0])
    found = figures(real, shifted)
    assert found.bias_share == pytest.approx(1 / 4 * 4, abs=0.01)
    assert found.worst_channel == 2
    assert found.worst_bias == pytest.approx(-0.5, abs=0.05)
    assert found.bias == pytest.approx(0.25, abs=0.02)


def test_noise_without_a_mean_is_no_bias():
    random = np.random.default_rng(0)
    real = random.normal(size=(20_000, 4)).astype(np.float32)
    found = figures(real, real + random.normal(0, 0.1, real.shape))
    assert found.bias_share < 0.01


def test_small_channels_that_drown_are_counted_though_the_tensor_sounds_clean():
    real = np.random.default_rng(0).normal(size=(640, 4)).astype(np.float32)
    real[:, 0] *= 1000
    step = 8.0
    found = figures(real, np.rint(real / step) * step)
    assert found.snr_db > 40
    assert found.noisy == 3


def test_a_silent_tensor_has_no_spread_and_its_noise_is_the_worst():
    found = figures(np.zeros((4, 2), np.float32), np.ones((4, 2), np.float32))
    assert found.snr_db == -MOST_DB
    assert found.bias is None


@given(TENSORS, TENSORS)
def test_concordance_is_symmetric_and_at_most_one(a, b):
    found = concordance(a, b)
    assert found == pytest.approx(concordance(b, a), abs=1e-9)
    assert -1 - 1e-9 <= found <= 1 + 1e-9


def test_concordance_falls_with_scale_and_shift_where_correlation_does_not():
    a = np.random.default_rng(0).normal(size=500)
    assert concordance(a, a) == pytest.approx(1.0)
    assert concordance(a, 2 * a) < 0.9
    assert concordance(a, a + 1) < 0.9
    assert concordance(a, -a) == pytest.approx(-1.0, abs=0.1)


def test_decibels_of_tiny_powers_do_not_divide_by_zero():
    assert decibels(1e-300, 1e-320) == MOST_DB
    assert decibels(0.0, 1e-320) == -MOST_DB
