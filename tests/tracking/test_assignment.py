"""Pairs of tracks and boxes, against trying all."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgekit.tracking.assignment import assign, nearest

costs = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: arrays(
        np.float64, shape, elements=st.one_of(st.floats(0, 2), st.just(float("inf")))
    )
)


def cheapest(table, limit):
    """What the best pairing costs, where everyone who stays alone costs half a limit."""
    tall = table if table.shape[0] <= table.shape[1] else table.T
    rows, columns = tall.shape
    alone = (columns - rows) * limit / 2
    return alone + min(
        sum(min(tall[row, column], limit) for row, column in enumerate(chosen))
        for chosen in permutations(range(columns), rows)
    )


@settings(max_examples=150, deadline=None)
@given(table=costs, limit=st.floats(0.1, 1.5))
def test_no_other_pairing_is_cheaper(table, limit):
    pairs = assign(table, limit)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(table[pair] <= limit for pair in pairs)
    alone = sum(table.shape) - 2 * len(pairs)
    paid = sum(table[pair] for pair in pairs) + alone * limit / 2
    assert paid == pytest.approx(cheapest(table, limit))


def test_two_good_pairs_are_better_than_the_best_one_alone():
    table = np.array([[0.1, 0.2], [0.2, 0.9]])
    assert assign(table, 1.0) == [(0, 1), (1, 0)]
    assert nearest(table, 1.0) == [(0, 0), (1, 1)]


def test_a_pair_above_the_limit_is_never_made():
    table = np.array([[0.1, 0.6], [0.6, 5.0]])
    assert assign(table, 0.7) == [(0, 0)]
    assert assign(np.array([[np.inf]]), 0.7) == nearest(np.array([[0.8]]), 0.7) == []


@given(table=costs, limit=st.floats(0.1, 1.5))
def test_the_nearest_pairs_leave_nobody_alone_who_has_somebody_free(table, limit):
    pairs = nearest(table, limit)
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    assert [table[pair] for pair in pairs] == sorted(table[pair] for pair in pairs)
    for row, column in np.argwhere(table <= limit):
        assert row in rows or column in columns
