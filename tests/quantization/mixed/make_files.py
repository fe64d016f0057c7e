"""Make a small network with one kernel that 8 bits ruin, samples for it, and all its files.

In `rescaled` another one, which scales its pixels itself.

python make_files.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from edgekit import registry
from edgekit.exporters.base import Conversion
from edgekit.exporters.tracing import trace_model
from edgekit.quantization.condition.conditioning import condition_trace

CLEAR = 0.35  # how much a sample's highest output is above the next
EACH = 150  # samples of a class
SABOTAGED = "project"


def network():
    """`project` has weights 200 times the others, on a channel that is always zero."""
    keras.utils.set_random_seed(4)
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(8, 3, 2, "same", activation="relu6", name="first")(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    skip = x
    x = layers.Conv2D(8, 1, activation="relu", name=SABOTAGED)(x)
    x = layers.Add(name="add")([x, skip])
    x = layers.Conv2D(8, 3, activation="relu", name="last")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x), name="network")
    random = np.random.default_rng(7)
    kernel, _ = model.get_layer("depthwise").get_weights()
    bias = np.full(8, 0.3, np.float32)
    bias[0] = -100.0
    model.get_layer("depthwise").set_weights([np.abs(kernel), bias])
    kernel, bias = model.get_layer(SABOTAGED).get_weights()
    kernel[0, 0, 0, :] = 200.0 * np.abs(kernel).max()  # times zero: float does not notice
    model.get_layer(SABOTAGED).set_weights([kernel, random.normal(0, 0.2, 8)])
    return model


def save(folder: Path) -> None:
    """`network.keras` and `pictures.npz`, whose labels are what the network says."""
    random = np.random.default_rng(4)
    pictures = random.uniform(-0.5, 0.5, (6000, 1, 1, 3)) * np.ones((6000, 12, 12, 3))
    pictures = (pictures + random.uniform(-0.5, 0.5, pictures.shape)).astype(np.float32)
    model = network()
    logits = model.predict(pictures, verbose=0)
    kernel, bias = model.get_layer("logits").get_weights()
    scale = 1 / logits.std(0)  # every class as often as the others
    model.get_layer("logits").set_weights([kernel * scale, (bias - logits.mean(0)) * scale])
    # What lies between two classes says more of chance than of a layer.
    ordered = np.sort(logits := (logits - logits.mean(0)) * scale, axis=1)
    clear = np.flatnonzero(ordered[:, -1] - ordered[:, -2] > CLEAR)
    labels = logits.argmax(1)
    chosen = np.concatenate([clear[labels[clear] == label][:EACH] for label in range(4)])
    chosen = random.permutation(chosen)
    pictures, labels = pictures[chosen], labels[chosen]
    model.save(folder / "network.keras")
    train = len(labels) * 3 // 5
    np.savez(
        folder / "pictures.npz",
        x_train=pictures[:train], y_train=labels[:train],
        x_test=pictures[train:], y_test=labels[train:],
    )  # fmt: skip


def save_rescaled(folder: Path) -> None:
    """A network that scales its pixels itself: `network.keras`, `pictures.npz`."""
    keras.utils.set_random_seed(5)
    random = np.random.default_rng(5)
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(4, name="logits")(x), name="network")
    for name in ("first", "logits"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel, random.normal(0, 0.2, bias.shape)])
    model.save(folder / "network.keras")
    pictures = random.uniform(0, 255, (48, 12, 12, 3)).astype(np.float32)
    np.savez(folder / "pictures.npz", x_train=pictures)


def convert(folder: Path, input_range: tuple[float, float]) -> None:
    """`trace`, `conditioned` and every target's int8 and fp32 file, as an export makes them."""
    np.save(folder / "inputs.npy", np.load(folder / "pictures.npz")["x_train"][:48])
    (folder / "trace").mkdir()
    model = keras.models.load_model(folder / "network.keras")
    trace, _ = trace_model(model, folder / "trace", input_range=input_range)
    condition_trace(folder / "trace", folder, folder / "conditioned")
    for label, source, place in (
        ("tflite-fp32", "trace", "tflite-fp32"),
        ("onnx-fp32", "trace", "onnx-fp32"),
        ("openvino-fp32", "onnx-fp32", "openvino-fp32"),
        ("tflite-int8", "conditioned", "tflite-int8"),
        ("onnx-fp32", "conditioned", "onnx-fp32-conditioned"),
        ("onnx-int8", "onnx-fp32-conditioned", "onnx-int8"),
        ("openvino-int8", "onnx-fp32-conditioned", "openvino-int8"),
    ):
        target, precision = label.split("-")
        (folder / place).mkdir()
        conversion = Conversion(
            precision, "native", folder / source, folder / place, trace.inputs, folder
        )
        registry.load(registry.EXPORTERS, target)().convert(conversion)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
    convert(Path(sys.argv[1]), (-1.0, 1.0))
    rescaled = Path(sys.argv[1]) / "rescaled"
    rescaled.mkdir()
    save_rescaled(rescaled)
    convert(rescaled, (0.0, 255.0))
