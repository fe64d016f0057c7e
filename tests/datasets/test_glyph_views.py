"""The drawn glyphs under other labels."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "uint8", (24, 20, 3), "HWC", resize="bilinear")
INDICES = [5, 0, 71]
VIEWS = ("glyph-masks", "glyph-pictures", "glyph-denoising")


def test_a_mask_marks_the_pixels_that_the_glyph_covers():
    glyphs, masks = open_dataset("glyphs"), open_dataset("glyph-masks")
    found = masks.read("test", INDICES, SPEC)
    assert found.labels.shape == (3, 24, 20)
    for row, index in enumerate(INDICES):
        scene = glyphs.scene("test", index, 24, 20)
        assert np.array_equal(found.inputs[row], scene.image)
        assert np.array_equal(found.labels[row] == 1, scene.mask >= 128)
    assert 0.03 < found.labels.mean() < 0.6


def test_the_picture_itself_is_wanted_again():
    found = open_dataset("glyph-pictures").read("train", INDICES, SPEC)
    assert found.labels.dtype == np.float32
    assert np.array_equal(np.rint(found.labels * 255), found.inputs)


def test_what_is_wanted_of_a_noisy_picture_is_the_one_without_noise():
    noisy = open_dataset("glyph-denoising").read("train", INDICES, SPEC)
    clean = open_dataset("glyph-pictures").read("train", INDICES, SPEC)
    assert np.array_equal(noisy.labels, clean.labels)
    apart = noisy.inputs.astype(float) - clean.inputs
    inside = (clean.inputs > 100) & (clean.inputs < 155)
    assert 30 < apart[inside].std() < 50
    again = open_dataset("glyph-denoising").read("train", INDICES[1:2], SPEC)
    assert np.array_equal(again.inputs[0], noisy.inputs[1])
    other = open_dataset("glyph-denoising").read("test", INDICES[1:2], SPEC)
    assert not np.array_equal(other.inputs[0], noisy.inputs[1])


@pytest.mark.parametrize("name", VIEWS)
def test_a_draw_holds_labels_of_the_size_of_the_input(name):
    dataset = open_dataset(name)
    drawn = draw(dataset, "test", 5, [SPEC])
    labels = np.load(drawn.folder / "labels.npy")
    assert labels.shape == (5, *dataset.label_shape_for(SPEC))
    assert labels.shape[1:3] == (24, 20)
    assert labels.dtype == dataset.label_dtype


def test_views_and_glyphs_never_share_a_cache():
    assert len({open_dataset(name).fingerprint() for name in (*VIEWS, "glyphs")}) == 4
