"""More and fewer bits than eight: 16-bit activations, 4-bit weights."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit import registry
from edgekit.errors import UsageError
from edgekit.exporters.base import Conversion
from edgekit.exporters.onnx_int4 import BLOCK, quantize_matrices
from edgekit.plan import CALIBRATED, exporters_named, make_plan
from edgekit.quantization.files.description import Reading
from edgekit.quantization.files.onnx_source import prepare_onnx


def signal_db(mine, theirs):
    return 10 * np.log10(np.square(theirs).mean() / np.square(mine - theirs).mean())


@pytest.mark.parametrize(
    ("model", "target"),
    [("pixels", "tflite"), ("excite", "tflite"), ("pixels", "onnx"), ("attention", "onnx")],
)
def test_16x8_files_hold_16_bit_activations_and_8_bit_kernels(workshop, model, target):
    made = workshop.convert(model, target, "16x8")
    assert made.graph.dtypes["int16"] > 0
    assert made.graph.dtypes["int8"] > 0
    outputs, reference = workshop.outputs(model, target, "16x8")
    wide = signal_db(outputs[0][4:], reference[0][4:])
    narrow, _ = workshop.outputs(model, target, "int8")
    assert wide > max(25.0, signal_db(narrow[0][4:], reference[0][4:]) - 1)


def test_16x8_keeps_bytes_that_go_in(workshop):
    for target in ("tflite", "onnx"):
        graph = workshop.convert("pixels", target, "16x8").graph
        assert [tensor.dtype for tensor in graph.inputs] == ["uint8"]
        assert [tensor.dtype for tensor in graph.outputs] == ["float32"]


def test_an_operator_without_a_16_bit_kernel_is_named(workshop, failure):
    error = failure(workshop.convert, "attention", "tflite", "16x8")
    assert "LiteRT has no 16-bit kernel" in error.message
    assert "SQUARED_DIFFERENCE" in error.message
    assert "--precision int8" in error.hint


def test_a_loop_in_16x8_is_refused_before_it_crashes_the_converter(workshop, failure):
    error = failure(workshop.convert, "long_lstm", "tflite", "16x8")
    assert error.message == "tflite-16x8: a loop cannot be quantized"


_TOKENS = """
import keras
import numpy as np
import tensorflow as tf
from edgekit.errors import ConversionError
from edgekit.exporters.tflite_int16 import quantize_16x8
tokens = keras.Input((6,), dtype="int32", name="tokens")
mask = keras.ops.cast(tokens != 0, "float32")[..., None]
x = keras.layers.Embedding(20, 8)(tokens) * mask
model = keras.Model(tokens, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
try:
    quantize_16x8(content, [np.random.default_rng(0).integers(0, 20, (12, 6))])
except ConversionError as error:
    print(error.message, error.details, error.hint, sep="|")
"""


def test_16x8_of_tokens_is_refused_in_words_of_ones_own():
    done = subprocess.run(
        [sys.executable, "-c", _TOKENS], capture_output=True, text=True, check=True
    )
    message, details, hint = done.stdout.splitlines()[-1].split("|")
    assert message.startswith("tflite-16x8: TensorFlow's 16-bit quantizer does not take")
    assert message.endswith("an input of whole numbers (tokens)")
    assert "Max and min for dynamic tensors" in details
    assert "--target onnx" in hint


def test_a_target_without_a_precision_is_named():
    exporters = exporters_named(["openvino"])
    with pytest.raises(UsageError, match="none of openvino has the precision '16x8'"):
        make_plan(exporters, ["16x8"], "native")
    with pytest.raises(UsageError, match="none of tflite has the precision 'int4'"):
        make_plan(exporters_named(["tflite"]), ["int4"], "native")


def test_what_is_calibrated_starts_from_the_conditioned_model():
    exporters = exporters_named(["tflite", "onnx"])
    plan = make_plan(exporters, ["int8", "16x8", "int4"], "uint8", condition=True)
    for step in plan.wanted:
        assert step.conditioned == (step.precision in CALIBRATED)
        assert step.io == ("uint8" if step.precision == "int8" else "native")


@pytest.fixture
def words(onnx_files, tmp_path):
    """A float network of tokens, ready, and what is known of it."""
    (tmp_path / "file").mkdir()
    reading = Reading(limits=(0.0, 49.0))
    return tmp_path / "file", prepare_onnx(onnx_files / "words.onnx", tmp_path / "file", reading)


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_int4_files_hold_4_bit_weights_and_are_smaller(words, onnx_files, tmp_path, target):
    source, description = words
    destination = tmp_path / target
    destination.mkdir()
    exporter = registry.load(registry.EXPORTERS, target)()
    graph = exporter.convert(
        Conversion("int4", "native", source, destination, (description.specs[0],), None)
    )
    assert graph.dtypes["int4"] > 0
    assert graph.foreign_ops == ()
    rows = np.load(onnx_files / "words.npz")["x"]
    wanted, found = run(source, "onnx", rows), run(destination, target, rows)
    assert signal_db(found, wanted) > 15
    sizes = [sum(p.stat().st_size for p in folder.iterdir()) for folder in (destination, source)]
    assert sizes[0] < 0.7 * sizes[1]


def run(folder, target, rows):
    if target == "onnx":
        import onnxruntime

        opened = onnxruntime.InferenceSession(folder / "model.onnx")
        return np.concatenate([opened.run(None, {"t": row[None]})[0] for row in rows])
    import openvino

    opened = openvino.Core().compile_model(folder / "model.xml", "CPU")
    return np.concatenate([opened({"t": row[None]})[0] for row in rows])


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_a_network_of_convolutions_has_nothing_for_4_bits(workshop, target, failure):
    error = failure(workshop.convert, "excite", target, "int4")
    assert f"{target}-int4: the file holds no int4 or uint4 tensor" in error.message
    assert "nothing that could be quantized" in error.hint


def test_4_bit_numbers_are_within_half_a_step_or_at_the_end_of_their_block(words):
    original = onnx.load(words[0] / "model.onnx")
    kernels = {t.name: numpy_helper.to_array(t) for t in original.graph.initializer}
    model = quantize_matrices(original)
    constants = {t.name: t for t in model.graph.initializer}
    checked = 0
    for name, kernel in kernels.items():
        if f"{name}_int4" not in constants:
            continue
        codes = numpy_helper.to_array(constants[f"{name}_int4"]).astype(np.float32)
        step = numpy_helper.to_array(constants[f"{name}_scale"]).repeat(BLOCK, axis=0)
        assert np.abs(codes).max() == 7
        inside = np.abs(codes) < 7
        assert (np.abs(codes * step - kernel)[inside] <= 0.5001 * step[inside]).all()
        checked += 1
    assert checked == 3


def test_a_matrix_without_whole_blocks_stays_as_it_is(net_of):
    model = quantize_matrices(net_of((BLOCK, 4), (4, 4)))
    kinds = [onnx.TensorProto.DataType.Name(t.data_type) for t in model.graph.initializer]
    assert sorted(kinds) == ["FLOAT", "FLOAT", "INT4"]  # the steps, and the second matrix


@pytest.fixture
def net_of():
    """A chain of products with matrices of these shapes."""
    from onnx import TensorProto, helper

    def make(*shapes):
        random = np.random.default_rng(0)
        tensors = [
            numpy_helper.from_array(random.normal(0, 1, shape).astype(np.float32), f"w{index}")
            for index, shape in enumerate(shapes)
        ]
        nodes = [
            helper.make_node("MatMul", [f"x{index}", f"w{index}"], [f"x{index + 1}"])
            for index in range(len(shapes))
        ]
        ends = [("x0", shapes[0][0]), (f"x{len(shapes)}", shapes[-1][1])]
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in ends]
        graph = helper.make_graph(nodes, "chain", values[:1], values[1:], tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    return make
