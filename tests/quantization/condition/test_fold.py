from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.quantization.condition.fold import fold

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def norm(x):
    import keras

    return keras.layers.BatchNormalization()(x)


def conv(x):
    from keras import layers

    return layers.ReLU(6.0)(norm(layers.Conv2D(5, 3, padding="same", use_bias=False)(x)))


def depthwise(x):
    from keras import layers

    return layers.ReLU()(norm(layers.DepthwiseConv2D(3, depth_multiplier=2)(x)))


def separable(x):
    from keras import layers

    return norm(layers.SeparableConv2D(4, 3, padding="same")(x))


def transposed(x):
    from keras import layers

    return norm(layers.Conv2DTranspose(3, 2, 2, padding="valid")(x))


def residual(x):
    from keras import layers

    y = norm(layers.Conv2D(x.shape[-1], 1)(x))  # two read it
    return layers.Add()([x, layers.ReLU()(y), y])


def branch(x):
    from keras import layers

    parts = [norm(layers.Conv2D(3, 1)(x)), layers.MaxPooling2D(3, 1, "same")(x)]
    return norm(layers.Concatenate()(parts))  # follows no kernel: stays


def shared(x):
    from keras import layers

    kernel, own = layers.Conv2D(x.shape[-1], 1), layers.BatchNormalization()
    return own(kernel(layers.ReLU()(own(kernel(x)))))


def scaled(x):
    from keras import layers

    factors = [0.5 + i for i in range(x.shape[-1])]
    return layers.Rescaling(factors, 0.1)(layers.Conv2D(x.shape[-1], 1)(x))


BLOCKS = (conv, depthwise, separable, transposed, residual, branch, shared, scaled)


def network(blocks):
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3), name="image")
    x = image
    for block in blocks:
        x = block(x)
    y = norm(layers.Dense(7)(x))  # a product of matrices between two reshapes
    x = norm(layers.Dense(6, activation=None)(layers.GlobalAveragePooling2D()(y)))
    return keras.Model(image, [x, y])


def batch_norms_left(graph):
    return [node.name for node in graph.order if node.op == "Rsqrt" or "BatchNorm" in node.op]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=4))
def test_a_folded_graph_is_the_same_function(freeze, compute, blocks):
    graph, _ = freeze(network(blocks))
    samples = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype(np.float32)
    before = compute(graph, samples)
    assert fold(graph) >= 2
    for old, new in zip(before, compute(graph, samples), strict=True):
        np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * np.abs(old).max())


def test_every_batch_norm_behind_a_kernel_is_gone(freeze):
    graph, _ = freeze(network([block for block in BLOCKS if block is not branch]))
    fold(graph)
    assert batch_norms_left(graph) == []


def test_a_batch_norm_behind_no_kernel_stays(freeze):
    import keras
    from keras import layers

    image = keras.Input((4, 4, 3), name="image")
    x = layers.ReLU()(norm(image))
    graph, _ = freeze(keras.Model(image, layers.Conv2D(2, 1)(x)))
    assert fold(graph) == 0
    assert [node.op for node in graph.order].count("Relu") == 1


def test_a_batch_norm_whose_kernel_another_branch_reads_too_stays(freeze, compute):
    import keras
    from keras import layers

    image = keras.Input((4, 4, 3), name="image")
    x = layers.Conv2D(3, 1, use_bias=False)(image)
    graph, _ = freeze(keras.Model(image, layers.Add()([norm(x), x])))
    assert fold(graph) == 0


def test_an_output_keeps_its_name_and_its_value(freeze, compute):
    import keras
    from keras import layers

    image = keras.Input((4, 4, 3), name="image")
    x = layers.Conv2D(3, 1)(image)
    graph, _ = freeze(keras.Model(image, [norm(x), norm(layers.Conv2D(2, 1)(x))]))
    samples = np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype(np.float32)
    before, names = compute(graph, samples), graph.outputs
    fold(graph)
    assert graph.outputs == names
    for old, new in zip(before, compute(graph, samples), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5)


def test_fused_batch_norms_of_a_saved_graph_fold_too(tmp_path, compute):
    import tensorflow as tf

    from edgekit.quantization.condition.graph import Graph

    random = np.random.default_rng(0)
    kernel = random.normal(size=(3, 3, 3, 4)).astype(np.float32)
    gamma, beta, mean, variance = (random.uniform(0.5, 2, 4).astype(np.float32) for _ in range(4))

    @tf.function(input_signature=[tf.TensorSpec((1, 6, 6, 3), name="image")])
    def net(x):
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(
            y, gamma, beta, mean, variance, is_training=False
        )
        return tf.nn.relu(y)

    concrete = net.get_concrete_function()
    graph = Graph(concrete.graph.as_graph_def(), ["image"], [concrete.outputs[0].name])
    samples = random.normal(size=(2, 6, 6, 3)).astype(np.float32)
    before = compute(graph, samples)
    assert fold(graph) == 1
    assert batch_norms_left(graph) == []
    np.testing.assert_allclose(compute(graph, samples)[0], before[0], atol=1e-4)


def test_factors_that_float32_cannot_hold_folded_are_left(freeze, compute):
    import keras
    from keras import layers

    image = keras.Input((4, 4, 3), name="image")
    x = layers.Conv2D(2, 1, name="conv")(image)
    model = keras.Model(image, layers.Rescaling(1e30)(layers.Rescaling(1e-30)(x)))
    model.get_layer("conv").set_weights([np.full((1, 1, 3, 2), 1e20), np.zeros(2)])
    graph, _ = freeze(model, random=False)
    samples = np.full((2, 4, 4, 3), 1e-20, np.float32)
    before = compute(graph, samples)
    fold(graph)
    np.testing.assert_allclose(compute(graph, samples)[0], before[0], rtol=1e-5)
