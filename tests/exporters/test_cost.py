from __future__ import annotations

import pytest

from edgekit.exporters.cost import multiply_adds
from edgekit.loading import without_jit_compile

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def counted(layers, shape) -> int:
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    model = keras.Sequential([keras.Input(shape), *layers])
    function = tf.function(lambda x: model(x, training=False))
    with without_jit_compile():
        concrete = function.get_concrete_function(tf.TensorSpec((1, *shape)))
    # Frozen, as exports count: inner functions are inlined.
    return multiply_adds(convert_variables_to_constants_v2(concrete).graph)


def test_a_convolution_costs_its_kernel_at_every_place():
    import keras

    assert counted([keras.layers.Conv2D(8, 3, 2, "same")], (16, 16, 4)) == 8 * 8 * 8 * 9 * 4


def test_a_grouped_convolution_costs_a_groups_channels_only():
    import keras

    layer = keras.layers.Conv2D(8, 3, padding="same", groups=2)
    assert counted([layer], (4, 4, 4)) == 4 * 4 * 8 * 9 * 2


def test_a_depthwise_convolution_costs_one_channel_each():
    import keras

    layer = keras.layers.DepthwiseConv2D(5, padding="same")
    assert counted([layer], (8, 8, 6)) == 8 * 8 * 6 * 25


def test_a_transposed_convolution_costs_its_kernel_at_every_place_of_the_input():
    import keras

    layer = keras.layers.Conv2DTranspose(3, 4, 2, "same")
    assert counted([layer], (5, 5, 2)) == 5 * 5 * 2 * 16 * 3


def test_a_dense_layer_costs_inputs_times_outputs():
    import keras

    assert counted([keras.layers.Dense(7)], (11,)) == 77


def test_attention_costs_its_projections_and_both_products():
    import keras

    tokens = keras.Input((6, 8))
    layer = keras.layers.MultiHeadAttention(2, 4, flash_attention=False)
    model = keras.Model(tokens, layer(tokens, tokens))
    import tensorflow as tf

    function = tf.function(lambda x: model(x, training=False))
    graph = function.get_concrete_function(tf.TensorSpec((1, 6, 8))).graph
    assert multiply_adds(graph) == 4 * 6 * 8 * 8 + 2 * 6 * 6 * 8
