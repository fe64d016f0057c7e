"""Shapes of glyphs for models that make pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.datasets.glyph_samples import TIMES
from edgekit.errors import DataError
from edgekit.generating.diffusion import kept_signal
from edgekit.spec import InputSpec

LEVELS = InputSpec("picture", "uint8", (16, 12, 1), range=(0, 3))
NOISY = InputSpec("noisy", "float32", (16, 16, 1), range=(-4, 4))
TIME = InputSpec("time", "int32", (), range=(0, 255))
INDICES = [5, 0, 71]


def test_levels_are_the_mask_in_four_steps_and_their_own_labels():
    found = open_dataset("glyph-levels").read("test", INDICES, LEVELS)
    assert found.inputs.dtype == np.uint8
    assert found.inputs.shape == (3, 16, 12, 1)
    assert np.array_equal(found.inputs[..., 0], found.labels)
    for row, index in enumerate(INDICES):
        mask = open_dataset("glyphs").scene("test", index, 16, 12).mask
        assert (np.abs(found.labels[row] * 85.0 - mask) <= 43).all()
    assert set(np.unique(found.labels)) == {0, 1, 2, 3}


def test_a_picture_of_three_channels_is_refused():
    spec = InputSpec("picture", "uint8", (16, 16, 3), "HWC")
    with pytest.raises(DataError, match="not pictures of one channel"):
        open_dataset("glyph-levels").read("test", [0], spec)


def test_the_mask_comes_back_from_the_mixture_its_time_and_its_noise():
    dataset = open_dataset("glyph-diffusion")
    noisy, time = (dataset.read("train", INDICES, spec) for spec in (NOISY, TIME))
    assert time.inputs.shape == (3,)
    share = kept_signal(TIMES)[time.inputs].reshape(-1, 1, 1, 1)
    found = (noisy.inputs - np.sqrt(1 - share) * noisy.labels) / np.sqrt(share)
    for row, index in enumerate(INDICES):
        mask = open_dataset("glyphs").scene("train", index, 16, 16).mask[..., None]
        assert np.allclose(found[row], mask / 127.5 - 1, atol=1e-3)


def test_times_and_noises_differ_by_sample_and_split_and_are_the_same_when_read_again():
    dataset = open_dataset("glyph-diffusion")
    times = dataset.read("train", range(500), TIME).inputs
    assert times.min() < 10
    assert times.max() > TIMES - 10
    one = dataset.read("train", [3], NOISY)
    assert np.array_equal(dataset.read("train", [1, 3], NOISY).labels[1], one.labels[0])
    assert not np.array_equal(dataset.read("test", [3], NOISY).labels, one.labels)
    assert abs(dataset.read("train", range(50), NOISY).labels.std() - 1) < 0.05


def test_a_draw_holds_both_inputs_and_the_noise():
    drawn = draw(open_dataset("glyph-diffusion"), "test", 4, [NOISY, TIME])
    arrays = drawn.read([NOISY, TIME])
    assert arrays["noisy"].shape == (4, 16, 16, 1)
    assert arrays["time"].shape == (4,)
    assert np.load(drawn.folder / "labels.npy").shape == (4, 16, 16, 1)


def test_no_two_of_them_share_a_cache():
    names = ("glyph-levels", "glyph-diffusion", "glyph-pictures", "glyphs")
    assert len({open_dataset(name).fingerprint() for name in names}) == 4
