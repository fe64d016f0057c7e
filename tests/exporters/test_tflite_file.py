from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgekit.exporters import tflite_file


@pytest.fixture
def rewritten(tiny_models, tmp_path):
    def rewrite(name, amend):
        file = tmp_path / f"{name}.tflite"
        file.write_bytes(amend((tiny_models / f"{name}.tflite").read_bytes()))
        return file

    return rewrite


def test_operators_and_dtypes_are_those_in_the_file(tiny_models):
    float_ = tflite_file.inspect(tiny_models / "float.tflite")
    assert float_.ops == {"CONV_2D": 1, "MEAN": 1, "FULLY_CONNECTED": 1}
    assert float_.dtypes["float32"] > 5
    assert "int8" not in float_.dtypes
    int8 = tflite_file.inspect(tiny_models / "int8.tflite")
    assert int8.dtypes["int8"] > 0
    assert int8.dtypes["int32"] >= 2  # biases
    assert "float32" not in int8.dtypes


def test_grids_and_fixed_shapes_are_read(tiny_models):
    graph = tflite_file.inspect(tiny_models / "int8.tflite")
    (taken,), (given,) = graph.inputs, graph.outputs
    assert (taken.dtype, taken.shape) == ("int8", (1, 8, 8, 3))
    assert taken.scale == pytest.approx(1 / 255, rel=0.01)
    assert taken.zero_point == -128
    assert given.scale is not None


def test_inputs_and_outputs_get_the_models_names_and_a_signature(rewritten):
    file = rewritten(
        "pair", lambda b: tflite_file.with_signature(b, ["first", "second"], ["sum", "product"])
    )
    graph = tflite_file.inspect(file)
    assert [t.name for t in graph.inputs] == ["first", "second"]
    assert [t.name for t in graph.outputs] == ["sum", "product"]
    interpreter = Interpreter(model_path=str(file))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["first", "second"], "outputs": ["product", "sum"]}
    }
    run = interpreter.get_signature_runner()
    two, three = np.full((1, 5), 2, np.float32), np.full((1, 5), 3, np.float32)
    outputs = run(first=two, second=three)
    assert (outputs["sum"] == 5).all()
    assert (outputs["product"] == 6).all()


def test_another_number_of_names_is_a_programming_error(tiny_models):
    with pytest.raises(ValueError, match="zip"):
        tflite_file.with_signature((tiny_models / "pair.tflite").read_bytes(), ["a"], ["b", "c"])


def test_only_the_named_inputs_get_another_range(rewritten, tiny_models):
    ranged = rewritten("int8", lambda b: tflite_file.with_input_ranges(b, {"other": (0, 255)}))
    before = tflite_file.inspect(tiny_models / "int8.tflite")
    assert tflite_file.inspect(ranged).inputs == before.inputs


def test_rewriting_twice_gives_the_same_bytes(rewritten):
    def amend(content):
        return tflite_file.with_signature(content, ["image"], ["logits"])

    once = rewritten("float", amend).read_bytes()
    assert rewritten("float", amend).read_bytes() == once
    assert amend(once) == once


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_pixels_are_cast_and_quantized_to_the_same_bytes(tmp_path):
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8, 3), np.uint8)
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, tf.keras.layers.Conv2D(4, 3, activation="relu")(image))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    extremes = np.stack([np.zeros((8, 8, 3)), np.full((8, 8, 3), 255)]).astype(np.float32)
    converter.representative_dataset = lambda: ([row[None]] for row in extremes)
    converter.inference_input_type = tf.uint8
    before = converter.convert()
    after = tflite_file.with_cast_inputs(before)
    (tmp_path / "after.tflite").write_bytes(after)
    graph = tflite_file.inspect(tmp_path / "after.tflite")
    assert graph.ops["CAST"] == 1
    assert graph.inputs[0].dtype == "uint8"
    outputs = []
    for content in (before, after):
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        rows = []
        for row in pixels:
            interpreter.set_tensor(taken["index"], row)
            interpreter.invoke()
            rows.append(interpreter.get_tensor(given["index"]))
        outputs.append(np.stack(rows))
    np.testing.assert_array_equal(*outputs)
    assert outputs[0].any()
