from __future__ import annotations

import numpy as np
import pytest

from edgekit.detection import suppress
from edgekit.errors import EdgekitError
from edgekit.loading import build_keras
from edgekit.models import resolve_model
from edgekit.training.objectives.detection import place_centres

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = {"size": 64, "width": 0.5}


def built(classes=3, **parameters):
    source = resolve_model("yolo", parameters={**SMALL, **parameters})
    return build_keras(source, weights=None, classes=classes)


def test_the_nano_size_has_one_to_two_million_parameters_at_320():
    model = build_keras(resolve_model("yolo"), weights=None, classes=80)
    assert model.input_shape == (None, 320, 320, 3)
    assert 1_000_000 < model.count_params() < 2_000_000
    assert [tuple(output.shape[1:]) for output in model.outputs] == [(2100, 4), (2100, 80)]


@pytest.mark.parametrize("activation", ["relu6", "silu", "hard_swish"])
def test_width_depth_and_activation_are_parameters(activation):
    plain = built()
    other = built(activation=activation, depth=2.0)
    assert other.count_params() > plain.count_params()
    assert built(width=0.75).count_params() > plain.count_params()


def test_untrained_boxes_lie_about_their_places_and_nothing_is_likely():
    model = built()
    picture = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    boxes, scores = (np.asarray(output) for output in model(picture, training=False))
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert np.abs(middles - place_centres(84)).max() < 0.2
    assert (boxes[..., 2:] > boxes[..., :2]).all()
    assert np.median(1 / (1 + np.exp(-scores))) == pytest.approx(0.01, abs=0.005)


def test_suppression_in_the_graph_is_the_one_of_edgekit_detection():
    import keras

    keras.utils.set_random_seed(2)
    plain, choosing = built(), built(nms=True)
    random = np.random.default_rng(1)
    for weight in plain.weights:
        if weight.name == "kernel" and weight.shape[-1] in (3, 4):
            weight.assign(random.normal(0, 0.3, weight.shape))
    choosing.set_weights(plain.get_weights())
    pictures = random.integers(0, 256, (4, 64, 64, 3), np.uint8)
    boxes, logits = (np.asarray(output) for output in plain(pictures, training=False))
    chosen = [np.asarray(output) for output in choosing(pictures, training=False)]
    suppressed = 0
    for picture in range(len(pictures)):
        order = np.argsort(-logits[picture].max(axis=1), kind="stable")
        ranked = np.clip(boxes[picture][order].astype(np.float64), 0, 1)
        kinds = logits[picture][order].argmax(axis=1)
        np.testing.assert_allclose(chosen[0][picture], ranked, atol=1e-6)
        np.testing.assert_array_equal(chosen[2][picture], kinds)
        kept = suppress(ranked, kinds, 0.6)
        np.testing.assert_array_equal(np.flatnonzero(chosen[1][picture]), kept)
        assert len(kept) > 0
        suppressed += len(ranked) - len(kept)
    assert suppressed > 20


def test_outputs_are_named_as_they_come_with_and_without_suppression():
    for nms, names in ((False, ("boxes", "scores")), (True, ("boxes", "scores", "classes"))):
        spec = resolve_model("yolo", parameters={"nms": nms}).spec
        assert spec.outputs == names
        assert len(built(nms=nms).outputs) == len(names)


@pytest.mark.parametrize(("parameters", "reason"), [
    ({"size": 100}, "size 100 must be a multiple of 32"),
    ({"activation": "gelu"}, "activation 'gelu': one of relu6, silu, hard_swish"),
])  # fmt: skip
def test_impossible_parameters_are_refused_by_name(parameters, reason):
    with pytest.raises((EdgekitError, ValueError), match=reason):
        built(**parameters)
