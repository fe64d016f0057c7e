"""Objectives that a model folder brings itself, and those of tasks without classes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.errors import ModelError
from edgekit.models import resolve_model
from edgekit.training.objectives import objective_for
from edgekit.training.recipe import Recipe
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODEL_PY = """
import keras


def build(classes, channels=8, size=16):
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="sigmoid")(x)
    return keras.Model(image, x)
"""

MODEL_TOML = """
name = "coder"
task = "{task}"
output = "picture"
metric = "psnr"

[parameters]
channels = 8
size = 16

[[inputs]]
name = "image"
dtype = "uint8"
shape = ["size", "size", 3]
layout = "HWC"

[gate]
samples = 64

[train]
learning_rate = 0.01
batch_size = 32
samples_per_epoch = 320
validation_samples = 64
"""

# A critic that tells pictures from what the coder makes of them, and a coder that also wants it to
# fail: two plays, each with its own weights.
TRAINING_PY = """
import keras
import tensorflow as tf

from edgekit.training.objectives import Objective, Play, as_float


def objective(recipe, classes):
    return Adversarial(recipe, classes)


class Adversarial(Objective):
    def companions(self, model):
        keras.utils.set_random_seed(7)
        picture = keras.Input(model.output.shape[1:])
        x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(picture)
        self.critic = keras.Model(picture, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
        return [self.critic]

    def plays(self, model, inputs, labels):
        outputs = as_float(model(inputs, training=True))
        made, real = self.critic(outputs[0]), self.critic(labels)
        fooled = tf.reduce_mean(tf.nn.softplus(-made))
        fixed = self.critic(tf.stop_gradient(outputs[0]))
        told = tf.reduce_mean(tf.nn.softplus(fixed)) + tf.reduce_mean(tf.nn.softplus(-real))
        near = tf.reduce_mean(tf.square(outputs[0] - labels))
        return [Play(near + 0.001 * fooled, [model]), Play(told, [self.critic])], outputs

    def loss(self, outputs, labels):
        return tf.reduce_mean(tf.square(outputs[0] - labels))

    def validation_loss(self, outputs, labels):
        return float(((outputs[0] - labels) ** 2).mean())
"""


@pytest.fixture
def coder(tmp_path):
    folder = tmp_path / "coder"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML.format(task="image-reconstruction"))
    return folder


def _history(run):
    return json.loads((run / "history.json").read_text())["history"]


def test_an_autoencoder_learns_pictures_in_decibels(coder, tmp_path):
    result = train_model(str(coder), dataset="glyph-pictures", epochs=4, out=tmp_path / "run")
    history = _history(tmp_path / "run")
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert history[-1]["validation"] > history[0]["validation"] + 1
    assert [entry["best"] for entry in history][-1]
    assert result.trained.test.unit == "dB"
    assert (tmp_path / "run" / "predictions.png").is_file()


def test_a_folder_with_a_critic_trains_both_and_goes_on_as_if_never_stopped(coder, tmp_path):
    (coder / "training.py").write_text(TRAINING_PY)
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    train_model(str(coder), dataset="glyph-pictures", epochs=2, out=whole)
    with np.load(whole / "state.npz") as state:
        companions = [state[key] for key in state.files if key.startswith("companions.")]
        optimizer = [key for key in state.files if key.startswith("optimizer.")]
    assert [one.shape for one in companions] == [(3, 3, 3, 4), (4,), (7 * 7 * 4, 1), (1,)]
    assert any(np.abs(one).max() > 0 for one in (companions[1], companions[3]))  # began at zero
    assert len(optimizer) == 2 + 2 * (4 + 4)  # moments of the weights of both
    stop_after(1, coder, halved)
    train_model(str(coder), dataset="glyph-pictures", epochs=2, out=halved)
    assert [e["epoch"] for e in _history(halved)] == [1, 2]
    with np.load(halved / "state.npz") as state:
        again = [state[key] for key in state.files if key.startswith("companions.")]
    for one, other in zip(companions, again, strict=True):
        assert np.allclose(one, other, atol=2e-3)


def stop_after(epochs, model, run):
    """Train until so many epochs are done, then fail as a full disk would: the state stays."""

    class Stopped(Exception):
        pass

    def stop(step):
        if step.note.startswith(f"epoch {epochs + 1}/"):
            raise Stopped

    with pytest.raises(Stopped):
        train_model(str(model), dataset="glyph-pictures", epochs=2, out=run, report=stop)


def test_what_is_no_objective_and_a_task_without_one_are_refused(coder):
    source, recipe = resolve_model(str(coder)), Recipe()
    with pytest.raises(ModelError, match="objective of their own"):
        objective_for("image-generation", recipe, 0, source=source)
    (coder / "training.py").write_text("def objective(recipe, classes):\n    return 3\n")
    with pytest.raises(ModelError, match="gave int"):
        objective_for("image-reconstruction", recipe, 0, source=source)
    (coder / "training.py").write_text("x = 1\n")
    with pytest.raises(ModelError, match=r"no function objective\(\)"):
        objective_for("image-reconstruction", recipe, 0, source=source)


@pytest.mark.parametrize(
    ("task", "shape"), [("image-segmentation", (5, 6, 4)), ("sequence-tagging", (7, 4))]
)
def test_the_loss_of_steps_and_pixels_is_their_cross_entropy_where_they_count(task, shape):
    import tensorflow as tf

    random = np.random.default_rng(2)
    logits = random.normal(size=(3, *shape)).astype(np.float32)
    labels = random.integers(-1, shape[-1], (3, *shape[:-1]))
    objective = objective_for(task, Recipe(), shape[-1])
    loss = float(objective.loss([tf.constant(logits)], tf.constant(labels)))
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    own = np.take_along_axis(shares, np.maximum(labels, 0)[..., None], axis=-1)[..., 0]
    wanted = -np.log(own)[labels >= 0].mean()
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert objective.validation_loss([logits], labels) == pytest.approx(wanted, rel=1e-5)
    hits = float(objective.hits([tf.constant(logits)], tf.constant(labels)))
    right = logits.argmax(axis=-1) == labels
    each = [right[i][labels[i] >= 0].mean() for i in range(3)]
    assert hits == pytest.approx(sum(each), rel=1e-5)
