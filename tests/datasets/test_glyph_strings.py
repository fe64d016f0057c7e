from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "uint8", (32, 96, 3), "HWC", resize="bilinear")


def test_labels_spell_what_is_drawn_and_are_blank_behind_it():
    strings = open_dataset("glyph-strings")
    found = strings.read("train", range(40), SPEC)
    assert found.inputs.shape == (40, 32, 96, 3)
    blank = strings.classes.index("blank")
    lengths = set()
    for index, label in enumerate(found.labels):
        _, text = strings.line("train", index, 32, 96)
        assert "".join(strings.classes[at] for at in label[: len(text)]) == text
        assert (label[len(text) :] == blank).all()
        lengths.add(len(text))
    assert lengths == {3, 4, 5}
    assert not set("IOQ") & set(strings.classes)


def test_a_picture_follows_from_split_and_index_alone_and_shows_ink():
    strings = open_dataset("glyph-strings")
    some = strings.read("test", [7, 3], SPEC).inputs
    assert np.array_equal(strings.read("test", [3], SPEC).inputs[0], some[1])
    assert not np.array_equal(strings.read("train", [3], SPEC).inputs[0], some[1])
    assert all(np.ptp(picture.astype(float).mean(axis=2)) > 40 for picture in some)
    with pytest.raises(DataError, match="validation has no 10000"):
        strings.read("validation", [10_000], SPEC)


def test_a_draw_holds_a_label_for_every_place():
    drawn = draw(open_dataset("glyph-strings"), "test", 4, [SPEC])
    labels = np.load(drawn.folder / "labels.npy")
    assert (labels.shape, labels.dtype) == ((4, 5), np.int64)
