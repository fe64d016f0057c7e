"""The noise schedule, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.generating.diffusion import denoise, kept_signal, mixed

TIMES = 64


def generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def test_the_picture_goes_and_noise_comes():
    kept = kept_signal(TIMES)
    assert kept.shape == (TIMES,)
    assert (np.diff(kept) < 0).all()
    assert kept[0] > 0.98
    assert 0 < kept[-1] < 0.01
    with pytest.raises(ValueError, match="at least two"):
        kept_signal(1)


def test_a_mixture_keeps_the_variance_of_one():
    random = generator()
    pictures, noise = random.standard_normal((2, 5000, 4, 4, 1))
    share = kept_signal(5000)
    found = mixed(pictures, noise, share)
    assert found[share > 0.5].var() == pytest.approx(1, abs=0.05)
    assert found[share < 0.5].var() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("steps", [1, 7, TIMES])
def test_whoever_tells_the_noise_of_a_known_picture_is_led_to_it(steps):
    picture = np.linspace(-1, 1, 16).reshape(1, 4, 4, 1)
    kept = kept_signal(TIMES)
    asked = []

    def ask(arrays):
        noisy, times = arrays
        asked.append(int(times[0]))
        assert (times == times[0]).all()
        share = kept[times[0]]
        return [(noisy - np.sqrt(share) * picture) / np.sqrt(1 - share)]

    found = denoise(ask, shape=(4, 4, 1), times=TIMES, steps=steps, count=3, random=generator())
    assert np.allclose(found, picture, atol=1e-9)
    assert len(asked) == steps
    assert asked[0] == TIMES - 1
    assert asked == sorted(set(asked), reverse=True)


def test_more_steps_than_times_are_refused():
    with pytest.raises(ValueError, match="65 steps of 64 times"):
        denoise(list, shape=(2,), times=TIMES, steps=TIMES + 1, count=1, random=generator())
