from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.training.checkpoint import rounded, save_weights

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def wide(units=128):
    import keras

    image = keras.Input((units,), name="x")
    x = keras.layers.Dense(units, name="first")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Reshape((units // 4, 4))(x)
    x = keras.layers.LSTM(8, name="loop")(x)
    return keras.Model(image, keras.layers.Dense(3, name="last")(x))


def test_keras_loads_the_file_and_finds_kernels_rounded_and_the_rest_as_it_was(tmp_path):
    import keras

    keras.utils.set_random_seed(1)
    model, other = wide(), wide()
    for weight in model.weights:
        weight.assign(np.random.default_rng(len(weight.path)).normal(size=weight.shape))
    before = model.get_weights()
    save_weights(model, tmp_path / "a.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    other.load_weights(tmp_path / "a.weights.h5")
    for name, asked, got in zip(
        [weight.path for weight in model.weights], before, other.get_weights(), strict=True
    ):
        assert np.array_equal(got, rounded(asked) if asked.ndim > 1 else asked), name
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]


def test_the_file_takes_a_third_of_the_bytes_and_is_the_same_every_time(tmp_path):
    model = wide(512)
    model.save_weights(tmp_path / "keras.weights.h5")
    for name in "ab":
        save_weights(model, tmp_path / f"{name}.weights.h5")
    sizes = {path.name[0]: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["a"] < 0.34 * sizes["k"]
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_rounding_leaves_seven_bits_to_the_nearest_and_never_makes_an_infinity(values):
    given_values = np.array(values, np.float32)
    made = rounded(given_values)
    assert made.dtype == np.float32
    assert np.array_equal(np.isfinite(made), np.isfinite(given_values))
    normal = np.isfinite(given_values) & (np.abs(given_values) >= np.finfo(np.float32).tiny)
    fractions, exponents = np.frexp(given_values[normal].astype(np.float64))
    wanted = np.ldexp(np.rint(fractions * 2.0**7) / 2.0**7, exponents)
    fits = np.abs(wanted) <= np.finfo(np.float32).max
    assert np.array_equal(made[normal][fits].astype(np.float64), wanted[fits])
    assert np.array_equal(rounded(made), made, equal_nan=True)
