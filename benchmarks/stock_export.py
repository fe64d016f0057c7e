"""The plain script a person writes today: stock calls, one after the other.

    python stock_export.py MODEL.keras SAMPLES.npz OUT

Six files (TFLite, ONNX, OpenVINO × fp32, int8), each evaluated on the test samples and compared
with Keras. Imports nothing of edgekit. Prints one JSON document.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import nncf
import numpy as np
import onnxruntime
import openvino
import tensorflow as tf
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

CALIBRATION = 128


class Reader(CalibrationDataReader):
    """Calibration samples for ONNX Runtime."""

    def __init__(self, name, samples):
        self.rows = iter([{name: sample[None]} for sample in samples])

    def get_next(self):
        return next(self.rows, None)


def run_tflite(path, samples):
    """Outputs of a TFLite file, one sample at a time."""
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    target = interpreter.get_output_details()[0]["index"]
    outputs = []
    for sample in samples:
        interpreter.set_tensor(source["index"], sample[None].astype(source["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target)[0])
    return np.array(outputs)


def run_onnx(path, samples):
    """Outputs of an ONNX file."""
    session = onnxruntime.InferenceSession(str(path))
    name = session.get_inputs()[0].name
    return np.array([session.run(None, {name: sample[None]})[0][0] for sample in samples])


def run_openvino(path, samples):
    """Outputs of an OpenVINO file, in float32 as the others compute."""
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(str(path), "CPU", hint)
    return np.array([model([sample[None]])[0][0] for sample in samples])


def main(model_path, samples_path, out):
    """Convert, evaluate, print."""
    model = keras.models.load_model(model_path)
    data = np.load(samples_path)
    calibration = data["x_train"][:CALIBRATION]
    samples, labels = data["x_test"], data["y_test"]
    reference = model.predict(samples, verbose=0)

    (out / "fp32.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in calibration)
    (out / "int8.tflite").write_bytes(converter.convert())

    model.export(out / "fp32.onnx", format="onnx", verbose=False)
    quant_pre_process(out / "fp32.onnx", out / "prepared.onnx")
    name = onnxruntime.InferenceSession(out / "fp32.onnx").get_inputs()[0].name
    quantize_static(
        out / "prepared.onnx", out / "int8.onnx", Reader(name, calibration), per_channel=True
    )

    graph = openvino.convert_model(out / "fp32.onnx")
    openvino.save_model(graph, out / "fp32.xml", compress_to_fp16=False)
    rows = nncf.Dataset([sample[None] for sample in calibration])
    quantized = nncf.quantize(graph, rows, subset_size=CALIBRATION)
    openvino.save_model(quantized, out / "int8.xml", compress_to_fp16=False)

    report = {}
    for suffix, run in ((".tflite", run_tflite), (".onnx", run_onnx), (".xml", run_openvino)):
        for precision in ("fp32", "int8"):
            outputs = run(out / f"{precision}{suffix}", samples)
            report[precision + suffix] = {
                "top1": float((outputs.argmax(1) == labels).mean()),
                "max_abs": float(np.abs(outputs - reference).max()),
                "agreement": float((outputs.argmax(1) == reference.argmax(1)).mean()),
            }
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
