"""Make the small Keras models that export tests convert. Run in a child: TensorFlow stays out.

python make_keras_models.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

CLASSES = 4
UNROLL_LIMIT = 256  # edgekit.exporters.tracing's


def picture(dtype="float32", name="image"):
    return keras.Input((16, 16, 3), name=name, dtype=dtype)


def convnext():
    """Exact GELU (erfc) and a grouped convolution, which Keras traces with jit_compile."""
    image = picture()
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(8, 4, strides=4)(x)
    y = layers.Conv2D(8, 3, padding="same", groups=4)(x)
    y = layers.LayerNormalization(epsilon=1e-6)(y)
    y = layers.Dense(16)(y)
    y = layers.Activation(keras.activations.gelu)(y)
    y = layers.Dense(8)(y)
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x))


def excite():
    """Normalization with constants of its own, batch norm, squeeze and excite."""
    image = picture()
    x = layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[3000.0, 3100.0, 3200.0])(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.Activation("hard_swish")(layers.BatchNormalization()(x))
    squeeze = layers.GlobalAveragePooling2D(keepdims=True)(x)
    squeeze = layers.Conv2D(2, 1, activation="relu")(squeeze)
    squeeze = layers.Conv2D(8, 1, activation="hard_sigmoid")(squeeze)
    x = layers.GlobalAveragePooling2D()(layers.Multiply()([x, squeeze]))
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x))


def pixels():
    """Takes bytes, as an app has them."""
    image = picture("uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x))


def clipped():
    """Limits of a convolution's numbers, and of the outputs."""
    image = picture()
    x = layers.Conv2D(8, 3)(layers.Rescaling(1 / 127.5, offset=-1)(image))
    x = layers.Conv2D(8, 3)(keras.ops.clip(x, -0.5, 1.0))
    x = layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, keras.ops.clip(x, -6.0, 6.0))


def told():
    """A vector that is computed, added to what a convolution with a bias of its own gives."""
    image = picture()
    x = layers.Conv2D(8, 3)(layers.Rescaling(1 / 255)(image))
    vector = layers.Reshape((1, 1, 8))(layers.Dense(8)(layers.GlobalAveragePooling2D()(x)))
    x = layers.ReLU()(layers.Add()([layers.Conv2D(8, 3, bias_initializer="ones")(x), vector]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x))


def sequence(layer, steps=6):
    signal = keras.Input((steps, 3), name="signal")
    return keras.Model(signal, layers.Dense(CLASSES, name="logits")(layer(signal)))


def attention():
    signal = keras.Input((6, 8), name="signal")
    x = layers.Dense(8)(signal)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(signal, layers.Dense(CLASSES, name="logits")(layers.Flatten()(x)))


def nested():
    """A recurrent layer inside a model inside the model."""
    inner = keras.Sequential([keras.Input((6, 3)), layers.GRU(4)], name="inner")
    signal = keras.Input((6, 3), name="signal")
    return keras.Model(signal, layers.Dense(CLASSES, name="logits")(inner(signal)))


def pair():
    """Two inputs with names that no file format accepts, two outputs."""
    left = keras.Input((5,), name="left hand")
    right = keras.Input((5,), name="Größe.2")
    both = layers.Concatenate()([left, right])
    return keras.Model(
        [left, right], [layers.Dense(2, name="small")(both), layers.Dense(3, name="large")(both)]
    )


def waves():
    """Nothing in it can be quantized: no target has an 8-bit sine."""
    image = picture("uint8")
    return keras.Model(image, keras.ops.sin(keras.ops.cast(image, "float32")))


def shuffle():
    """Bytes that never become numbers."""
    image = picture("uint8")
    return keras.Model(image, layers.Permute((2, 1, 3), name="turned")(image))


def erfinv():
    vector = keras.Input((5,), name="vector")
    return keras.Model(vector, keras.ops.erfinv(vector))


def mobilenet_v3():
    """Scalar constants between transposes, which tf2onnx's optimizer trips on."""
    return keras.applications.MobileNetV3Small(
        input_shape=(64, 64, 3), alpha=0.75, weights=None, classes=CLASSES
    )


def hostile():
    """Two channels a million apart in one tensor: 8 bits cannot hold both, float can."""
    vector = keras.Input((4,), name="vector")
    scaled = layers.Rescaling([1e6, 1.0, 1.0, 1.0])(vector)
    mixed = layers.Dense(4, use_bias=False, name="mixed")(scaled)
    model = keras.Model(vector, layers.Dense(CLASSES, use_bias=False, name="logits")(mixed))
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))
    back = np.diag([0.0, 1.0, 1.0, 1.0]).astype(np.float32)
    model.get_layer("mixed").set_weights([turn.astype(np.float32)])
    model.get_layer("logits").set_weights([(turn.T @ back).astype(np.float32)])
    return model


def lambda_():
    vector = keras.Input((5,), name="vector")
    doubled = layers.Lambda(lambda x: x * 2.0, name="doubling")(vector)
    return keras.Model(vector, layers.Dense(CLASSES, name="logits")(doubled))


def diverged():
    model = excite()
    weights = model.get_weights()
    weights[-1][1] = np.nan
    model.set_weights(weights)
    return model


def mixed():
    """Trained in mixed precision, inner layers and wrapped ones too."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        readings = keras.Input((6, 5), name="readings")
        x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(readings)
        x = keras.Sequential([layers.Dense(6, activation="gelu"), layers.BatchNormalization()])(x)
        return keras.Model(readings, layers.Dense(CLASSES, name="logits")(layers.Flatten()(x)))
    finally:
        keras.mixed_precision.set_global_policy("float32")


MODELS = {
    "convnext": convnext,
    "told": told,
    "clipped": clipped,
    "excite": excite,
    "pixels": pixels,
    "lstm": lambda: sequence(layers.LSTM(4)),
    "bidirectional": lambda: sequence(layers.Bidirectional(layers.LSTM(3))),
    "long_lstm": lambda: sequence(layers.LSTM(2), UNROLL_LIMIT + 1),
    "attention": attention,
    "nested": nested,
    "mixed": mixed,
    "pair": pair,
    "shuffle": shuffle,
    "waves": waves,
    "mobilenet_v3": mobilenet_v3,
    "erfinv": erfinv,
    "lambda": lambda_,
    "diverged": diverged,
}


class Reading(tf.Module):
    """A SavedModel whose signature opens a file of its reader's."""

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="vector")])
    def __call__(self, vector):
        return {"out": vector + tf.cast(tf.strings.length(tf.io.read_file("/etc/hosts")), "float")}


def make_files(folder: Path) -> None:
    """The other formats, and what looks like them."""
    model = excite()
    model.export(folder / "saved", verbose=False)
    model.save(folder / "whole.h5")
    model.save_weights(folder / "only.weights.h5")
    (folder / "weights-only.h5").write_bytes((folder / "only.weights.h5").read_bytes())
    module = Reading()
    tf.saved_model.save(module, folder / "reading", signatures=module.__call__)
    image = picture()
    depthwise = layers.DepthwiseConv2D(3, name="depthwise")(image)
    pooled = layers.GlobalAveragePooling2D()(depthwise)
    keras.Model(image, layers.Dense(CLASSES, name="logits")(pooled)).save(folder / "keras2.h5")


def make(folder: Path) -> None:
    for name, build in MODELS.items():
        keras.utils.set_random_seed(11)
        model = build()
        for variable in model.trainable_variables:  # biases of zero would hide mistakes
            if name != "diverged" and not np.any(np.asarray(variable)):
                variable.assign(np.random.default_rng(5).normal(0, 0.1, variable.shape))
        model.save(folder / f"{name}.keras")
    keras.utils.set_random_seed(11)
    hostile().save(folder / "hostile.keras")
    make_files(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
