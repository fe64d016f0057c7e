"""Glyphs in two ways, not in pairs."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "uint8", (32, 32, 3), "HWC")
BOTH = ("glyph-printing", "glyph-lifting")


def test_ink_is_dark_and_its_ground_light_where_the_plain_glyph_is_light_and_black():
    dataset = open_dataset("glyph-printing")
    for index in range(8):
        plain = dataset.plain("test", index, 32, 32).astype(float).mean(axis=2)
        printed = dataset.printed("test", index, 32, 32).astype(float).mean(axis=2)
        assert printed[plain > 250].max() < 60
        assert printed[plain == 0].min() > 110


@pytest.mark.parametrize("name", BOTH)
def test_a_label_is_another_glyph_in_the_other_way(name):
    dataset = open_dataset(name)
    other = open_dataset(BOTH[1 - BOTH.index(name)])
    found = dataset.read("train", [3, 4], SPEC)
    last = dataset.size("train") - 1
    turned = other.read("train", [last - 3, last - 4], SPEC)
    assert np.array_equal(np.rint(found.labels * 255), turned.inputs)
    assert np.array_equal(np.rint(turned.labels * 255), found.inputs)
    drawn = draw(dataset, "test", 3, [SPEC])
    assert np.load(drawn.folder / "labels.npy").shape == (3, 32, 32, 3)


def test_the_two_never_share_a_cache():
    assert open_dataset(BOTH[0]).fingerprint() != open_dataset(BOTH[1]).fingerprint()
