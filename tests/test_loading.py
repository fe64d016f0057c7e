from __future__ import annotations

import numpy as np
import pytest

from edgekit.loading import unroll_recurrent

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_a_model_whose_file_has_layers_and_cells_of_its_own_is_unrolled():
    import keras
    from keras import layers

    class Doubled(layers.Layer):
        def __init__(self, factor, **options):
            super().__init__(**options)
            self.factor = factor

        def call(self, x):
            return x * self.factor

    class Adding(layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.state_size = self.output_size = units

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], self.state_size), name="kernel")

        def call(self, x, states, training=None):
            after = states[0] + keras.ops.matmul(x, self.kernel)
            return after, [after]

    readings = keras.Input((5, 2))
    x = layers.RNN(Adding(3), name="sums")(Doubled(2.0)(readings))
    model = keras.Model(readings, x)
    copy, names = unroll_recurrent(model, 256)
    assert names == ["sums"]
    assert copy.get_layer("sums").unroll
    given = np.random.default_rng(0).normal(0, 1, (4, 5, 2)).astype(np.float32)
    expected = 2 * given.sum(axis=1) @ np.asarray(model.weights[0])
    np.testing.assert_allclose(np.asarray(copy(given)), expected, atol=1e-5)
