"""Fréchet distance, against closed forms, and its features against the network they are of."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from edgekit.loading import build_keras
from edgekit.metrics import METRICS, MetricValue, score
from edgekit.metrics.features import features_of
from edgekit.metrics.generation import fitted, frechet, marks_of
from edgekit.models import resolve_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

METRIC = METRICS["frechet"]
ORIGIN = np.zeros(2)


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_axes_apart_add_up_the_squared_differences_of_deviations():
    found = frechet(np.array([1.0, 0]), np.diag([4.0, 9]), np.array([0, 2.0]), np.diag([1.0, 25]))
    assert found == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 5) ** 2)


def test_turned_covariances_agree_with_the_closed_form_of_two_dimensions():
    # tr (A B)^½ of 2 × 2 matrices is sqrt(tr(A B) + 2 sqrt(det(A B))).
    first = _turn(0.3) @ np.diag([4.0, 1]) @ _turn(0.3).T
    second = _turn(1.2) @ np.diag([2.0, 5]) @ _turn(1.2).T
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    wanted = np.trace(first) + np.trace(second) - 2 * root
    assert frechet(ORIGIN, first, ORIGIN, second) == pytest.approx(wanted)
    assert frechet(ORIGIN, second, ORIGIN, first) == pytest.approx(wanted)


def test_a_set_that_collapsed_to_one_picture_is_as_far_as_the_others_spread():
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    found = frechet(np.array([3.0, 4.0]), np.zeros((2, 2)), ORIGIN, covariance)
    assert found == pytest.approx(25 + 3)


def test_a_set_that_is_stretched_and_moved_is_apart_by_just_that():
    features = np.random.default_rng(0).normal(size=(50, 6)) @ np.diag(range(1, 7))
    mean, covariance = fitted(features)
    wanted = ((0.5 * mean + 2) ** 2).sum() + 0.25 * np.trace(covariance)
    assert marks_of(1.5 * features + 2, features).mean() == pytest.approx(wanted)
    assert np.allclose(covariance, np.cov(features.T))
    assert marks_of(features[::-1], features).mean() == pytest.approx(0, abs=1e-6)


def _distance(made: np.ndarray, real: np.ndarray) -> float:
    return frechet(*fitted(made), *fitted(real))


@pytest.mark.parametrize("rank", [5, 3])
def test_marks_vary_as_the_distance_of_sets_that_are_drawn_again(rank):
    random = np.random.default_rng(4)
    made, real = random.normal(size=(2, 400, 5)) @ random.normal(size=(2, 5, 5))
    made[:, rank:] = 1.0  # no spread there
    marks = marks_of(made, real)
    assert marks.mean() == pytest.approx(_distance(made, real))
    drawn = random.integers(0, 400, (300, 400))
    again = [_distance(made[rows], real[rows]) for rows in drawn]
    linear = marks[drawn].mean(axis=1)
    assert np.std(linear) == pytest.approx(np.std(again), rel=0.1)
    assert np.corrcoef(linear, again)[0, 1] > 0.98


def test_features_are_what_lenet_has_behind_its_last_hidden_layer():
    import keras

    source = resolve_model("lenet")
    model = build_keras(source, weights=source.weights_for("glyphs"), classes=36)
    hidden = keras.Model(model.inputs, model.get_layer("f6_squash").output)
    samples = open_dataset("glyphs").read("test", range(12), source.spec.inputs[0])
    wanted = hidden.predict(samples.inputs, verbose=0)
    assert np.abs(features_of(samples.inputs / 255) - wanted).max() < 1e-4


def test_larger_pictures_are_averaged_smaller_ones_repeated_and_grey_is_its_own_brightness():
    pictures = np.random.default_rng(1).random((2, 32, 32, 1)).astype(np.float32)
    wanted = features_of(pictures)
    assert np.allclose(features_of(pictures.repeat(2, axis=1).repeat(2, axis=2)), wanted, atol=1e-4)
    assert np.allclose(features_of(pictures.repeat(3, axis=3)), wanted, atol=1e-4)
    few = pictures[:, ::2, ::2]
    assert np.allclose(
        features_of(few), features_of(few.repeat(2, axis=1).repeat(2, axis=2)), atol=1e-4
    )
    for shape in ((2, 48, 48, 1), (2, 32, 32, 2), (2, 32, 16, 1), (2, 32, 32)):
        with pytest.raises(DataError, match="pictures"):
            features_of(np.zeros(shape))


@pytest.fixture(scope="module")
def pictures():
    from edgekit.spec import InputSpec

    image = InputSpec("image", "uint8", (32, 32, 3), "HWC")
    return open_dataset("glyphs").read("test", range(720), image).inputs.astype(np.float32) / 255


def test_what_looks_less_like_the_real_ones_is_farther_and_the_interval_says_so(pictures):
    noise = np.random.default_rng(2).normal(size=(360, 32, 32, 3)).astype(np.float32)
    near, real = pictures[:360], pictures[360:]
    far = np.clip(near + 0.25 * noise, 0, 1)
    found = score("frechet", [far], real, [near])
    assert found.unit == "distance"
    assert found.ci95[0] < found.value < found.ci95[1]
    assert found.reference < found.value
    assert found.drop == pytest.approx(found.value - found.reference)
    assert 0 < found.drop_ci95[0] < found.drop < found.drop_ci95[1]
    assert MetricValue.from_json(json.loads(json.dumps(found.to_json()))).scale.better < 0
    judged = METRIC.judge([near], real), METRIC.judge([far], real)
    assert METRIC.p_value(*judged) < 0.01
    assert METRIC.p_value(judged[0], judged[0]) == 1.0


def test_the_same_pictures_in_another_order_are_no_distance_apart(pictures):
    found = score("frechet", [pictures[::-1]], pictures)
    assert found.value < 1e-3
    assert found.ci95[0] >= 0


def test_pictures_of_another_size_and_too_few_are_refused(pictures):
    with pytest.raises(DataError, match=r"gives \[16, 16, 3\], the data set's pictures are \[32"):
        METRIC.judge([pictures[:, ::2, ::2]], pictures)
    with pytest.raises(DataError, match="no spread"):
        METRIC.judge([pictures[:1]], pictures[:1])
