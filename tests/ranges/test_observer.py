from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from edgekit.ranges.observer import BINS, MOST_VALUES, Observer

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = hn.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 12)), elements=FINITE)
CHUNKS = st.lists(ROWS, min_size=1, max_size=5)


def observed(chunks):
    observer = Observer()
    for chunk in chunks:
        observer.add(chunk)
    return observer


def same(a, b):
    assert (a.low, a.high, a.count, a.zeros) == (b.low, b.high, b.count, b.zeros)
    for one, other in zip(a.histogram(), b.histogram(), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=150, deadline=None)
@given(CHUNKS, st.randoms())
def test_order_and_pieces_make_no_difference(chunks, random):
    shuffled = list(chunks)
    random.shuffle(shuffled)
    merged = Observer()
    for chunk in shuffled:
        merged.merge(observed([chunk]))
    same(observed(chunks), observed(shuffled))
    same(observed(chunks), merged)


@settings(max_examples=150, deadline=None)
@given(CHUNKS)
def test_every_value_is_counted_once_and_extremes_are_exact(chunks):
    observer = observed(chunks)
    values = np.concatenate([chunk.ravel() for chunk in chunks])
    _, counts = observer.histogram()
    assert counts.sum() + observer.zeros == observer.count == values.size
    assert (observer.low, observer.high) == (values.min(), values.max())
    assert len(counts) <= BINS


def test_memory_does_not_grow_with_samples_nor_with_outliers():
    observer = Observer()
    random = np.random.default_rng(0)
    for size in range(200):
        observer.add(random.normal(size=(4, 300)).astype(np.float32) * 1.2**size)
    assert len(observer.histogram()[1]) <= BINS


def test_a_large_tensor_is_thinned_out_over_all_its_channels():
    channels = 96
    rows = np.tile(np.arange(1, channels + 1, dtype=np.float32), (2, 64, 64, 1))
    observer = observed([rows])
    assert observer.count < 2 * 2 * MOST_VALUES
    _, counts = observer.histogram()
    assert np.count_nonzero(counts) == channels
    assert counts[counts > 0].min() > 0.9 * counts.max()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_out(bad):
    observer = observed([np.array([[1.0, bad, -2.0, 0.0]], np.float32)])
    assert (observer.low, observer.high, observer.count, observer.zeros) == (-2.0, 1.0, 3, 1)
    nothing = observed([np.full((1, 3), bad, np.float32)])
    assert not nothing.seen


def test_share_beyond_counts_both_sides():
    observer = observed([np.arange(-50, 50, dtype=np.float32)[None]])
    assert observer.share_beyond(-40.0, 44.0) == pytest.approx(0.15, abs=0.011)
    assert observer.share_beyond(-50.0, 49.0) == 0.0
