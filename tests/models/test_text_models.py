from __future__ import annotations

import numpy as np
import pytest

from edgekit.loading import build_keras
from edgekit.models import resolve_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("text-transformer", "language-id")


def built(name, **parameters):
    return build_keras(resolve_model(name, parameters=parameters), weights=None, classes=7)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_of_fill_ups_alone_gives_finite_logits(name):
    model = built(name)
    tokens = np.zeros((2, model.inputs[0].shape[1]), np.int32)
    assert np.isfinite(np.asarray(model(tokens))).all()


def test_more_fill_ups_change_no_logit_of_the_text_transformer():
    short, long = built("text-transformer", length=16), built("text-transformer", length=40)
    random = np.random.default_rng(2)
    for from_, to in zip(short.weights, long.weights, strict=True):
        values = random.normal(0, 0.3, from_.shape).astype(np.float32)
        from_.assign(values)
        if from_.shape == to.shape:
            to.assign(values)
        else:  # positions
            to.assign(np.concatenate([values, random.normal(0, 0.3, (24, 192))]))
    tokens = random.integers(1, 4000, (6, 16)).astype(np.int32)
    for row in range(6):
        tokens[row, 3 * row + 1 :] = 0
    padded = np.pad(tokens, ((0, 0), (0, 24)))
    np.testing.assert_allclose(np.asarray(short(tokens)), np.asarray(long(padded)), atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_tokens_counts(name):
    model = built(name)
    length = model.inputs[0].shape[1]
    tokens = np.random.default_rng(3).integers(1, 200, (1, length)).astype(np.int32)
    there, back = np.asarray(model(tokens)), np.asarray(model(tokens[:, ::-1]))
    assert np.abs(there - back).max() > 1e-3


def test_the_text_transformer_has_fewer_than_four_million_parameters():
    assert (
        build_keras(resolve_model("text-transformer"), weights=None, classes=151).count_params()
        < 4_000_000
    )
