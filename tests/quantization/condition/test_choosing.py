from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.condition import bias, choosing
from edgekit.quantization.condition.choosing import choose, harms
from edgekit.quantization.condition.conditioning import condition
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.grid import on_grid
from edgekit.quantization.condition.linear import (
    Shapes,
    add_to_bias,
    ensure_bias,
    kernel_of,
    linear_nodes,
    set_kernel,
)
from edgekit.quantization.condition.points import arithmetic_tensors
from edgekit.ranges.limits import METHODS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def net(spike=0.0):
    """A small net, one hidden channel of which is `spike` times as large, and not looked at."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    image = keras.Input((12, 12, 3), name="image")
    hidden = layers.Conv2D(16, 3, name="hidden")
    x = layers.ReLU()(hidden(image))
    reader = layers.Conv2D(8, 3, name="reader")
    x = layers.ReLU()(reader(x))
    model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    if spike:
        kernel, bias = hidden.get_weights()
        # Bright pixels only: rare, and far beyond all else.
        kernel[..., 0], bias[0] = spike, -spike * 24.5
        hidden.set_weights([kernel, bias])
        kernel, bias = reader.get_weights()
        kernel[:, :, 0] = 0
        reader.set_weights([kernel, bias])
    return model


def pictures(count=32):
    random = np.random.default_rng(1)
    values = random.uniform(0, 1, (count, 12, 12, 3)).astype(np.float32)
    values[::8, 2:5, 2:5] = 1.0
    return values


def folded(freeze, model):
    graph, _ = freeze(model, random=False)
    fold(graph)
    return graph


def test_minmax_stays_where_values_fill_their_range(freeze):
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    image = keras.Input((12, 12, 3), name="image")
    x = layers.ReLU(0.5)(layers.Conv2D(16, 3)(image))
    x = layers.ReLU(0.1)(layers.Conv2D(8, 3)(x))
    model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    found = choose(folded(freeze, model), {"image": pictures()}, "auto")
    assert found.method == "minmax"
    assert tuple(found.signal_db) == METHODS
    assert 20 < found.signal_db["minmax"] < 60


def test_a_rare_spike_that_nobody_reads_is_clipped(freeze):
    found = choose(folded(freeze, net(spike=2000.0)), {"image": pictures()}, "auto")
    assert found.method != "minmax"
    assert found.signal_db[found.method] > found.signal_db["minmax"] + 3


def test_a_gain_within_noise_changes_nothing(freeze, monkeypatch):
    monkeypatch.setattr(choosing, "_WORTH_DB", 200.0)
    found = choose(folded(freeze, net(spike=2000.0)), {"image": pictures()}, "auto")
    assert found.method == "minmax"


@pytest.mark.parametrize("asked", ["minmax", "mse"])
def test_what_leaves_no_choice_is_not_measured(freeze, asked):
    found = choose(folded(freeze, net()), {"image": pictures(4)}, asked)
    assert (found.method, dict(found.signal_db)) == (asked, {})


def test_percentile_is_the_best_of_three(freeze):
    found = choose(folded(freeze, net()), {"image": pictures()}, "percentile")
    assert set(found.signal_db) == {m for m in METHODS if m.startswith("percentile")}
    assert found.signal_db[found.method] == max(found.signal_db.values())


def test_conditioning_says_what_was_chosen(freeze):
    graph, _ = freeze(net(spike=2000.0), random=False)
    found = condition(graph, {"image": pictures()}).to_json()
    assert found["ranges"] in METHODS
    assert found["ranges"] != "minmax"
    assert found["signal_db"].keys() == set(METHODS)


def test_what_is_fused_or_given_is_not_stored(freeze):
    graph = folded(freeze, net())
    names = {graph.nodes[name].op for name in arithmetic_tensors(graph)}
    assert names == {"Relu", "Mean"}


def test_a_graph_whose_biases_were_spoiled_does_harm_and_its_own_copy_does_not(freeze):
    graph, trace = freeze(net())
    samples = {trace.inputs[0].name: pictures()}
    fold(graph)
    spoiled = graph.copy()
    for linear in linear_nodes(spoiled)[:1]:
        found = ensure_bias(spoiled, linear, Shapes(spoiled.definition()))
        add_to_bias(spoiled, found, np.full(linear.channels, 3.0))
    assert harms(graph, graph.copy(), spoiled, samples)
    assert not harms(graph, spoiled, graph.copy(), samples)
    assert not harms(graph, graph.copy(), graph.copy(), samples)


def test_corrections_that_do_harm_are_taken_back(freeze, compute, monkeypatch):
    graph, trace = freeze(net())
    samples = {trace.inputs[0].name: pictures()}
    rounded = graph.copy()
    fold(rounded)
    for linear in linear_nodes(rounded):
        set_kernel(rounded, linear, on_grid(kernel_of(rounded, linear), linear.axes))
    monkeypatch.setattr(bias, "add_to_bias", lambda g, b, v: add_to_bias(g, b, v + 5.0))
    done = condition(graph, samples)
    assert done.corrected == 0
    for ours, plain in zip(compute(graph, pictures(4)), compute(rounded, pictures(4)), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-5)
