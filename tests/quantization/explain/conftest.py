"""Artifacts of a small network with one layer sabotaged, exported by all three converters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SABOTAGED = "project"


def network(*, sabotaged: bool):
    """Convolutions of three kinds; `project` reads a channel that is always zero."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False, name="first")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="norm")(x))
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    skip = x
    x = layers.Conv2D(8, 1, activation="relu", name="project")(x)
    x = layers.Add(name="add")([x, skip])
    x = layers.Conv2D(8, 3, activation="relu", name="last")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x))
    bias = np.full(8, 0.3, np.float32)
    bias[0] = -100.0
    kernel, _ = model.get_layer("depthwise").get_weights()
    model.get_layer("depthwise").set_weights([np.abs(kernel), bias])
    if sabotaged:
        kernel, bias = model.get_layer(SABOTAGED).get_weights()
        kernel[0, 0, :, 3] *= 4.0  # a channel that matters
        kernel[0, 0, 0, 3] = 1000.0  # times zero: float does not notice
        model.get_layer(SABOTAGED).set_weights([kernel, bias])
    return model


@pytest.fixture(scope="session")
def explained(made_once) -> Path:
    """Folder with `pictures.npz`, `<kind>.keras`, `<kind>.json` and `build/<kind>/…`.

    Kinds: `sound`, as the converters make it, and `sabotaged`, conditioned.
    """

    def fill(folder):
        random = np.random.default_rng(4)
        colours = random.uniform(-0.7, 0.7, (120, 1, 1, 3))
        pictures = (colours + random.uniform(-0.3, 0.3, (120, 12, 12, 3))).astype(np.float32)
        np.savez(folder / "pictures.npz", x=pictures, y=np.arange(120) % 4)
        options = {"sound": ("--no-condition",), "sabotaged": ()}
        for kind, more in options.items():
            network(sabotaged=kind != "sound").save(folder / f"{kind}.keras")
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "edgekit", "export", f"{kind}.keras", "--int8"),
                    *("--data", "pictures.npz", "--max-drop", "100", "--input-range=-1,1"),
                    *("--json", "--no-timing", *more),
                ],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            (folder / f"{kind}.json").write_text(done.stdout, encoding="utf-8")

    return made_once("explained", fill)
