"""Environments as data sets: states for parity and calibration, seeds of episodes as labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.datasets import open_dataset, require_world
from edgekit.errors import DataError, MissingExtraError
from edgekit.metrics.playing import returns
from edgekit.spec import InputSpec

SHAPES = {"cartpole": (4,), "acrobot": (6,)}


@pytest.mark.parametrize("name", SHAPES)
def test_a_state_depends_on_split_and_index_alone(name):
    dataset, spec = open_dataset(name), InputSpec("state", "float32", SHAPES[name])
    some = dataset.read("train", [3, 0, 9], spec)
    assert (some.inputs.shape, some.inputs.dtype) == ((3, *SHAPES[name]), np.float32)
    assert np.array_equal(dataset.read("train", [9, 3], spec).inputs, some.inputs[[2, 0]])
    other = dataset.read("test", [3, 0, 9], spec)
    assert not (other.inputs == some.inputs).all(axis=1).any()
    assert not set(other.labels.ravel()) & set(some.labels.ravel())
    assert len(np.unique(dataset.read("test", range(50), spec).inputs, axis=0)) == 50


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_seeds_and_actions_give_the_same_episodes_in_any_lane(name):
    dataset = open_dataset(name)
    seeds, lanes, actions = [5, 6], [3, 1], np.array([1, 0])
    first, second = dataset.world(), dataset.world()
    begun = first.begin([0, 1], seeds)
    assert np.array_equal(begun, second.begin(lanes, seeds))
    one, other = first.step([0, 1], actions), second.step(lanes, actions)
    assert np.array_equal(one.states, other.states)
    assert not np.array_equal(one.states, begun)


def test_the_controllers_that_states_come_from_are_good():
    for name, least in (("cartpole", 490), ("acrobot", -120)):
        dataset = open_dataset(name)
        scores = np.eye(len(dataset.classes))
        paid = returns(
            lambda s, d=dataset, e=scores: [e[[d.control(state) for state in s]]],
            dataset.world(),
            np.arange(8),
        )
        assert paid.mean() > least


def test_another_form_of_state_and_a_data_set_without_a_world_are_refused(dataset):
    cartpole, spec = open_dataset("cartpole"), InputSpec("state", "float32", (4,))
    with pytest.raises(DataError, match=r"float32 \[4\]; the input state takes float32 \[6\]"):
        cartpole.read("test", [0], replace(spec, shape=(6,)))
    with pytest.raises(DataError, match="no sample 4000"):
        cartpole.read("test", [4000], spec)
    with pytest.raises(DataError, match="no environment"):
        require_world(open_dataset(dataset))


def test_without_gymnasium_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        open_dataset("cartpole")
    assert "needs gymnasium" in caught.value.message
    assert "[control]" in caught.value.hint
