from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.condition import choosing
from edgekit.quantization.condition.choosing import choose
from edgekit.quantization.condition.conditioning import condition
from edgekit.quantization.condition.fold import fold
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
