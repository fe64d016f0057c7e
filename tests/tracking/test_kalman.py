"""Filters of boxes, against the textbook and by what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from edgekit.tracking.kalman import GATE, AreaMotion, Belief, HeightMotion, corrected, predicted

MOTIONS = (AreaMotion, HeightMotion)

boxes = st.tuples(st.floats(0, 1000), st.floats(0, 1000), st.floats(2, 300), st.floats(2, 300)).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)


def textbook(mean, covariance, *, transition, step, seen, observation, noise):
    """Welch and Bishop, An Introduction to the Kalman Filter, equations 1.9 to 1.13."""
    mean = transition @ mean
    covariance = transition @ covariance @ transition.T + step
    spread = observation @ covariance @ observation.T + noise
    gain = covariance @ observation.T @ np.linalg.inv(spread)
    mean = mean + gain @ (seen - observation @ mean)
    return mean, (np.eye(len(mean)) - gain @ observation) @ covariance


def test_the_filter_gives_what_the_textbook_gives():
    rng = np.random.default_rng(3)
    mean, covariance = rng.normal(size=5), np.eye(5) * 4
    transition = np.eye(5) + 0.1 * rng.normal(size=(5, 5))
    observation = rng.normal(size=(3, 5))
    step, noise = np.diag(rng.uniform(0.1, 1, 5)), np.diag(rng.uniform(0.1, 1, 3))
    belief = Belief(mean, covariance)
    for _ in range(20):
        seen = rng.normal(size=3)
        belief = corrected(predicted(belief, transition, step), seen, observation, noise)
        mean, covariance = textbook(
            mean,
            covariance,
            transition=transition,
            step=step,
            seen=seen,
            observation=observation,
            noise=noise,
        )
        assert np.allclose(belief.mean, mean, rtol=1e-9, atol=1e-9)
        assert np.allclose(belief.covariance, covariance, rtol=1e-9, atol=1e-9)


def test_a_filter_that_never_changes_its_mind_gives_the_mean_of_what_it_saw():
    seen = np.random.default_rng(4).normal(7.0, 2.0, 50)
    belief = Belief(np.zeros(1), np.full((1, 1), 1e12))  # nothing known before
    for value in seen:
        belief = predicted(belief, np.eye(1), np.zeros((1, 1)))
        belief = corrected(belief, np.array([value]), np.eye(1), np.full((1, 1), 4.0))
    assert belief.mean[0] == pytest.approx(seen.mean(), abs=1e-9)
    assert belief.covariance[0, 0] == pytest.approx(4.0 / 50, rel=1e-9)


@pytest.mark.parametrize("kind", MOTIONS)
@settings(max_examples=60, deadline=None)
@given(seen=st.lists(st.one_of(st.none(), boxes), min_size=1, max_size=30), first=boxes)
def test_a_covariance_stays_symmetric_and_positive_whatever_is_seen_or_missed(kind, seen, first):
    motion = kind()
    belief = motion.begun(first)
    for box in seen:
        belief = motion.predicted(belief)
        if box is not None:
            belief = motion.corrected(belief, box)
        assert np.array_equal(belief.covariance, belief.covariance.T)
        assert np.linalg.eigvalsh(belief.covariance).min() > 0
        assert np.isfinite(belief.mean).all()
        assert np.isfinite(motion.box(belief)).all()


@pytest.mark.parametrize("kind", MOTIONS)
@settings(max_examples=60, deadline=None)
@given(first=boxes, speed=st.tuples(st.floats(-20, 20), st.floats(-20, 20)))
def test_a_steady_box_is_foreseen_exactly_in_the_limit(kind, first, speed):
    motion = kind()
    step = np.array([*speed, *speed])
    belief = motion.begun(first)
    missed = []
    for time in range(1, 200):
        belief = motion.predicted(belief)
        missed.append(np.abs(motion.box(belief) - (first + time * step)).max())
        belief = motion.corrected(belief, first + time * step)
    assert missed[-1] < 1e-3 * (1 + np.abs(step).max())


@pytest.mark.parametrize("kind", MOTIONS)
@given(box=boxes)
def test_a_box_is_the_same_after_a_way_through_the_state(kind, box):
    motion = kind()
    assert np.allclose(motion.box(motion.begun(box)), box, atol=1e-6)


@pytest.mark.parametrize("kind", MOTIONS)
@settings(max_examples=30, deadline=None)
@given(box=boxes)
def test_less_is_known_with_every_frame_without_a_box_and_more_with_one(kind, box):
    motion = kind()
    before = motion.begun(box)
    later = motion.predicted(before)
    assert np.trace(later.covariance) > np.trace(before.covariance)
    assert np.trace(motion.corrected(later, box).covariance) < np.trace(later.covariance)


def test_an_area_never_shrinks_below_nothing():
    motion = AreaMotion()
    belief = motion.begun(np.array([0.0, 0.0, 100.0, 100.0]))
    for side in (70.0, 40.0, 20.0, 8.0):
        belief = motion.corrected(motion.predicted(belief), np.array([0.0, 0.0, side, side]))
    assert belief.mean[6] < 0
    for _ in range(10):
        belief = motion.predicted(belief)
        assert belief.mean[2] > 0


def test_the_gate_holds_95_of_100_right_boxes():
    assert pytest.approx(chi2.ppf(0.95, 4)) == GATE
    motion, rng = HeightMotion(), np.random.default_rng(5)
    truth = np.array([100.0, 100.0, 150.0, 200.0])
    belief = motion.predicted(motion.begun(truth))
    spread = belief.covariance[:4, :4] + np.diag(motion._box_noise(belief))
    drawn = rng.multivariate_normal(belief.mean[:4], spread, 4000)
    widths, heights = drawn[:, 2] * drawn[:, 3], drawn[:, 3]
    halves = np.stack([widths, heights], 1) / 2
    seen = np.concatenate([drawn[:, :2] - halves, drawn[:, :2] + halves], 1)
    inside = (motion.distances(belief, seen) <= GATE).mean()
    assert 0.935 < inside < 0.965
    assert motion.distances(belief, np.zeros((0, 4))).shape == (0,)
