"""Trackers, on boxes whose ways are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.tracking import TRACKERS, DeepSort, Nearest, Sort

SIDE = 40.0


def box(x, y, side=SIDE):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def looks(directions):
    """An appearance that gives each box of the frame the vector of its thing."""
    return lambda boxes: np.asarray(directions, float)


def follow(tracker, frames, appearances=None):
    """Identities and boxes of every frame; frames are lists of boxes."""
    given = appearances or [None] * len(frames)
    answers = []
    for boxes, appearance in zip(frames, given, strict=True):
        array = np.array(boxes, float).reshape(-1, 4)
        answers.append(tracker.update(array, np.full(len(array), 0.9), appearance))
    return answers


@pytest.mark.parametrize("name", TRACKERS)
def test_two_things_that_move_steadily_keep_their_identities(name):
    frames = [[box(20 + 5 * t, 50), box(300 - 4 * t, 200)] for t in range(30)]
    same = [looks([[1, 0], [0, 1]])] * 30
    answers = follow(TRACKERS[name](), frames, same)
    for boxes, tracks in list(zip(frames, answers, strict=True))[3:]:
        assert tracks.identities.tolist() == [1, 2]
        assert np.abs(tracks.boxes - np.array(boxes)).max() < 4
        assert tracks.scores.tolist() == [0.9, 0.9]


@pytest.mark.parametrize("name", TRACKERS)
def test_the_order_of_boxes_in_a_frame_changes_nothing(name):
    rng = np.random.default_rng(0)
    frames = [[box(20 + 5 * t, 50), box(300 - 4 * t, 200), box(60, 300 - t)] for t in range(15)]
    vectors = np.eye(3)
    straight = follow(TRACKERS[name](), frames, [looks(vectors)] * 15)
    orders = [np.arange(3)] + [rng.permutation(3) for _ in range(14)]
    shuffled = follow(
        TRACKERS[name](),
        [[frame[i] for i in order] for frame, order in zip(frames, orders, strict=True)],
        [looks(vectors[order]) for order in orders],
    )
    for one, other in zip(straight, shuffled, strict=True):
        assert np.array_equal(one.identities, other.identities)
        assert np.allclose(one.boxes, other.boxes)


@pytest.mark.parametrize("kind", [Nearest, DeepSort])
def test_what_is_seen_once_is_not_believed(kind):
    frames = [[box(50, 50)], [], [box(200, 200)], [], []]
    answers = follow(kind(), frames, [looks(np.ones((len(f), 2))) for f in frames])
    assert all(len(tracks) == 0 for tracks in answers)


def test_sort_shows_all_in_the_first_frames_and_then_whom_it_saw_often_enough():
    frames = [[box(50 + 2 * t, 50)] for t in range(8)]
    for t in range(5, 8):
        frames[t].append(box(200, 200))
    answers = follow(Sort(needed=3), frames)
    assert [tracks.identities.tolist() for tracks in answers] == [[1]] * 7 + [[1, 2]]


def crossing():
    """Two things meet, are seen as one for six frames, and go on, each its way."""
    left = [box(50 + 6 * t, 100) for t in range(40)]
    right = [box(290 - 6 * t, 104) for t in range(40)]
    hidden = range(17, 24)
    frames = [[a] if t in hidden else [a, b] for t, (a, b) in enumerate(zip(left, right))]  # noqa: B905
    vectors = [[[1, 0]] if t in hidden else [[1, 0], [0, 1]] for t in range(40)]
    return frames, [looks(v) for v in vectors]


def test_deepsort_knows_a_thing_again_that_was_hidden_and_sort_does_not():
    frames, appearances = crossing()
    known = follow(DeepSort(), frames, appearances)
    assert known[10].identities.tolist() == known[-1].identities.tolist() == [1, 2]
    forgotten = follow(Sort(), frames)
    assert forgotten[10].identities.tolist() == [1, 2]
    assert forgotten[-1].identities.max() > 2


def test_deepsort_takes_no_box_that_looks_otherwise_once_a_thing_was_missed():
    frames = [[box(100, 100)]] * 5 + [[]] * 3 + [[box(100, 100)]] * 5
    vectors = [[[1, 0]]] * 5 + [np.zeros((0, 2))] * 3 + [[[0, 1]]] * 5
    answers = follow(DeepSort(), frames, [looks(v) for v in vectors])
    assert answers[4].identities.tolist() == [1]
    assert answers[-1].identities.tolist() == [2]
    alike = follow(DeepSort(), frames, [looks(np.ones((len(f), 2))) for f in frames])
    assert alike[-1].identities.tolist() == [1]


def test_deepsort_prefers_the_track_that_was_seen_last():
    # Both look alike; the box lies where the missed one was, and within the other's gate, too.
    frames = [[box(100, 100), box(112, 100)]] * 6 + [[box(100, 100)]] * 3 + [[box(106, 100)]]
    alike = [looks(np.ones((len(f), 2))) for f in frames]
    answers = follow(DeepSort(), frames, alike)
    assert answers[7].identities.tolist() == answers[-1].identities.tolist()
    assert len(answers[-1]) == 1


@pytest.mark.parametrize(("name", "lives"), [("kalman", 5), ("sort", 1), ("deepsort", 30)])
def test_a_track_lives_for_so_many_frames_without_a_box_and_no_longer(name, lives):
    for missing, survives in ((lives, True), (lives + 1, False)):
        frames = [[box(100, 100)]] * 6 + [[]] * missing + [[box(100, 100)]] * 4
        seen = [looks(np.ones((len(f), 2))) for f in frames]
        answers = follow(TRACKERS[name](), frames, seen)
        assert (answers[-1].identities.tolist() == [1]) is survives, missing


@pytest.mark.parametrize("name", TRACKERS)
def test_frames_without_boxes_are_frames(name):
    tracker = TRACKERS[name]()
    tracks = follow(tracker, [[], [], []], [looks(np.zeros((0, 2)))] * 3)[-1]
    assert (tracks.identities.shape, tracks.boxes.shape, len(tracks)) == ((0,), (0, 4), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([[5.0, 5.0, 5.0, 9.0]]),
        np.array([[0.0, 0.0, np.nan, 9.0]]),
        np.array([[0.0, 0.0, 1.0]]),
    ],
)
def test_a_box_that_cannot_be_is_refused(wrong):
    with pytest.raises(DataError):
        Sort().update(wrong, np.ones(1))


def test_deepsort_asks_for_what_boxes_look_like():
    with pytest.raises(DataError, match="needs to know what boxes look like"):
        DeepSort().update(np.array([box(9, 9)]), np.ones(1))
