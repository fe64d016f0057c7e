from __future__ import annotations

import numpy as np
import pytest

from edgekit.quantization.condition import bias as bias_module
from edgekit.quantization.condition.bias import round_and_correct
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.grid import codes, on_grid
from edgekit.quantization.condition.linear import (
    Shapes,
    find_bias,
    kernel_of,
    linear_nodes,
    set_kernel,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pictures(count=24, shape=(8, 8, 3)):
    return np.random.default_rng(1).uniform(0, 1, (count, *shape)).astype(np.float32)


def separable_net():
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3), name="image")
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3, use_bias=False)(image))
    for _ in range(3):
        x = layers.DepthwiseConv2D(3, padding="same")(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.Conv2D(8, 1)(x)
        x = layers.ReLU(6.0)(x)
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def round_only(graph):
    for linear in linear_nodes(graph):
        set_kernel(graph, linear, on_grid(kernel_of(graph, linear), linear.axes))


def mean_error(compute, graph, target, samples):
    error = compute(graph, samples)[0] - target
    return float(np.abs(error.reshape(-1, error.shape[-1]).mean(0)).max())


def test_the_mean_that_rounding_moved_is_put_back(freeze, compute, tmp_path):
    samples, model = pictures(), separable_net()
    rounded, _ = freeze(model)
    target = compute(rounded, samples)[0]
    fold(rounded)
    round_only(rounded)
    corrected, _ = freeze(model)
    fold(corrected)
    assert round_and_correct(corrected, {"image": samples}, tmp_path) == (8, 8)
    before = mean_error(compute, rounded, target, samples)
    assert mean_error(compute, corrected, target, samples) < 0.5 * before


def test_every_kernel_lies_on_the_grid_of_the_folded_one(freeze, tmp_path):
    model = separable_net()
    folded, _ = freeze(model)
    fold(folded)
    graph, _ = freeze(model)
    fold(graph)
    round_and_correct(graph, {"image": pictures()}, tmp_path)
    for old, new in zip(linear_nodes(folded), linear_nodes(graph), strict=True):
        kernel, rounded = kernel_of(folded, old), kernel_of(graph, new)
        np.testing.assert_array_equal(rounded, on_grid(kernel, old.axes))


def test_a_model_that_needs_nothing_stays_as_it_is(freeze, compute, tmp_path):
    graph, _ = freeze(separable_net())
    samples = pictures()
    fold(graph)
    round_and_correct(graph, {"image": samples}, tmp_path)
    kernels = [codes(kernel_of(graph, n), n.axes) for n in linear_nodes(graph)]
    before = compute(graph, samples)[0]
    round_and_correct(graph, {"image": samples}, tmp_path)
    for linear, numbers in zip(linear_nodes(graph), kernels, strict=True):
        np.testing.assert_array_equal(codes(kernel_of(graph, linear), linear.axes), numbers)
    # What is left is the quantization of activations, corrected a second time.
    np.testing.assert_allclose(compute(graph, samples)[0], before, atol=0.02 * np.abs(before).max())


def test_what_does_not_fit_into_memory_gives_the_same(freeze, compute, tmp_path, monkeypatch):
    samples, model = pictures(), separable_net()
    graphs = []
    for place, bound in (("a", None), ("b", 0)):
        (tmp_path / place).mkdir()
        if bound is not None:
            monkeypatch.setattr(bias_module, "_CHUNK_BYTES", 20_000)
            monkeypatch.setattr(bias_module, "_STORE_BYTES", bound)
        graph, _ = freeze(model)
        fold(graph)
        round_and_correct(graph, {"image": samples}, tmp_path / place)
        graphs.append(graph)
        assert list((tmp_path / place).iterdir()) == []
    first, second = (compute(graph, samples)[0] for graph in graphs)
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_each_use_of_a_shared_layer_gets_a_bias_of_its_own(freeze, tmp_path):
    import keras
    from keras import layers

    image = keras.Input((6, 6, 4), name="image")
    conv = layers.Conv2D(4, 3, padding="same", activation="relu")
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(conv(conv(image))))
    graph, _ = freeze(keras.Model(image, x))
    round_and_correct(graph, {"image": pictures(16, (6, 6, 4))}, tmp_path)
    first, second, _ = linear_nodes(graph)
    np.testing.assert_array_equal(kernel_of(graph, first), kernel_of(graph, second))
    shapes = Shapes(graph.definition())
    values = []
    for linear in (first, second):
        found = find_bias(graph, linear, shapes)
        values.append(graph.constant(found.node.input[found.place]))
    assert not np.array_equal(*values)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN", "Bidirectional", "attention"])
def test_recurrent_cells_and_attention_get_nearer(freeze, compute, tmp_path, kind):
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    readings = keras.Input((5, 6), name="readings")
    if kind == "attention":
        x = layers.MultiHeadAttention(2, 3)(readings, readings)
    elif kind == "Bidirectional":
        x = layers.Bidirectional(layers.LSTM(4, unroll=True, return_sequences=True))(readings)
    else:
        x = getattr(layers, kind)(7, unroll=True, return_sequences=True)(readings)
    model = keras.Model(readings, layers.Dense(3)(x))
    samples = np.random.default_rng(0).uniform(0.5, 1.5, (40, 5, 6)).astype(np.float32)
    rounded, _ = freeze(model)
    target = compute(rounded, samples)[0]
    round_only(rounded)
    graph, _ = freeze(model)
    kernels, corrected = round_and_correct(graph, {"readings": samples}, tmp_path)
    assert kernels == corrected >= 5
    before = mean_error(compute, rounded, target, samples)
    assert mean_error(compute, graph, target, samples) < before


def test_embeddings_and_what_follows_no_kernel_are_left_alone(freeze, tmp_path):
    import keras
    from keras import layers

    tokens = keras.Input((6,), dtype="int32", name="tokens")
    table = layers.Embedding(9, 4)
    x = layers.LayerNormalization()(table(tokens))
    graph, _ = freeze(keras.Model(tokens, layers.Dense(2)(layers.Flatten()(x))))
    before = {n.name: n.SerializeToString() for n in graph.order if "embedding" in n.name}
    samples = np.random.default_rng(0).integers(0, 9, (20, 6)).astype(np.int32)
    assert round_and_correct(graph, {"tokens": samples}, tmp_path) == (1, 1)
    after = {n.name: n.SerializeToString() for n in graph.order if "embedding" in n.name}
    assert before == after
