"""Crops of drawn videos for trackers of one thing, and what a faulty detector says of one."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.datasets.glyph_crops import EXAMPLES, PER_VIDEO, GlyphCandidates, GlyphPairs
from edgekit.datasets.glyph_detections import VALUES, GlyphDetections
from edgekit.detection import box_overlaps
from edgekit.errors import DataError
from edgekit.metrics import score
from edgekit.spec import InputSpec
from edgekit.tracking.windows import cut_out, out_of, scaled

PREVIOUS, SEARCH = (InputSpec(name, "uint8", (32, 32, 3), "HWC") for name in ("previous", "search"))
CROP = InputSpec("crop", "uint8", (24, 24, 3), "HWC")
STEPS = InputSpec("detections", "float32", (6, VALUES))


def test_both_inputs_of_a_pair_are_of_one_thing_and_the_label_is_its_box_in_the_search_region():
    pairs = GlyphPairs()
    previous, search = (pairs.read("train", range(24), spec) for spec in (PREVIOUS, SEARCH))
    assert np.array_equal(previous.labels, search.labels)
    for index in range(24):
        pair = pairs.pair("train", index)
        now = pair.now.boxes[np.isclose(pair.now.boxes * 96, pair.boxes[1]).all(axis=1)]
        assert len(now) >= 1
        assert np.allclose(out_of(search.labels[index], pair.window), pair.boxes[1], atol=1e-4)
        assert np.array_equal(search.inputs[index], cut_out(pair.now.image, pair.window, 32))
        around = scaled(pair.boxes[0], 2.0)
        assert np.array_equal(previous.inputs[index], cut_out(pair.before.image, around, 32))


def test_a_thing_is_mostly_near_the_middle_of_the_search_region_and_at_least_half_in_it():
    labels = GlyphPairs().read("train", range(200), SEARCH).labels
    centre = (labels[:, :2] + labels[:, 2:]) / 2
    assert ((centre >= -1e-5) & (centre <= 1 + 1e-5)).all()
    assert np.abs(np.median(centre, axis=0) - 0.5).max() < 0.06
    assert 0.05 < np.abs(centre - 0.5).mean() < 0.2


def test_pairs_are_drawn_for_both_inputs_at_once_and_the_same_in_any_order():
    drawn = draw(open_dataset("glyph-pairs"), "test", 12, [PREVIOUS, SEARCH])
    assert np.load(drawn.folder / "labels.npy").shape == (12, 4)
    found = drawn.read([PREVIOUS, SEARCH])
    assert {name: array.shape for name, array in found.items()} == {
        "previous": (12, 32, 32, 3),
        "search": (12, 32, 32, 3),
    }
    one = GlyphPairs().read("test", [7], SEARCH)
    many = GlyphPairs().read("test", [9, 3, 7], SEARCH)
    assert np.array_equal(one.inputs[0], many.inputs[2])
    assert np.array_equal(one.labels[0], many.labels[2])


def test_pairs_feed_only_their_two_inputs_and_squares():
    with pytest.raises(DataError, match="feeds squares to previous and search"):
        GlyphPairs().read("train", [0], InputSpec("image", "uint8", (32, 32, 3), "HWC"))
    with pytest.raises(DataError, match="feeds squares to previous and search"):
        GlyphPairs().read("train", [0], InputSpec("search", "uint8", (32, 16, 3), "HWC"))


def test_candidates_of_a_video_are_examples_first_and_every_second_one_shows_the_target():
    labels = GlyphCandidates().read("validation", range(2 * PER_VIDEO), CROP).labels
    assert labels[:, 0].tolist() == [0] * PER_VIDEO + [1] * PER_VIDEO
    for video in (labels[:PER_VIDEO], labels[PER_VIDEO:]):
        assert np.flatnonzero(video[:, 1]).tolist() == list(range(EXAMPLES))
        assert video[:, 2].sum() == PER_VIDEO / 2


def test_crops_of_the_target_look_more_alike_than_others():
    found = GlyphCandidates().read("train", range(8 * PER_VIDEO), CROP)
    apart = {True: [], False: []}
    for video in range(8):
        here = found.labels[:, 0] == video
        pixels = found.inputs[here].reshape(PER_VIDEO, -1).astype(float)
        shows = found.labels[here, 2] > 0
        middle = pixels[shows].mean(axis=0)
        for one, own in zip(pixels, shows, strict=True):
            apart[bool(own)].append(np.abs(one - middle).mean())
    assert np.mean(apart[True]) < 0.8 * np.mean(apart[False])


def test_candidates_are_whole_videos_and_squares():
    candidates = GlyphCandidates()
    assert candidates.size("test") % PER_VIDEO == 0
    assert list(candidates.choose("test", 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(DataError, match="feeds squares"):
        candidates.read("test", [0], InputSpec("crop", "uint8", (8, 16, 3), "HWC"))


def test_detections_lie_where_the_thing_is_but_are_off_missed_or_of_another():
    found = GlyphDetections().read("train", range(640), STEPS)
    last = found.inputs[:, -1]
    seen = last[:, 4] > 0
    assert (last[~seen] == 0).all()
    assert 0.7 < seen.mean() < 0.9
    each = [
        float(box_overlaps(box[None, :4].astype(float), label[None].astype(float))[0, 0])
        for box, label in zip(last[seen], found.labels[seen], strict=True)
    ]
    assert 0.6 < np.median(each) < 0.9
    assert 0.01 < np.mean(np.array(each) < 0.1) < 0.12
    assert ((found.inputs >= 0) & (found.inputs <= 1)).all()


def test_what_was_detected_before_tells_more_than_the_last_frame_alone():
    found = GlyphDetections().read("train", range(320), STEPS)
    last = found.inputs[:, -1, :4]
    known = last.copy()
    for step in reversed(range(STEPS.shape[0])):
        unknown = (known == 0).all(axis=1)
        known[unknown] = found.inputs[unknown, step, :4]
    alone, with_memory = (score("box_iou", [b], found.labels).value for b in (last, known))
    assert with_memory > alone + 5


@pytest.mark.parametrize("shape", [(6, 7), (25, VALUES), (VALUES,)])
def test_detections_have_eight_values_and_no_more_steps_than_a_video_gives(shape):
    with pytest.raises(DataError, match=r"feeds \[steps, 8\]"):
        GlyphDetections().read("train", [0], InputSpec("detections", "float32", shape))


@pytest.mark.parametrize("name", ["glyph-pairs", "glyph-candidates", "glyph-detections"])
def test_each_is_a_data_set_of_its_own_with_labels_and_without_classes(name):
    dataset = open_dataset(name)
    assert dataset.fingerprint() != open_dataset("glyph-scenes").fingerprint()
    assert (dataset.task, dataset.classes) == ("object-tracking", ())
    assert dataset.is_labelled("train")
    assert dataset.labels("train") is None
