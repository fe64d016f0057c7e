"""A detector end to end: pictures with boxes in, a trained model out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODEL_PY = """
import keras
import numpy as np
from keras import layers, ops

from edgekit.training.objectives.detection import place_centres


def build(classes):
    image = keras.Input((32, 32, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    sides, scores = [], []
    for number in range(5):
        x = layers.Conv2D(16, 3, strides=2, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        if number >= 2:  # strides 8, 16 and 32
            near = layers.Conv2D(4, 1, bias_initializer="ones")(x)
            sides.append(layers.Reshape((-1, 4))(near) * 2.0 ** (number + 1) / 32)
            score = layers.Conv2D(classes, 1, bias_initializer=keras.initializers.Constant(-3))(x)
            scores.append(layers.Reshape((-1, classes))(score))
    away = ops.relu(layers.Concatenate(axis=1)(sides))
    centres = place_centres(21)[None]
    ends = [ops.subtract(centres, away[..., :2]), ops.add(centres, away[..., 2:])]
    boxes = ops.concatenate(ends, axis=-1)
    return keras.Model(image, [boxes, layers.Concatenate(axis=1)(scores)])
"""

MODEL_TOML = """
name = "squares"
task = "object-detection"
outputs = ["boxes", "scores"]
activation = "sigmoid"
metric = "map50"

[[inputs]]
name = "image"
dtype = "uint8"
shape = [32, 32, 3]
layout = "HWC"
range = [0, 255]
resize = "letterbox"

[gate]
samples = 40

[train]
epochs = 6
learning_rate = 0.02
batch_size = 16

[train.augment]
flip = "both"
"""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "squares"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML)
    return folder


@pytest.fixture
def squares(tmp_path):
    """Noise with a bright red or blue square somewhere; YOLO's layout."""
    random = np.random.default_rng(0)
    root = tmp_path / "data"
    for split, count in (("train", 160), ("val", 40), ("test", 40)):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            label, side = number % 2, int(random.integers(10, 18))
            x, y = random.integers(0, 32 - side, 2)
            pixels = random.integers(0, 80, (32, 32, 3))
            pixels[y : y + side, x : x + side, 2 * label] = 250
            Image.fromarray(pixels.astype(np.uint8)).save(root / f"images/{split}/{number}.png")
            row = np.array([x + side / 2, y + side / 2, side, side]) / 32
            text = f"{label} {' '.join(map(str, row))}\n"
            (root / f"labels/{split}/{number}.txt").write_text(text)
    (root / "data.yaml").write_text("names: [red, blue]\n")
    return root


def test_a_detector_finds_and_names_most_squares_of_the_test(model, squares, tmp_path):
    result = train_model(str(model), data=squares, out=tmp_path / "run")
    run = result.trained
    history = json.loads((run.folder / "history.json").read_text())["history"]
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert run.test.name == "map50"
    # The right box with a class by chance has half of it; a box anywhere next to nothing.
    assert run.test.value > 60
    for picture in ("predictions.png", "pr.png"):
        assert (run.folder / picture).is_file()
    assert "data:image/png" in (run.folder / "report.html").read_text()


def test_one_class_is_enough_where_boxes_say_where_it_is(model, squares, tmp_path):
    (squares / "data.yaml").write_text("names: [square]\n")
    for labels in squares.glob("labels/*/*.txt"):
        labels.write_text(f"0{labels.read_text()[1:]}")
    run = train_model(str(model), data=squares, epochs=1, out=tmp_path / "run").trained
    assert run.test.samples == 40
    assert np.isfinite(json.loads((run.folder / "history.json").read_text())["history"][0]["loss"])
