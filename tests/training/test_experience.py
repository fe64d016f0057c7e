"""Samples that a policy gathers itself: kept transitions, rollouts, and trainings by them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.metrics.playing import Moved, World
from edgekit.training.experience import Advantages, Lanes, Replay, Rollouts
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Line(World):
    """Places 0, 1, 2, …: action 1 goes on and is paid the place, 0 stays; it ends at 3."""

    actions = 2

    def __init__(self):
        self.places, self.begun = {}, []

    def begin(self, lanes, seeds):
        self.begun += seeds
        self.places |= dict.fromkeys(lanes, 0)
        return np.zeros((len(lanes), 1), np.float32)

    def step(self, lanes, actions):
        for lane, action in zip(lanes, actions.tolist(), strict=True):
            self.places[lane] += action
        places = np.array([self.places[lane] for lane in lanes], float)
        end = places == 3
        return Moved(places[:, None].astype(np.float32), places, end, np.zeros(len(lanes), bool))


def go_on(states):
    return [np.tile([0.0, 1.0], (len(states), 1))]


def rows(steps, batch):
    return np.zeros((steps, batch), int)


def test_a_lane_whose_episode_is_over_begins_the_next_and_tells_the_last_state():
    lanes = Lanes(Line(), 2)
    lanes.begin(np.random.default_rng(0))
    for _ in range(2):
        lanes.step(np.array([1, 0]))
    moved = lanes.step(np.array([1, 1]))
    assert moved.states.ravel().tolist() == [3, 1]
    assert lanes.states.ravel().tolist() == [0, 1]
    assert len(lanes.world.begun) == 3


def test_kept_transitions_say_what_was_done_paid_and_seen_next():
    replay = Replay(go_on, Line(), seed=1, chance=lambda _: 0.0, capacity=40, first=8, lanes=4)
    states, labels = (np.concatenate(part) for part in zip(*replay.read(rows(30, 16)), strict=True))
    assert (states.shape, labels.shape) == ((480, 1), (480, 4))
    action, paid, end, following = labels.T
    assert np.array_equal(states[:, 0] + action, following)
    assert np.array_equal(paid, following)
    assert np.array_equal(end == 1, following == 3)
    assert set(end) == {0, 1}


def test_no_more_than_the_latest_transitions_are_kept_and_they_survive_a_stop():
    def make():
        return Replay(go_on, Line(), seed=1, chance=lambda _: 0.5, capacity=40, first=8, lanes=4)

    whole, stopped, resumed = make(), make(), make()
    list(whole.read(rows(30, 16)))
    list(stopped.read(rows(30, 16)))
    resumed.restore(stopped.arrays())
    assert [len(one) for one in resumed.arrays()[2:]] == [40, 40]
    for one, other in zip(whole.read(rows(5, 16)), resumed.read(rows(5, 16)), strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])
    for one, other in zip(whole.arrays(), resumed.arrays(), strict=True):
        assert np.array_equal(one, other)


def test_advantages_are_what_was_paid_beyond_what_a_state_was_worth():
    moves = [
        Moved(np.zeros((1, 1)), np.array([1.0]), np.array([False]), np.array([False])),
        Moved(np.zeros((1, 1)), np.array([2.0]), np.array([True]), np.array([False])),
        Moved(np.zeros((1, 1)), np.array([4.0]), np.array([False]), np.array([True])),
    ]
    values, after = np.array([[10.0], [20.0], [30.0]]), np.array([[20.0], [99.0], [50.0]])
    found = Advantages(discount=0.5, decay=0.5).of(moves, values, after)[:, 0]
    last = 4 + 0.5 * 50 - 30  # its time was up: the state after is worth something
    middle = 2 - 20  # it ended: nothing after it counts
    assert found.tolist() == [1 + 0.5 * 20 - 10 + 0.25 * middle, middle, last]


def test_a_rollout_is_seen_as_often_as_asked_and_the_next_is_of_the_policy_by_then():
    asked = []

    def policy(states):
        asked.append(len(states))
        return [np.zeros((len(states), 2))]

    source = Rollouts(
        policy, lambda s: np.zeros(len(s)), Line(), seed=1, advantages=Advantages(),
        steps=8, passes=2, lanes=4,
    )  # fmt: skip
    batches = source.read(rows(6, 16))
    taken = [next(batches) for _ in range(4)]
    assert asked == [4] * 8
    first, second = (np.concatenate([one[1] for one in taken[at : at + 2]]) for at in (0, 2))
    assert np.array_equal(np.sort(first[:, 1]), np.sort(second[:, 1]))
    assert abs(first[:, 1].mean()) < 1e-6
    assert np.allclose(first[:, 3], np.log(0.5))
    assert set(first[:, 0]) == {0, 1}
    assert len(list(batches)) == 2
    assert asked == [4] * 16


MODEL_TOML = """
name = "balancer"
task = "control"
output = "values"
metric = "return"

[parameters]
width = 16

[[inputs]]
name = "state"
dtype = "float32"
shape = [4]
range = [-3, 3]

[gate]
max_drop = 100
samples = 16

[train]
learning_rate = 0.01
batch_size = 64
samples_per_epoch = 3840
validation_samples = 8
epochs = 2
"""

MODEL_PY = """
import keras


def build(classes, width=16):
    state = keras.Input((4,), name="state")
    x = keras.layers.Dense(width, activation="relu")(state)
    return keras.Model(state, keras.layers.Dense(classes)(x))
"""

# What a state is worth is how far the pole will lean: one step of what an action does to it.
TRAINING_PY = """
import tensorflow as tf

from edgekit.training.experience import Replay
from edgekit.training.objectives import Objective


def objective(recipe, classes):
    return Leaning(recipe, classes)


class Leaning(Objective):
    def experience(self, policy, dataset, *, seed):
        return Replay(policy, dataset.world(), seed=seed, chance=lambda _: 0.2, first=256)

    def loss(self, outputs, labels):
        taken = tf.gather(outputs[0], tf.cast(labels[:, 0], tf.int32), batch_dims=1)
        lean = tf.abs(labels[:, 5] + 0.5 * labels[:, 6])
        return tf.reduce_mean(tf.square(taken + 10 * lean))

    def validation_loss(self, outputs, labels):
        return 0.0
"""


@pytest.fixture(scope="module")
def balancer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "balancer"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML)
    (folder / "training.py").write_text(TRAINING_PY)
    return folder


@pytest.fixture(scope="module")
def trained(balancer):
    return train_model(str(balancer), dataset="cartpole", out=balancer.parent / "run").trained


def test_a_policy_learns_from_what_it_meets(trained):
    history = json.loads((trained.folder / "history.json").read_text())["history"]
    assert trained.test.name == trained.test.unit == "return"
    assert trained.test.samples == 16
    assert max(entry["validation"] for entry in history) > 60  # by chance it is about 20
    assert "return" in (trained.folder / "report.html").read_text()


def test_a_stopped_training_goes_on_with_what_it_had_met(balancer, trained, tmp_path):
    class Stopped(Exception):
        pass

    def stop(step):
        if step.note.startswith("epoch 2/"):
            raise Stopped

    with pytest.raises(Stopped):
        train_model(str(balancer), dataset="cartpole", out=tmp_path / "run", report=stop)
    train_model(str(balancer), dataset="cartpole", out=tmp_path / "run")
    with np.load(trained.folder / "state.npz") as one, np.load(tmp_path / "run/state.npz") as other:
        kept = [name for name in one.files if name.startswith("experience.")]
        assert len(kept) == 4
        assert int(one["experience.0"]) == int(other["experience.0"]) == 2
        assert one["experience.2"].shape == other["experience.2"].shape
        assert np.array_equal(one["experience.2"][:500], other["experience.2"][:500])
