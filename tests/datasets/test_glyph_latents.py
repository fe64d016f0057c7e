"""Points to make pictures from, and pictures as they should look."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("z", "float32", (24,), range=(-4.0, 4.0))


def test_points_are_standard_normal_and_the_same_whenever_they_are_read():
    dataset = open_dataset("glyph-latents")
    found = dataset.read("test", range(200), SPEC)
    assert found.inputs.dtype == np.float32
    assert abs(found.inputs.mean()) < 0.05
    assert found.inputs.std() == pytest.approx(1, abs=0.05)
    again = dataset.read("test", [7], SPEC)
    assert np.array_equal(again.inputs[0], found.inputs[7])
    assert not np.array_equal(dataset.read("train", [7], SPEC).inputs, again.inputs)


def test_a_picture_is_what_the_glyph_of_its_scene_covers_in_light_on_black():
    found = open_dataset("glyph-latents").read("train", [5, 71], SPEC)
    for row, index in enumerate((5, 71)):
        mask = open_dataset("glyphs").scene("train", index, 32, 32).mask
        assert np.array_equal(np.rint(found.labels[row, ..., 0] * 255), mask)
    drawn = draw(open_dataset("glyph-latents"), "test", 3, [SPEC])
    assert np.load(drawn.folder / "labels.npy").shape == (3, 32, 32, 1)


def test_a_picture_is_no_point_to_begin_with():
    with pytest.raises(DataError, match="takes uint8, not float32 points"):
        open_dataset("glyph-latents").read("test", [0], InputSpec("image", "uint8", (8, 8, 3)))
