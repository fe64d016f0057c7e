from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("clip", "uint8", (8, 32, 32, 1))


def centres(clip):
    """Where the glyph is in each frame: [frames, 2], x and y in pixels; by what changes in time."""
    values = clip[..., 0].astype(float)
    still = np.median(values, axis=0)
    apart = np.abs(values - still)
    apart[apart < 40] = 0
    y, x = np.mgrid[: values.shape[1], : values.shape[2]]
    total = np.maximum(apart.sum(axis=(1, 2)), 1e-9)
    return np.stack([(apart * x).sum((1, 2)) / total, (apart * y).sum((1, 2)) / total], axis=1)


def test_a_clip_is_drawn_from_its_index_alone_and_its_class_from_the_index_too():
    clips = open_dataset("glyph-clips")
    some = clips.read("train", [4, 9, 17], SPEC)
    assert some.inputs.shape == (3, 8, 32, 32, 1)
    assert some.labels.tolist() == [4, 0, 8]
    assert np.array_equal(clips.read("train", [9], SPEC).inputs[0], some.inputs[1])
    assert not np.array_equal(clips.read("test", [9], SPEC).inputs[0], some.inputs[1])
    assert clips.labels("test")[[4, 9, 17]].tolist() == [4, 0, 8]


@pytest.mark.parametrize(
    ("kind", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)]
)
def test_what_goes_somewhere_ends_there(kind, axis, sign):
    clips = open_dataset("glyph-clips")
    number = clips.classes.index(kind)
    spec = InputSpec("clip", "uint8", (8, 96, 96, 1))
    moved = []
    for clip in clips.read("train", [number + 9 * n for n in range(12)], spec).inputs:
        where = centres(clip)
        moved.append((where[-1] - where[0])[axis] * sign)
    assert np.median(moved) > 8


def test_what_is_still_differs_by_grain_only():
    clips = open_dataset("glyph-clips")
    still, moving = (
        np.mean(
            [
                np.ptp(clip.astype(float), axis=0).max()
                for clip in clips.read("train", [kind + 9 * n for n in range(12)], SPEC).inputs
            ]
        )
        for kind in (clips.classes.index("still"), clips.classes.index("right"))
    )
    assert still < moving / 1.5


def test_an_input_that_is_no_clip_and_an_index_beyond_the_split_are_refused():
    clips = open_dataset("glyph-clips")
    with pytest.raises(DataError, match=r"takes uint8 \[32, 32, 3\]") as caught:
        clips.read("train", [0], InputSpec("image", "uint8", (32, 32, 3), "HWC"))
    assert "[frames, height, width, 1]" in caught.value.hint
    with pytest.raises(DataError, match="test has no 9000"):
        clips.read("test", [9000], SPEC)
