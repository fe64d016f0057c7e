"""Policies that are let act, and what they are paid."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.metrics import METRICS, MetricValue
from edgekit.metrics.playing import Moved, World, returns


class Stairs(World):
    """A walk of `seed` + 1 steps up; action 1 is paid 1 a step, action 0 nothing and ends it."""

    actions = 2

    def begin(self, lanes, seeds):
        self.left = dict(zip(lanes, (seed + 1 for seed in seeds), strict=True))
        return np.array([[self.left[lane]] for lane in lanes], np.float32)

    def step(self, lanes, actions):
        for lane in lanes:
            self.left[lane] -= 1
        left = np.array([self.left[lane] for lane in lanes])
        return Moved(left[:, None].astype(np.float32), actions * 1.0, actions == 0, left == 0)


def climb(states):
    return [np.tile([0.0, 1.0], (len(states), 1))]


def test_episodes_are_played_side_by_side_and_only_those_that_go_on_are_asked_for():
    asked, told = [], []

    def policy(states):
        asked.append(states[:, 0].tolist())
        return climb(states)

    paid = returns(policy, Stairs(), np.array([0, 2, 1]), told.append)
    assert paid.tolist() == [1, 3, 2]
    assert asked == [[1, 3, 2], [2, 1], [1]]
    assert told == [1, 2, 3]


def test_the_return_is_a_mean_of_episodes_with_a_drop_paired_by_their_seeds():
    metric, labels = METRICS["return"], np.arange(20)[:, None]
    whole = metric.play(climb, Stairs(), labels)
    # Gives up where three steps are left: it loses the last two and what the step would have paid.
    half = metric.play(lambda s: [np.stack([(s[:, 0] == 3) * 2.0, s[:, 0] * 0 + 1], 1)],
                       Stairs(), labels)  # fmt: skip
    found = metric.measure(half, labels, whole)
    assert (found.value, found.reference) == (10.5 - 2.7, 10.5)
    assert (found.drop, found.unit, found.samples) == (pytest.approx(2.7), "return", 20)
    assert found.drop_ci95[0] <= 2.7 <= found.drop_ci95[1] < 3.5
    assert MetricValue.from_json(found.to_json()).drop == pytest.approx(2.7)


def test_outputs_for_samples_and_labels_that_are_no_seeds_are_refused():
    metric = METRICS["return"]
    with pytest.raises(DataError, match="measured by playing"):
        metric.judge([np.zeros((4, 2))], np.zeros((4, 1), int))
    with pytest.raises(DataError, match="no seeds"):
        metric.play(climb, Stairs(), np.zeros(4, int))
