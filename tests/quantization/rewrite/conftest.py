"""Frozen graphs of small Keras models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.exporters.tracing import Trace, trace_model
from edgekit.quantization.condition.graph import Graph


@pytest.fixture
def freeze(tmp_path_factory):
    """Trace and freeze a Keras model; non-trivial batch norms and biases, the same each time."""

    def make(model) -> tuple[Graph, Trace]:
        random = np.random.default_rng(3)
        for variable in model.weights:
            name = variable.path.rsplit("/", 1)[-1]
            if name in ("gamma", "moving_variance"):
                variable.assign(random.uniform(0.3, 3.0, variable.shape))
            elif name in ("beta", "moving_mean", "bias"):
                variable.assign(random.normal(0, 0.5, variable.shape))
        trace, _ = trace_model(model, tmp_path_factory.mktemp("trace"))
        names = [spec.name for spec in trace.inputs]
        return Graph(trace.graph_def(), names, list(trace.output_tensors)), trace

    return make


def network():
    """Convolutions of two kinds, squeeze and excite and four hard-swish: 24 × 24 pixels."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    image = keras.Input((24, 24, 3), name="image")
    x = layers.Conv2D(16, 3, 2, "same", use_bias=False)(image)
    x = layers.Activation("hard_swish")(layers.BatchNormalization()(x))
    for _ in range(2):
        y = layers.Conv2D(32, 1, activation="hard_swish")(x)
        y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)
        s = layers.GlobalAveragePooling2D(keepdims=True)(y)
        s = layers.Conv2D(8, 1, activation="relu")(s)
        s = layers.Conv2D(32, 1, activation="hard_sigmoid")(s)
        y = layers.Conv2D(16, 1)(layers.Multiply()([y, s]))
        x = layers.Add()([x, y]) if _ else y
    x = layers.Conv2D(32, 1, activation="hard_swish")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(4, name="logits")(x))


def edgekit(*arguments, status=0, **more):
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="session")
def swished(made_once) -> Path:
    """Folder with `swished.keras`, its stock int8 in `build/` and what that export said."""

    def fill(folder):
        random = np.random.default_rng(4)
        values = random.uniform(-1, 1, (60, 24, 24, 3)).astype(np.float32)
        np.savez(folder / "noise.npz", x=values, y=np.arange(60) % 4)
        network().save(folder / "swished.keras")
        done = edgekit(
            *("export", "swished.keras", "--int8", "--target", "tflite", "--no-fix", "--json"),
            *("--data", "noise.npz", "--max-drop", "100", "--input-range=-1,1"),
            cwd=folder,
        )
        (folder / "export.json").write_text(done.stdout, encoding="utf-8")

    return made_once("swished", fill)


@pytest.fixture
def run():
    """`edgekit`, as a person runs it."""
    return edgekit
