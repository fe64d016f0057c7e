"""Figures of tracks, counted by hand."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from edgekit.errors import MissingExtraError
from edgekit.tracking.judging import Seen, judge

A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [80, 80, 90, 90]


def seen(truth, found):
    """Frames from {identity: box} of what is there and of what a tracker says."""
    return Seen(
        np.array(list(truth), np.int64),
        np.array(list(truth.values()), float).reshape(-1, 4),
        np.array(list(found), np.int64),
        np.array(list(found.values()), float).reshape(-1, 4),
    )


def test_perfect_tracks_have_all_points_whatever_their_numbers():
    video = [seen({0: A, 1: B}, {7: A, 3: B})] * 10
    for figures in judge([video]):
        assert (figures.mota, figures.idf1, figures.switches) == (100.0, 100.0, 0)
        assert (figures.objects, figures.frames, figures.identities) == (20, 10, 2)
        assert (figures.mostly_tracked, figures.mostly_lost) == (2, 0)


def test_misses_false_positives_and_switches_are_parts_of_all_objects():
    video = [
        *[seen({0: A, 1: B}, {1: A, 2: B})] * 4,
        seen({0: A, 1: B}, {1: A}),  # a miss
        seen({0: A, 1: B}, {1: A, 2: B, 5: FAR}),  # a false positive
        *[seen({0: A, 1: B}, {1: B, 2: A})] * 4,  # two switches
    ]
    figures = judge([video])[0]
    assert (figures.misses, figures.false_positives, figures.switches) == (1, 1, 2)
    assert figures.fragmentations == 1
    assert figures.mota == pytest.approx(100 * (1 - 4 / 20))
    # Over the whole video 11 boxes have the identity that fits best: 2 · 11 / (20 + 20).
    assert figures.idf1 == pytest.approx(100 * 22 / 40)


def test_a_box_that_overlaps_by_less_than_half_found_nothing():
    for shift, found in ((3.0, True), (4.0, False)):  # IoU 7/13 and 6/14
        video = [seen({0: A}, {1: [shift, 0, shift + 10, 10]})] * 3
        assert (judge([video])[0].misses == 0) is found


def test_all_videos_together_are_counted_as_one_and_identities_never_mix():
    good = [seen({0: A}, {1: A})] * 3
    bad = [seen({0: A}, {})] * 9
    one, two, both = judge([good, bad])
    assert (one.mota, two.mota, both.mota) == (100.0, 0.0, 25.0)
    assert (both.objects, both.frames, both.identities) == (12, 12, 2)
    assert both.switches == 0


def test_without_motmetrics_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("edgekit.tracking.judging.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="motmetrics") as caught:
        judge([[seen({0: A}, {1: A})]])
    assert "track" in str(caught.value.hint)
