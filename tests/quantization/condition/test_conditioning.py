from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.exporters.tracing import Trace
from edgekit.quantization.condition.conditioning import MOST_SAMPLES, condition, condition_trace
from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.condition.linear import kernel_of, linear_nodes
from edgekit.samples import write_samples

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def net(name="net"):
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    image = keras.Input((6, 6, 3), name="image")
    x = layers.Conv2D(4, 3, use_bias=False, name="conv")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    return keras.Model(image, layers.Dense(3, name="logits")(x), name=name)


def samples(count=20):
    return np.random.default_rng(1).uniform(0, 1, (count, 6, 6, 3)).astype(np.float32)


def damage(model, kind):
    if kind == "dead channel":
        kernel, bias = model.get_layer("depthwise").get_weights()
        kernel[:, :, 1] = 0
        model.get_layer("depthwise").set_weights([kernel, bias])
    elif kind == "nearly dead channel":
        kernel, bias = model.get_layer("depthwise").get_weights()
        kernel[:, :, 1] *= 1e-12
        model.get_layer("depthwise").set_weights([kernel, bias])
    elif kind == "huge outlier":
        (kernel,) = model.get_layer("conv").get_weights()
        kernel[0, 0, 0, 2] = 1e4
        model.get_layer("conv").set_weights([kernel])
    elif kind == "no variance":
        gamma, beta, mean, variance = model.get_layer("norm").get_weights()
        variance[:] = 0
        model.get_layer("norm").set_weights([gamma, beta, mean, variance])


DAMAGES = ("nothing", "dead channel", "nearly dead channel", "huge outlier", "no variance")


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_models_stay_near_what_they_were(freeze, compute, kind):
    model = net()
    damage(model, kind)
    graph, _ = freeze(model, random=False)
    before = compute(graph, samples())[0]
    found = condition(graph, {"image": samples()})
    assert (found.folded, found.rounded, found.corrected, found.samples) == (1, 3, 3, 20)
    after = compute(graph, samples())[0]
    assert np.isfinite(after).all()
    np.testing.assert_allclose(after, before, atol=0.08 * np.abs(before).max())


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_inputs_that_are_all_the_same_are_sound(freeze, compute, level):
    graph, _ = freeze(net())
    same = np.full((12, 6, 6, 3), level, np.float32)
    before = compute(graph, same)[0]
    condition(graph, {"image": same})
    np.testing.assert_allclose(
        compute(graph, same)[0], before, atol=0.05 * np.abs(before).max() + 1e-6
    )


@pytest.mark.parametrize("count", [1, 10_000])
def test_one_sample_and_ten_thousand_do(freeze, compute, count):
    graph, _ = freeze(net())
    before = compute(graph, samples())[0]
    found = condition(graph, {"image": samples(count)})
    assert found.samples == min(count, MOST_SAMPLES)
    after = compute(graph, samples())[0]
    np.testing.assert_allclose(after, before, atol=0.1 * np.abs(before).max())


def test_a_model_without_a_kernel_stays_the_same(freeze, compute):
    import keras
    from keras import layers

    image = keras.Input((6, 6, 3), name="image")
    graph, _ = freeze(keras.Model(image, layers.GlobalAveragePooling2D()(image)))
    found = condition(graph, {"image": samples()})
    assert (found.folded, found.rounded, found.corrected) == (0, 0, 0)


def test_a_conditioned_trace_is_a_trace_and_says_the_same_of_itself(freeze, tmp_path):
    _, trace = freeze(net())
    np.save(tmp_path / "inputs.npy", samples())
    made = tmp_path / "conditioned"
    condition_trace(trace.folder, tmp_path, made)
    assert sorted(path.name for path in made.iterdir()) == [
        "graph.pb",
        "originals.npz",
        "trace.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conditioned", "inputs.npy"]
    old = json.loads((trace.folder / "trace.json").read_text())
    assert json.loads((made / "trace.json").read_text()) == old
    assert Trace.read(made).graph_def() != trace.graph_def()


def test_the_same_twice_is_the_same_bytes(freeze, tmp_path):
    _, trace = freeze(net())
    np.save(tmp_path / "inputs.npy", samples())
    for name in ("a", "b"):
        condition_trace(trace.folder, tmp_path, tmp_path / name)
    first, second = ((tmp_path / name / "graph.pb").read_bytes() for name in ("a", "b"))
    assert first == second


def test_each_of_two_inputs_gets_its_own_samples(freeze, tmp_path):
    import keras
    from keras import layers

    pair = [keras.Input((3,), name="left"), keras.Input((3,), name="right")]
    difference = layers.Dense(2, name="last")(layers.Subtract()(pair))
    _, trace = freeze(keras.Model(pair, difference), random=False)
    left = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32) + 5
    write_samples(tmp_path / "inputs", {"left": left, "right": left})
    found = condition_trace(trace.folder, tmp_path, tmp_path / "conditioned")
    assert (found.rounded, found.corrected, found.samples) == (1, 1, 32)
    made = Trace.read(tmp_path / "conditioned")
    graph = Graph(made.graph_def(), ["left", "right"], list(made.output_tensors))
    # Nothing goes into the layer: whatever rounding did to it, its bias has nothing to give back.
    adding = [n for n in graph.nodes.values() if n.op in ("BiasAdd", "AddV2")]
    (bias,) = (graph.constant(node.input[1]) for node in adding)
    assert not bias.any()


def test_kernels_of_two_layers_with_one_value_are_rounded_each(freeze):
    graph, _ = freeze(net())
    condition(graph, {"image": samples()})
    for linear in linear_nodes(graph):
        assert len(np.unique(kernel_of(graph, linear))) <= 255 * linear.channels
