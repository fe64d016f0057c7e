"""A model of sound end to end: WAV files in, a trained model out."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.verbs.train import train_model

# Keras reads TensorFlow's arrays in a way that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

MODEL_PY = """
import keras


def build(classes, length=256):
    sound = keras.Input((length,), name="sound")
    x = keras.layers.Reshape((length, 1))(sound)
    x = keras.layers.Conv1D(8, 16, strides=4, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(sound, keras.layers.Dense(classes, name="logits")(x))
"""

MODEL_TOML = """
name = "tones"
task = "audio-classification"
output = "logits"

[parameters]
length = 256

[[inputs]]
name = "sound"
dtype = "float32"
shape = ["length"]
layout = "waveform"
range = [-1, 1]
rate_hz = 8000

[train]
epochs = 10
learning_rate = 0.03
batch_size = 16
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tones"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL_PY)
    (folder / "model.toml").write_text(MODEL_TOML)
    return folder


def write_tones(folder, rate=8000):
    random = np.random.default_rng(1)
    for name, hertz in (("low", 200), ("high", 1800)):
        (folder / name).mkdir(parents=True)
        for number in range(80):
            at = np.arange(random.integers(200, 300)) / 8000
            tone = 0.5 * np.sin(2 * np.pi * hertz * at + random.uniform(0, 6))
            with wave.open(str(folder / name / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(rate)
                file.writeframes((tone * 32767).astype("<i2").tobytes())
    return folder


def test_a_model_learns_to_tell_tones_apart(model, tmp_path):
    result = train_model(str(model), data=write_tones(tmp_path / "data"), out=tmp_path / "run")
    assert result.trained.test.value > 80  # chance is 50


def test_files_of_another_rate_end_the_training_with_both_rates(model, tmp_path):
    folder = write_tones(tmp_path / "data", rate=16000)
    with pytest.raises(DataError, match=r"16,000 Hz; the model takes 8,000 Hz"):
        train_model(str(model), data=folder, out=tmp_path / "run")
