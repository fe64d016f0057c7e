from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.loading import build_keras, unroll_recurrent
from edgekit.models import resolve_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECURRENT = (
    "rnn", "lstm", "gru", "bidirectional", "dilated-lstm", "grid-lstm", "echo-state-network",
    "rnn-tagger", "rnn-tagger-bidirectional",
)  # fmt: skip


def built(name, **parameters):
    return build_keras(resolve_model(name, parameters=parameters), weights=None, classes=7)


def readings(model, samples=3, seed=0):
    shape = (samples, *model.inputs[0].shape[1:])
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("name", RECURRENT)
def test_written_out_step_by_step_a_loop_gives_the_same(name):
    looped, unrolled = built(name), built(name, unroll=True)
    unrolled.set_weights(looped.get_weights())
    given = readings(looped)
    expected = np.asarray(looped(given))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(np.asarray(unrolled(given)), expected, atol=1e-5)


@pytest.mark.parametrize("name", RECURRENT)
def test_every_loop_can_be_unrolled_for_the_exporters(name):
    import keras

    model = built(name)
    copy, names = unroll_recurrent(model, 256)
    assert names
    left = [layer for layer in copy._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    assert all(layer.unroll for layer in left)
    given = readings(model)
    np.testing.assert_allclose(np.asarray(copy(given)), np.asarray(model(given)), atol=1e-5)


@pytest.mark.parametrize("name", [*RECURRENT, "conv1d"])
def test_the_order_of_readings_counts(name):
    model = built(name)
    given = readings(model)
    there, back = np.asarray(model(given)), np.asarray(model(given[:, ::-1]))
    assert np.abs(there - back).max() > 1e-3


def test_a_dilated_layer_reads_every_nth_step_in_a_sequence_of_its_own():
    model = built("dilated-lstm")
    steps = np.arange(2 * 16 * 3, dtype=np.float32).reshape(2, 16, 3)
    apart = np.asarray(model.get_layer("apart2").__class__(4)(steps))
    assert apart.shape == (8, 4, 3)
    np.testing.assert_array_equal(apart[4 + 3], steps[1, 3::4])
    together = model.get_layer("together2").__class__(4)
    np.testing.assert_array_equal(np.asarray(together(apart)), steps)


def test_a_grid_gives_what_the_equations_of_its_paper_give():
    model = built("grid-lstm", length=8, units=3, depth=2)
    cell = model.get_layer("recurrent").cell
    random = np.random.default_rng(4)
    for weight in cell.weights:
        weight.assign(random.normal(0, 1, weight.shape))
    given = random.normal(0, 1, (1, 2, 6)).astype(np.float32)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def block(name, hidden, memory):
        kernel, bias = (
            next(np.asarray(w) for w in cell.weights if w.name == f"{name}_{kind}")
            for kind in ("kernel", "bias")
        )
        forget, take, give, new = np.split(hidden @ kernel + bias, 4)
        memory = sigmoid(forget) * memory + sigmoid(take) * np.tanh(new)
        return sigmoid(give) * np.tanh(memory), memory

    time = [(np.zeros(3), np.zeros(3)) for _ in range(2)]
    for step in given[0]:
        depth = (step[:3], step[3:])
        for layer in range(2):
            hidden = np.concatenate([time[layer][0], depth[0]])
            after = block(f"time{layer}", hidden, time[layer][1])
            depth = block(f"depth{layer}", hidden, depth[1])
            time[layer] = after
    reached = np.asarray(model.get_layer("recurrent")(given))[0]
    np.testing.assert_allclose(reached, np.concatenate(depth), atol=1e-5)


def test_of_an_echo_state_network_only_the_readout_is_trained():
    model = built("echo-state-network")
    assert {weight.path.split("/")[0] for weight in model.trainable_weights} == {"logits"}
    again = built("echo-state-network")
    fixed = [np.asarray(weight) for weight in model.non_trainable_weights]
    assert len(fixed) == 3
    for one, other in zip(fixed, again.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))


@pytest.mark.parametrize("radius", [0.5, 0.9])
def test_the_reservoir_has_the_spectral_radius_that_was_asked_for(radius):
    model = built("echo-state-network", radius=radius)
    recurrent = next(np.asarray(w) for w in model.weights if w.name == "recurrent")
    assert np.abs(np.linalg.eigvals(recurrent)).max() == pytest.approx(radius, abs=1e-4)
    assert 0.05 < np.mean(recurrent != 0) < 0.15


def test_what_came_long_ago_fades_from_the_reservoir():
    reservoir = built("echo-state-network").get_layer("recurrent")
    given = np.random.default_rng(5).normal(0, 1, (1, 200, 6)).astype(np.float32)
    other = given.copy()
    other[:, :10] = 3.0
    apart = np.abs(np.asarray(reservoir(given)) - np.asarray(reservoir(other)))[0].max(axis=1)
    assert apart[9] > 0.1
    assert apart[-1] < 0.01 * apart[9]


def test_a_tagger_that_reads_forwards_knows_nothing_of_what_comes():
    for name, knows in (("rnn-tagger", False), ("rnn-tagger-bidirectional", True)):
        model = built(name)
        given = readings(model, samples=1)
        other = given.copy()
        other[:, 64:] += 1.0
        apart = np.abs(np.asarray(model(given)) - np.asarray(model(other)))[0].max(axis=1)
        assert apart[64:].max() > 1e-3
        assert (apart[:64].max() > 1e-4) == knows


@pytest.mark.parametrize(("name", "parameters", "reason"), [
    ("lstm", {"length": 63}, "length 63 must be even"),
    ("dilated-lstm", {"length": 60}, "length 60 must be a multiple of 32"),
    ("bidirectional", {"cell": "gated"}, "cell 'gated': one of lstm, gru, simple"),
    ("rnn-tagger", {"stride": 5}, "length 128 must be a multiple of stride 5"),
    ("echo-state-network", {"length": 60}, "length 60 must be a multiple of 8, for 4 parts"),
])  # fmt: skip
def test_impossible_parameters_are_refused_by_name(name, parameters, reason):
    with pytest.raises(ModelError, match=reason):
        built(name, **parameters)
