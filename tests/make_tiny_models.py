"""Make the tiny models that runtime tests load. Run in a child: TensorFlow stays out of pytest.

python make_tiny_models.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SHAPE = (8, 8, 3)
CLASSES = 4


def make_tflite(folder: Path) -> None:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(7)
    image = keras.Input(SHAPE, batch_size=1, name="image")
    x = keras.layers.Conv2D(8, 3, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(CLASSES, name="logits")(x))

    def convert(name, function, *, calibrate=False, io=tf.float32, dynamic=False):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        if dynamic or calibrate:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if calibrate:
            random = np.random.default_rng(0)
            converter.representative_dataset = lambda: (
                [random.random((1, *SHAPE), np.float32)] for _ in range(16)
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = io
        (folder / f"{name}.tflite").write_bytes(converter.convert())

    def traced(function, *inputs):
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        concrete = tf.function(function).get_concrete_function(*inputs)
        return convert_variables_to_constants_v2(concrete)

    picture = tf.TensorSpec((1, *SHAPE), tf.float32, name="image")
    whole = traced(model.__call__, picture)
    convert("float", whole)
    convert("int8", whole, calibrate=True, io=tf.int8)
    convert("int8-inside", whole, calibrate=True)
    convert("dynamic", whole, dynamic=True)
    convert("logarithm", traced(tf.math.log, picture))
    # XNNPACK has no CUMSUM: two delegated islands around one kernel.
    convert("islands", traced(lambda image: tf.cumsum(image * 2.0 + 1.0, axis=1) * 3.0, picture))
    anything = tf.TensorSpec((None, *SHAPE), tf.float32, name="image")
    convert("open", traced(lambda image: image * 2.0, anything))
    # Enough work for clocks of a microsecond.
    columns = np.random.default_rng(3).normal(size=(int(np.prod(SHAPE)), 1024)).astype(np.float32)
    convert("busy", traced(lambda image: tf.reshape(image, (1, -1)) @ columns, picture))
    vector = [tf.TensorSpec((1, 5), tf.float32, name=name) for name in ("left", "right")]
    convert("pair", traced(lambda left, right: (left + right, left * right), *vector))


def make_onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(7)

    def save(name, nodes, inputs, outputs, weights=()):
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs],
            [numpy_helper.from_array(array, key) for key, array in weights],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.save(model, folder / f"{name}.onnx")

    inner = 512
    dense = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "w2"], ["logits"]),
    ]
    weights = [
        ("w1", random.normal(size=(int(np.prod(SHAPE)), inner)).astype(np.float32)),
        ("w2", random.normal(size=(inner, CLASSES)).astype(np.float32)),
    ]
    save("float", dense, [("image", [1, *SHAPE])], [("logits", [1, CLASSES])], weights)
    save(
        "logarithm",
        [helper.make_node("Log", ["image"], ["logarithm"])],
        [("image", [1, *SHAPE])],
        [("logarithm", [1, *SHAPE])],
    )
    save(
        "pair",
        [
            helper.make_node("Add", ["left", "right"], ["sum"]),
            helper.make_node("Mul", ["left", "right"], ["product"]),
        ],
        [("left", ["batch", 5]), ("right", ["batch", 5])],
        [("sum", ["batch", 5]), ("product", ["batch", 5])],
    )


def make_openvino(folder: Path) -> None:
    import openvino

    for name in ("float", "logarithm", "pair"):
        model = openvino.convert_model(folder / f"{name}.onnx")
        openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    make_onnx(place)
    make_openvino(place)
    make_tflite(place)
