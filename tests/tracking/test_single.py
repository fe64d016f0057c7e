"""One thing followed from its first box, by networks whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import DataError, UsageError
from edgekit.tracking import Learned, Regressed, one_pass

SIDE, SIZE = 96, 16


def film(frames: int = 18, hidden: tuple[int, ...] = ()) -> tuple[list[np.ndarray], np.ndarray]:
    """A red square that moves over grey past a green one, and its boxes."""
    random = np.random.default_rng(0)
    images, boxes = [], []
    for time in range(frames):
        image = random.integers(110, 130, (SIDE, SIDE, 3)).astype(np.uint8)
        image[30:46, 60:76] = (20, 200, 20)
        left, top = 10 + 3 * time, 40 + time // 3
        if time in hidden:
            boxes.append([np.nan] * 4)
        else:
            image[top : top + 16, left : left + 16] = (200, 20, 20)
            boxes.append([left, top, left + 16, top + 16])
        images.append(image)
    return images, np.array(boxes, float)


def red_extent(_previous: np.ndarray, search: np.ndarray) -> np.ndarray:
    """The box of what is red, as a perfect network would give it."""
    red = (search[..., 0] > 150) & (search[..., 1] < 80)
    if not red.any():
        return np.zeros(4)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    ends = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    return np.array(ends) / len(search)


def pattern(crops: np.ndarray) -> np.ndarray:
    """The crop itself, 4 × 4."""
    means = crops.reshape(len(crops), 4, 4, 4, 4, 3).mean(axis=(2, 4))
    return means.reshape(len(crops), -1) / 255 - 0.5


FOLLOWERS = {
    "regressed": lambda: Regressed(red_extent, 32),
    "learned": lambda: Learned(pattern, 16, candidates=48),
}


@pytest.mark.parametrize("name", FOLLOWERS)
def test_a_thing_is_followed_past_another_one(name):
    overlaps = one_pass(FOLLOWERS[name](), *film())
    assert overlaps[0] == 1
    assert overlaps.min() > 0.35
    assert overlaps.mean() > 0.55


@pytest.mark.parametrize("name", FOLLOWERS)
def test_a_thing_that_is_hidden_for_a_moment_is_found_again(name):
    images, boxes = film(hidden=(10, 11))
    overlaps = one_pass(FOLLOWERS[name](), images, boxes)
    assert np.isnan(overlaps[[10, 11]]).all()
    assert np.nanmean(overlaps[12:]) > 0.5


@pytest.mark.parametrize("name", FOLLOWERS)
def test_the_same_frames_give_the_same_boxes_each_time(name):
    follower = FOLLOWERS[name]()
    first, second = (one_pass(follower, *film(8)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_network_that_gives_nonsense_leaves_the_box_where_it_was():
    images, boxes = film(4)
    for answer in (np.full(4, np.nan), np.zeros(4), np.array([50.0, 50.0, 51.0, 51.0])):
        follower = Regressed(lambda *_, answer=answer: answer, 32)
        follower.begin(images[0], boxes[0])
        assert np.array_equal(follower.follow(images[1]), boxes[0])


def test_the_classifier_goes_on_learning_what_the_thing_looks_like():
    images, boxes = film()
    for time, image in enumerate(images):  # it turns from red to blue
        left, top, right, bottom = boxes[time].astype(int)
        share = time / 17
        image[top:bottom, left:right] = (200 - 180 * share, 20, 20 + 180 * share)
    learning = one_pass(Learned(pattern, 16, candidates=48, every=2), images, boxes)[12:]
    fixed = one_pass(Learned(pattern, 16, candidates=48, every=1000, kept=1), images, boxes)[12:]
    assert learning.mean() > 0.5
    assert learning.mean() >= fixed.mean()


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [0, 0, np.nan, 4], [1, 2, 3]])
def test_a_first_box_without_area_is_refused(box):
    for make in FOLLOWERS.values():
        with pytest.raises(DataError, match="left, top, right and bottom"):
            make().begin(film(1)[0][0], np.array(box, float))


def test_a_first_box_outside_of_the_frame_and_a_missing_first_frame_are_refused():
    image = film(1)[0][0]
    for make in FOLLOWERS.values():
        with pytest.raises(DataError, match="outside of the frame"):
            make().begin(image, np.array([-9.0, 0, 0, 4]))
        with pytest.raises(UsageError, match="follow before begin"):
            make().follow(image)
