"""A model folder that trains in a second, and data it can learn."""

from __future__ import annotations

import numpy as np
import pytest

MODEL_PY = """
import keras


def build(classes, channels=8, size=16):
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(channels, 3, strides=2, use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU(6.0)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(image, keras.layers.Dense(classes, name="logits")(x))
"""

MODEL_TOML = """
name = "tiny"
task = "image-classification"
output = "logits"

[parameters]
channels = 8
size = 16

[[inputs]]
name = "image"
dtype = "uint8"
shape = ["size", "size", 3]
layout = "HWC"

[gate]
samples = 90

[train]
learning_rate = 0.02
batch_size = 20
ema = 0.9
"""


@pytest.fixture(scope="session")
def write_tiny():
    """Makes the model folder; gives its path."""

    def write(folder):
        folder.mkdir()
        (folder / "model.py").write_text(MODEL_PY)
        (folder / "model.toml").write_text(MODEL_TOML)
        return folder

    return write


@pytest.fixture
def tiny(write_tiny, tmp_path):
    return write_tiny(tmp_path / "tiny")


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    """Noisy pictures, reddish, greenish or bluish: 300 to train on, 90 to test. Only read."""
    random = np.random.default_rng(0)
    labels = np.arange(390) % 3
    pictures = random.integers(0, 200, (390, 16, 16, 3))
    pictures[np.arange(390), :, :, labels] += 40
    pictures = pictures.astype(np.uint8)
    path = tmp_path_factory.mktemp("colours") / "colours.npz"
    np.savez(
        path,
        x_train=pictures[:300],
        y_train=labels[:300],
        x_test=pictures[300:],
        y_test=labels[300:],
    )
    return path
