"""Make small TFLite files as other people's converters leave them. Run in a child.

python make_tflite_files.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

OUTLIER = 100.0


def small(dtype="float32"):
    """Kernels of all kinds, biases and none, fused activations, a branch, one huge weight."""
    image = keras.Input((16, 16, 3), name="image", dtype=dtype)
    x = layers.Rescaling(1 / 255)(image) if dtype == "uint8" else image
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same", name="deep")(x))
    y = layers.Conv2D(8, 1, name="point")(y)
    x = layers.ReLU()(layers.Conv2DTranspose(6, 2, 2)(layers.Add()([x, y])))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(4, use_bias=False, name="logits")(x))
    deep, deep_bias = model.get_layer("deep").get_weights()
    deep[:, :, 0], deep_bias[0] = 0.0, 1e-4 / OUTLIER
    model.get_layer("deep").set_weights([deep, deep_bias])
    point, bias = model.get_layer("point").get_weights()
    point[0, 0, 0], point[0, 0, 0, ::2] = 0.0, OUTLIER
    model.get_layer("point").set_weights([point, bias])
    return model


def convert(model, **options):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    for name, value in options.items():
        setattr(converter, name, value)
    return converter.convert()


def half(model):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def main(folder: Path) -> None:
    keras.utils.set_random_seed(3)
    model = small()
    image = keras.Input((16, 16, 3))
    x = layers.DepthwiseConv2D(3, depth_multiplier=64)(image)  # smaller kernels stay float
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 1, activation="relu")(x))
    wide = keras.Model(image, layers.Dense(64)(x))
    files = {
        "small": convert(model),
        "pixels": convert(small("uint8")),
        "half": half(model),
        "wide": convert(wide),
        "dynamic": convert(wide, optimizations=[tf.lite.Optimize.DEFAULT]),
        "weightless": convert(keras.Model(image, layers.ReLU()(image))),
    }
    for name, content in files.items():
        (folder / f"{name}.tflite").write_bytes(content)
    rows = np.random.default_rng(1).normal(0.4, 0.3, (96, 16, 16, 3)).clip(0, 1)
    np.savez(folder / "rows.npz", x=rows.astype(np.float32))


main(Path(sys.argv[1]))
