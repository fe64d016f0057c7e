"""A small model of sound with its features in the graph, and tones to train and try it with."""

from __future__ import annotations

import numpy as np

from edgekit.verbs.export import ExportRequest, export
from edgekit.verbs.train import train_model
from tests.bundles.wavs import wav

RATE, LENGTH = 8000, 1000
TARGETS = ("tflite", "onnx", "openvino")
HERTZ = {"high": 1800, "low": 200, "middle": 700}

# A spectrogram on the mel scale, by layers that every converter knows.
MODEL_PY = """
import keras
import numpy as np

FRAME, HOP, BANDS = 128, 64, 16


def _waves():
    at = np.arange(FRAME)[:, None] * np.arange(FRAME // 2 + 1)[None] * 2 * np.pi / FRAME
    window = np.hanning(FRAME)[:, None]
    return np.concatenate([window * np.cos(at), window * np.sin(at)], axis=1)[:, None]


def _bands(rate_hz=8000):
    mel = np.linspace(0, 2595 * np.log10(1 + rate_hz / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1) * FRAME / rate_hz
    bins = np.arange(FRAME // 2 + 1)[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall))


def build(classes, length=1000):
    bins = FRAME // 2 + 1
    sound = keras.Input((length,), name="sound")
    x = keras.layers.Reshape((length, 1))(sound)
    waves = keras.layers.Conv1D(2 * bins, FRAME, strides=HOP, use_bias=False)
    x = keras.ops.square(waves(x))
    x = keras.ops.add(x[..., :bins], x[..., bins:])
    bands = keras.layers.Dense(BANDS, use_bias=False)
    x = keras.ops.log(bands(x) + 1e-3)
    waves.set_weights([_waves()])
    bands.set_weights([_bands()])
    waves.trainable = bands.trainable = False
    x = keras.layers.Conv1D(16, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(sound, keras.layers.Dense(classes, name="logits")(x))
"""

MODEL_TOML = f"""
name = "tones"
task = "audio-classification"
output = "logits"

[parameters]
length = {LENGTH}

[[inputs]]
name = "sound"
dtype = "float32"
shape = ["length"]
layout = "waveform"
range = [-1, 1]
rate_hz = {RATE}

[train]
epochs = 4
learning_rate = 0.02
batch_size = 16
"""


def tone(draw, hertz, instants, *, rate=RATE):
    """float64 in −1…1: a tone about as high, and a little noise."""
    at = np.arange(instants) / rate
    wave = np.sin(2 * np.pi * hertz * draw.uniform(0.9, 1.1) * at + draw.uniform(0, 6))
    return np.clip(draw.uniform(0.1, 0.7) * wave + draw.normal(0, 0.05, instants), -1, 1)


def as_wav(values, *, channels=1, rate=RATE):
    whole = np.repeat((values * 32767).astype("<i2"), channels)
    return wav(whole.tobytes(), channels=channels, rate=rate)


def thousand_wavs():
    """Tones of any height, mono and stereo, cut, filled up, silent and loudest."""
    draw = np.random.default_rng(6)
    made = [as_wav(np.zeros(0)), as_wav(np.zeros(LENGTH)), as_wav(np.ones(LENGTH))]
    while len(made) < 1000:
        instants = int(draw.integers(1, 2 * LENGTH))
        sound = tone(draw, draw.uniform(60, 3500), instants)
        made.append(as_wav(sound, channels=1 + len(made) % 2))
    return made


def make_artifacts(folder):
    """Train the model and export it to every target in float, below `folder`/tones."""
    source, data = folder / "source", folder / "data"
    source.mkdir()
    (source / "model.py").write_text(MODEL_PY)
    (source / "model.toml").write_text(MODEL_TOML)
    draw = np.random.default_rng(1)
    for name, hertz in HERTZ.items():
        (data / name).mkdir(parents=True)
        for number in range(80):
            sound = tone(draw, hertz, int(draw.integers(800, 1200)))
            (data / name / f"{number}.wav").write_bytes(as_wav(sound))
    train_model(str(source), data=data, out=folder / "run")
    weights = folder / "run" / "data.weights.h5"
    export(ExportRequest(str(source), targets=TARGETS, data=data, weights=weights, out=folder))
