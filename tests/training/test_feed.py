from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import open_dataset
from edgekit.datasets.glyphs import Glyphs
from edgekit.errors import DataError
from edgekit.spec import InputSpec
from edgekit.training.feed import Feed, epoch_order

RGB32 = InputSpec("image", "uint8", (32, 32, 3), "HWC")


@given(
    size=st.integers(1, 40), samples=st.integers(1, 60), laps=st.integers(1, 3), seed=st.integers(0)
)
def test_every_sample_is_seen_once_before_any_is_seen_again(size, samples, laps, seed):
    seed %= 2**64
    epochs = -(-size * laps // samples)
    order = np.concatenate([epoch_order(size, e, samples, seed) for e in range(epochs)])
    for lap in range(laps):
        assert sorted(order[lap * size : (lap + 1) * size]) == list(range(size))


def test_an_epoch_is_the_same_whether_or_not_those_before_it_were_asked_for():
    assert np.array_equal(epoch_order(1000, 7, 300, 5), epoch_order(1000, 7, 300, 5))
    assert not np.array_equal(epoch_order(1000, 7, 300, 5), epoch_order(1000, 7, 300, 6))


def test_batches_hold_the_samples_of_the_order_in_that_order(tmp_path):
    order = epoch_order(36_000, 0, 100, 1)
    with Feed(Glyphs(), RGB32, 16, scratch=tmp_path) as feed:
        for _ in range(2):  # a feed serves many epochs
            got = [(x.copy(), y.copy()) for x, y in feed.batches(order)]
            wanted = Glyphs().read("train", order[:96].tolist(), RGB32)
            assert np.array_equal(np.concatenate([x for x, _ in got]), wanted.inputs)
            assert np.array_equal(np.concatenate([y for _, y in got]), wanted.labels)


def test_a_feed_left_in_the_middle_many_times_still_serves_the_next_order(tmp_path):
    with Feed(Glyphs(), RGB32, 8, scratch=tmp_path) as feed:
        for epoch in range(12):
            left = feed.batches(epoch_order(1000, epoch, 80, 1))
            next(left)
            left.close()
        assert sum(1 for _ in feed.batches(epoch_order(1000, 1, 80, 1))) == 10


def test_a_sample_that_cannot_be_read_stops_the_feed_with_its_error(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.full((20, 4), np.nan), y=np.arange(20) % 2)
    dataset = open_dataset(tmp_path / "data.npz")
    (tmp_path / "slots").mkdir()
    spec = InputSpec("x", "float64", (4,))
    with (
        Feed(dataset, spec, 4, scratch=tmp_path / "slots") as feed,
        pytest.raises(DataError, match="NaN or infinite"),
    ):
        list(feed.batches(np.arange(8)))
