"""What the classifiers of letters are by construction, whatever their weights."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.loading import build_keras
from edgekit.models import resolve_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def built(name, **parameters):
    return build_keras(resolve_model(name, parameters=parameters), weights=None, classes=7)


def noise(size, count=2):
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def test_only_the_response_units_of_the_perceptron_are_learned():
    model = built("perceptron")
    assert [v.path for v in model.trainable_variables] == ["logits/kernel", "logits/bias"]


def test_no_association_unit_of_the_perceptron_fires_on_an_even_ground():
    import keras

    model = built("perceptron")
    units = keras.Model(model.input, model.get_layer("fired").output)
    for level in (0, 100, 255):
        assert not np.asarray(units(np.full((1, 32, 32, 3), level, np.uint8))).any()


def test_an_association_unit_fires_where_brightness_rises_in_its_direction_alone():
    import keras

    model = built("perceptron")
    units = keras.Model(model.input, model.get_layer("fired").output)
    rising = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None] * 8, (1, 32, 32))
    fired = np.asarray(units(np.repeat(rising[..., None], 3, axis=3)))[0, 15, 15]
    strongest = 2  # of eight directions from the right on: down
    assert fired.argmax() == strongest
    assert not fired[4:].any()
    # 8 of 255 levels a pixel, in hundredths, less the threshold.
    assert fired[strongest] == pytest.approx(100 * (8 / 255 - 0.03), abs=1e-3)


def test_lenet_tells_a_picture_from_its_negative():
    # Were all biases zero, the logits of one would be those of the other times -1.
    model = built("lenet")
    picture = noise(32)
    one, other = np.asarray(model(picture)), np.asarray(model(255 - picture))
    assert np.abs(one + other).max() > 0.1


def test_a_picture_moved_by_a_step_moves_the_places_of_overfeat_by_one():
    model = built("overfeat", size=96, grid=True)
    picture = noise(96)
    moved = np.roll(picture, 8, axis=1)
    _, places = model(picture)
    _, after = model(moved)
    # Places nearer to the edge see some of the zeros around the picture.
    np.testing.assert_allclose(
        np.asarray(places)[:, 2:6, 2:7], np.asarray(after)[:, 3:7, 2:7], atol=1e-4
    )


def test_overfeat_gives_of_each_class_the_highest_logit_of_all_places():
    logits, places = built("overfeat", size=48, grid=True)(noise(48))
    assert places.shape == (2, 3, 3, 7)
    np.testing.assert_array_equal(np.asarray(logits), np.asarray(places).max(axis=(1, 2)))


def test_weights_of_overfeat_fit_pictures_of_any_size():
    small, large = built("overfeat"), built("overfeat", size=64, grid=True)
    assert [w.shape for w in small.weights] == [w.shape for w in large.weights]


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_has_as_many_layers_with_weights_as_its_name_says(depth):
    import keras

    kinds = keras.layers.Conv2D | keras.layers.Dense
    layers = [layer for layer in built("vgg", depth=depth).layers if isinstance(layer, kinds)]
    assert len(layers) == depth


def test_alexnet_normalises_by_the_neighbouring_channels():
    import keras

    model = built("alexnet")
    norm = model.get_layer("norm1")
    around = keras.Model(model.input, [norm.input, norm.output])
    before, after = (np.asarray(x) for x in around(noise(32)))
    energy = np.pad(before**2, ((0, 0),) * 3 + ((2, 2),))
    near = sum(energy[..., at : at + before.shape[3]] for at in range(5))
    np.testing.assert_allclose(after, before / (2 + near) ** 0.75, rtol=1e-4, atol=1e-6)
