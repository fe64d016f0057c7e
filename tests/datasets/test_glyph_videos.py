"""Glyphs that move: boxes, identities, and what training never shows."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.datasets.glyph_motions import TEST_MOTIONS, TRAINING_MOTIONS
from edgekit.datasets.glyph_stage import FEWEST, MOST, SEEN
from edgekit.datasets.glyph_videos import FRAMES, GlyphScenes, GlyphVideo, stage
from edgekit.detection import box_overlaps
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "uint8", (64, 80, 3), "HWC", resize="letterbox")


@pytest.fixture(scope="module")
def films():
    return [list(GlyphVideo("test", index, 64, 64)) for index in range(6)]


def test_a_frame_is_the_same_whenever_it_is_drawn(films):
    scene = stage("test", 2)
    for time in (50, 3):
        frame = scene.frame(time, 64, 64)
        assert np.array_equal(frame.image, films[2][time].image)
        assert np.array_equal(frame.boxes, films[2][time].boxes)
    assert len(films[2]) == len(GlyphVideo("test", 2, 64, 64)) == FRAMES


def test_a_scene_is_a_frame_of_the_video_of_its_index():
    found = GlyphScenes().read("validation", [5], InputSpec("i", "uint8", (64, 64, 3), "HWC"))
    frames = list(GlyphVideo("validation", 5, 64, 64))
    same = [np.array_equal(found.inputs[0], frame.image) for frame in frames]
    assert same.count(True) == 1
    frame = frames[same.index(True)]
    kept = found.labels[0, :, 0] >= 0
    assert np.allclose(found.labels[0, kept, 1:], frame.boxes)


def test_glyphs_move_smoothly_and_overlap_leave_and_come_back(films):
    overlaps, crossings, returns = [], 0, 0
    for film in films:
        before: dict[int, np.ndarray] = {}
        there: dict[int, list[int]] = {}
        for time, frame in enumerate(film):
            now = dict(zip(frame.identities.tolist(), frame.boxes, strict=True))
            for identity in now.keys() & before.keys():
                pair = now[identity][None], before[identity][None]
                overlaps += box_overlaps(*pair).ravel().tolist()
            for identity in now:
                there.setdefault(identity, []).append(time)
            each = box_overlaps(frame.boxes, frame.boxes)
            crossings += int((np.triu(each, 1) > 0.2).sum())
            before = now
        returns += sum(int((np.diff(times) > 2).any()) for times in there.values())
    assert min(overlaps) > 0.25
    assert np.median(overlaps) > 0.7
    assert crossings > 20
    assert returns >= 3


def test_boxes_are_the_extent_of_what_is_in_the_picture_and_can_be_seen(films):
    for index, film in enumerate(films):
        assert FEWEST <= len(stage("test", index).characters) <= MOST
        for frame in film:
            assert (np.diff(frame.identities) > 0).all()
            assert ((frame.boxes >= 0) & (frame.boxes <= 1)).all()
            assert (frame.boxes[:, 2:] > frame.boxes[:, :2]).all()
            assert ((frame.visible >= SEEN) & (frame.visible <= 1)).all()


def test_what_covers_a_glyph_takes_from_what_is_seen_of_it(films):
    covered, alone = [], []
    for frame in (frame for film in films for frame in film):
        above = np.triu(box_overlaps(frame.boxes, frame.boxes), 1).max(axis=1, initial=0)
        inside = (frame.boxes > 0.05).all(axis=1) & (frame.boxes < 0.95).all(axis=1)
        covered += frame.visible[above > 0.4].tolist()
        alone += frame.visible[(above == 0) & inside].tolist()
    assert min(len(covered), len(alone)) > 20
    assert np.mean(covered) < 0.85
    assert np.mean(alone) > 0.9


def test_the_scene_does_not_depend_on_the_resolution_it_is_drawn_at():
    for index in range(6):
        small, large = (stage("train", index).frame(9, side, side) for side in (64, 128))
        assert np.array_equal(small.identities, large.identities)
        assert np.abs(small.boxes - large.boxes).max(initial=0) <= 2 / 64


def test_no_motion_of_the_test_split_is_ever_trained_on():
    assert not set(TRAINING_MOTIONS) & set(TEST_MOTIONS)


def test_a_drawn_batch_has_rows_for_the_most_glyphs_and_marks_those_that_are_none():
    dataset = open_dataset("glyph-scenes")
    drawn = draw(dataset, "test", 12, [SPEC])
    labels = np.load(drawn.folder / "labels.npy")
    assert labels.shape == (12, MOST, 5)
    assert set(np.unique(labels[..., 0])) == {-1.0, 0.0}
    assert np.load(drawn.folder / "inputs.npy").shape == (12, 64, 80, 3)
    boxes = dataset.boxes("test", 3)
    assert (boxes.shape[1], boxes.dtype) == (5, np.float64)


def test_scenes_share_no_cache_with_glyphs_and_end_somewhere():
    scenes = GlyphScenes()
    assert scenes.fingerprint() != open_dataset("glyphs").fingerprint()
    with pytest.raises(DataError, match="test has no 10000; it has 10,000"):
        scenes.read("test", [10_000], SPEC)
    assert scenes.size("none") == 0
