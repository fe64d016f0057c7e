from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.loading import build_keras, unroll_recurrent
from edgekit.models import resolve_model

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


@pytest.mark.parametrize(
    ("shapes", "taken"),
    [
        ("(4,), (8,)", r"takes \[4\], \[8\]"),
        ("(8,),", r"takes \[8\]; "),
        ("(8,), (4, 1)", r"\[4, 1\]"),
    ],
)
def test_a_build_that_takes_other_inputs_than_its_model_toml_says_is_told(shapes, taken, tmp_path):
    (tmp_path / "model.toml").write_text(
        'name = "two"\ntask = "image-classification"\n'
        '[[inputs]]\nname = "left"\ndtype = "float32"\nshape = [8]\n'
        '[[inputs]]\nname = "right"\ndtype = "float32"\nshape = [4]\n'
    )
    (tmp_path / "model.py").write_text(
        "import keras\n\n\ndef build(classes):\n"
        f"    inputs = [keras.Input(shape) for shape in ({shapes})]\n"
        "    flat = [keras.layers.Flatten()(one) for one in inputs]\n"
        "    joined = keras.layers.Concatenate()(flat) if len(flat) > 1 else flat[0]\n"
        "    return keras.Model(inputs, keras.layers.Dense(classes)(joined))\n"
    )
    said = taken + r".*model.toml says left \[8\], right \[4\]" if "; " not in taken else taken
    with pytest.raises(ModelError, match=said):
        build_keras(resolve_model(str(tmp_path)), weights=None, classes=3)


def test_a_folder_s_code_that_exits_is_told_not_followed(tmp_path):
    (tmp_path / "model.toml").write_text(
        'name = "one"\ntask = "image-classification"\n'
        '[[inputs]]\nname = "x"\ndtype = "float32"\nshape = [8]\n'
    )
    (tmp_path / "model.py").write_text("import sys\n\nsys.exit(3)\n")
    with pytest.raises(ModelError, match=r"model\.py: .*SystemExit: 3"):
        build_keras(resolve_model(str(tmp_path)), weights=None, classes=3)
