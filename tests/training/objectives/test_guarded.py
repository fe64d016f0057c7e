"""Faults in a model folder's `training.py` are told with the file and the function."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.models import resolve_model
from edgekit.training.learner import Learner
from edgekit.training.objectives import objective_for
from edgekit.training.recipe import Recipe
from tests.training.objectives.test_own import MODEL_PY, MODEL_TOML

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TRAINING_PY = """
import sys

import keras
import tensorflow as tf

from edgekit.training.objectives import Objective, Play, as_float


def objective(recipe, classes):
    return Own(recipe, classes)


class Own(Objective):
    def loss(self, outputs, labels):
        return tf.reduce_mean(tf.square(outputs[0] - labels))

    def validation_loss(self, outputs, labels):
        return 0.0

"""


PLAYS = """def plays(self, model, inputs, labels):
    outputs = as_float(model(inputs))
    {}"""


@pytest.fixture(scope="module")
def model():
    namespace = {}
    exec(MODEL_PY, namespace)
    return namespace["build"](0)


@pytest.fixture
def objective_of(tmp_path):
    (tmp_path / "model.py").write_text(MODEL_PY)
    (tmp_path / "model.toml").write_text(MODEL_TOML.format(task="image-reconstruction"))

    def made(method):
        code = TRAINING_PY + "\n".join(f"    {line}" for line in method.splitlines())
        (tmp_path / "training.py").write_text(code + "\n")
        source = resolve_model(str(tmp_path))
        return objective_for("image-reconstruction", Recipe(), 0, source=source)

    return made


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("def loss(self, outputs, labels): raise KeyError('boom')", "loss.* KeyError: 'boom'"),
        ("def loss(self, outputs): return 0.0", r"loss.* TypeError: .*positional argument"),
        ("def loss(self, outputs, labels): sys.exit(3)", "loss.* SystemExit: 3"),
        ("def loss(self, outputs, labels): return outputs[0]", r"not one number"),
        ("def loss(self, outputs, labels): return tf.constant(1.0)", "depend on any weight"),
        ("def hits(self, outputs, labels): return 'many'", r"hits\(\) gave str"),
        ("def hits(self, outputs, labels): return [][1]", r"hits\(\) failed: IndexError"),
        ("def plays(self, model, inputs, labels): return []", r"plays\(\) gave list"),
        (
            PLAYS.format("return self.loss(outputs, labels), outputs"),
            r"plays\(\) gave tuple, not a list of Play",
        ),
        (
            PLAYS.format("return 2 * [Play(self.loss(outputs, labels), [model])], outputs"),
            "same weights by two plays",
        ),
    ],
)
def test_what_fails_in_a_step_is_told(objective_of, model, method, told):
    learner = Learner(model, Recipe(), objective_of(method))
    inputs = np.zeros((4, 16, 16, 3), np.uint8)
    with pytest.raises(ModelError, match=told) as caught:
        learner.train_step(inputs, inputs.astype(np.float32), rate=1e-3, stage_step=0)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("def companions(self, model): return None", r"training.py: companions\(\) gave nothing"),
        ("def companions(self, model): return 'critic'", r"companions\(\) gave str"),
        ("def companions(self, model): raise RuntimeError('c')", r"companions\(\) failed: Run"),
    ],
)
def test_companions_are_models(objective_of, model, method, told):
    with pytest.raises(ModelError, match=told):
        Learner(model, Recipe(), objective_of(method))


def test_experience_is_a_source_or_nothing(objective_of):
    own = objective_of("def experience(self, policy, dataset, *, seed): return 5")
    with pytest.raises(ModelError, match=r"experience\(\) gave int, not a Source"):
        own.experience(None, None, seed=0)


@pytest.mark.parametrize("value", ["None", "'low'"])
def test_a_loss_over_validation_samples_is_a_number(objective_of, value):
    own = objective_of(f"def validation_loss(self, outputs, labels): return {value}")
    with pytest.raises(ModelError, match=r"validation_loss\(\) gave \w+, not a number"):
        own.validation_loss([], np.zeros(1))


def test_what_is_right_passes_through(objective_of, model):
    learner = Learner(model, Recipe(), objective_of("pass"))
    inputs = np.zeros((4, 16, 16, 3), np.uint8)
    labels = inputs.astype(np.float32)
    losses = [learner.train_step(inputs, labels, rate=1e-2, stage_step=s)[0] for s in range(5)]
    assert losses[-1] < losses[0]
