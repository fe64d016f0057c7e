"""Pixels and instants, drawn one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.generating.drawing import drawn
from edgekit.generating.steps import by_instant, by_pixel

SURE = 50.0  # a logit that leaves the others nothing


def one_hot(levels, count):
    return SURE * (np.arange(count) == np.asarray(levels)[..., None])


def generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def test_levels_are_drawn_as_often_as_the_logits_say():
    logits = np.log(np.tile([0.1, 0.2, 0.7], (20_000, 1)))
    found = drawn(logits, generator().random(20_000))
    assert np.bincount(found) / 20_000 == pytest.approx([0.1, 0.2, 0.7], abs=0.01)
    cold = drawn(logits, generator().random(20_000), 0.1)
    assert (cold == 2).mean() > 0.999


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_the_ends_of_the_numbers_give_levels_that_there_are(number):
    assert drawn(np.array([[-900.0, 0.0, -900.0]]), np.array([number])) == [1]


def test_each_pixel_is_made_from_those_before_it():
    # One more than the pixel before, in reading order, modulo 5.
    def ask(arrays):
        (pictures,) = arrays
        assert pictures.shape == (2, 3, 4, 1)
        flat = pictures.reshape(2, 12)
        before = np.concatenate([np.full((2, 1), 2), flat[:, :-1]], axis=1)
        return [one_hot((before + 1) % 5, 5).reshape(2, 3, 4, 5)]

    stands = []
    found = by_pixel(
        ask, height=3, width=4, count=2, random=generator(), told=lambda *one: stands.append(one)
    )
    assert np.array_equal(found[0].ravel(), (3 + np.arange(12)) % 5)
    assert np.array_equal(found[0], found[1])
    assert stands == [(done, 12) for done in range(1, 13)]


def test_each_instant_is_made_from_the_window_before_it_also_when_that_moves():
    # The sum of the last two, modulo 7; a window of 4 is full after three instants.
    seen = []

    def ask(arrays):
        (levels,) = arrays
        seen.append(levels.shape)
        before = np.concatenate([np.zeros((3, 1), int), levels[:, :-1]], axis=1)
        return [one_hot((levels + before) % 7, 7)]

    found = by_instant(ask, window=4, first=1, instants=9, count=3, random=generator())
    wanted = [1]
    for _ in range(9):
        wanted.append((wanted[-1] + (wanted[-2] if len(wanted) > 1 else 0)) % 7)
    assert found[0].tolist() == wanted[1:]
    assert set(seen) == {(3, 4)}


def test_the_same_seed_gives_the_same_and_another_one_does_not():
    def ask(arrays):
        return [np.zeros((*arrays[0].shape[:3], 4))]

    def made(seed):
        return by_pixel(ask, height=8, width=8, count=1, random=generator(seed))

    assert np.array_equal(made(1), made(1))
    assert not np.array_equal(made(1), made(2))
