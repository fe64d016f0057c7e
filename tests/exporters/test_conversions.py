"""Traps of the converters: what once gave NaN, unusable files or a crash."""

from __future__ import annotations

import numpy as np
import pytest

TARGETS = ("tflite", "onnx", "openvino")
MODELS = (
    "convnext",
    "excite",
    "pixels",
    "told",
    "clipped",
    "lstm",
    "bidirectional",
    "nested",
    "attention",
)


def largest_difference(outputs, reference):
    assert [a.shape for a in outputs] == [b.shape for b in reference]
    return max(float(np.abs(a - b).max()) for a, b in zip(outputs, reference, strict=True))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", [*MODELS, "pair"])
def test_float_outputs_are_the_source_models(workshop, model, target):
    outputs, reference = workshop.outputs(model, target)
    peak = max(1.0, *(float(np.abs(array).max()) for array in reference))
    assert largest_difference(outputs, reference) <= 1e-4 * peak


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", MODELS)
def test_int8_outputs_follow_the_source_models(workshop, model, target):
    outputs, reference = workshop.outputs(model, target, "int8")
    # The first four are extremes, outside the ranges of the calibration.
    mine, theirs = outputs[0][4:].ravel(), reference[0][4:].ravel()
    assert np.corrcoef(mine, theirs)[0, 1] > 0.97
    assert not np.array_equal(mine, theirs)


@pytest.mark.parametrize("model", [*MODELS, "pair"])
def test_no_file_reads_a_variable_or_leaves_an_axis_open(workshop, model):
    for target in TARGETS:
        graph = workshop.convert(model, target).graph
        assert not [op for op in graph.ops if "VARIABLE" in op.upper() or op in ("While", "WHILE")]
        assert graph.foreign_ops == ()
        for tensor in (*graph.inputs, *graph.outputs):
            assert tensor.shape[0] == 1
            assert min(tensor.shape) >= 1


@pytest.mark.parametrize("model", [*MODELS, "pair"])
def test_inputs_have_the_models_names_without_a_number(workshop, model):
    names = [spec.name for spec in workshop.trace(model).inputs]
    for target in TARGETS:
        graph = workshop.convert(model, target).graph
        assert [tensor.name for tensor in graph.inputs] == names
        assert not [t.name for t in graph.outputs if ":" in t.name or t.name == "Identity"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_model_of_mixed_precision_is_computed_in_float32_everywhere(workshop, target):
    outputs, reference = workshop.outputs("mixed", target)
    assert reference[0].dtype == np.float32
    assert largest_difference(outputs, reference) <= 1e-5
    assert "float16" not in workshop.convert("mixed", target).graph.dtypes


@pytest.mark.parametrize("model", ["lstm", "bidirectional", "nested"])
def test_short_recurrent_layers_are_unrolled(workshop, model):
    assert workshop.trace(model).unrolled


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", ["convnext", "lstm"])
def test_half_precision_files_hold_halves_and_agree(workshop, model, target):
    made = workshop.convert(model, target, "fp16")
    assert made.graph.dtypes["float16"] > 0
    assert {tensor.dtype for tensor in (*made.graph.inputs, *made.graph.outputs)} == {"float32"}
    assert largest_difference(*workshop.outputs(model, target, "fp16")) < 0.05


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("model", ["convnext", "excite", "lstm", "attention"])
def test_dynamic_files_hold_8_bit_weights_and_agree(workshop, model, target, failure):
    if target == "tflite":
        # TensorFlow's converter leaves tensors of fewer than 1,024 values in float.
        error = failure(workshop.convert, model, target, "dynamic")
        assert "the file holds no int8 or uint8 tensor" in error.message
        return
    made = workshop.convert(model, target, "dynamic")
    assert made.graph.dtypes.get("int8", 0) + made.graph.dtypes.get("uint8", 0) > 0
    outputs, reference = workshop.outputs(model, target, "dynamic")
    assert largest_difference(outputs, reference) < 0.1 * float(np.abs(reference[0]).max())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("io", ["float", "int8", "uint8"])
@pytest.mark.parametrize("model", ["pixels", "excite"])
def test_files_take_and_give_the_type_that_io_asks_for(workshop, model, io, target):
    made = workshop.convert(model, target, "int8", io)
    (taken,), (given,) = made.graph.inputs, made.graph.outputs
    dtype = "float32" if io == "float" else io
    assert (taken.dtype, given.dtype) == (dtype, dtype)
    outputs, reference = workshop.outputs(model, target, "int8", io)
    assert outputs[0].dtype == np.float32
    mine, theirs = outputs[0][4:].ravel(), reference[0][4:].ravel()
    assert np.corrcoef(mine, theirs)[0, 1] > 0.97
    if io != "float":
        assert given.scale is not None
        assert given.zero_point is not None


@pytest.mark.parametrize("target", TARGETS)
def test_native_io_keeps_bytes_in_and_floats_out(workshop, target):
    graph = workshop.convert("pixels", target, "int8").graph
    assert (graph.inputs[0].dtype, graph.outputs[0].dtype) == ("uint8", "float32")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("io", "zero_point"), [("uint8", 0), ("int8", -128)])
def test_bytes_stay_bytes_however_dark_the_calibration_was(workshop, target, io, zero_point):
    samples = np.load(workshop.trace("pixels").folder.parent / "inputs.npy")
    assert samples.max() < 110
    (taken,) = workshop.convert("pixels", target, "int8", io).graph.inputs
    if target != "tflite" and io == "uint8":
        assert taken.scale is None  # no grid is needed: the pixel is the value
    else:
        assert (taken.scale, taken.zero_point) == (1.0, zero_point)


def test_native_bytes_of_a_tflite_file_have_step_one(workshop):
    (taken,) = workshop.convert("pixels", "tflite", "int8").graph.inputs
    assert (taken.scale, taken.zero_point) == (1.0, 0)


@pytest.mark.parametrize("target", TARGETS)
def test_an_int8_file_with_nothing_quantized_is_refused(workshop, target, failure):
    error = failure(workshop.convert, "waves", target, "int8")
    assert f"{target}-int8: the file holds no int8 or uint8 tensor" in error.message
    assert "nothing that could be quantized" in error.hint


def test_bytes_that_nothing_turns_into_floats_are_refused_with_the_layer_to_add(workshop, failure):
    error = failure(workshop.convert, "shuffle", "tflite", "int8")
    assert "input 'image' is 8-bit and goes into Transpose" in error.message
    assert "Rescaling" in error.hint


@pytest.mark.parametrize("target", ["tflite", "onnx"])
def test_an_operator_that_a_target_lacks_is_named(workshop, target, failure):
    error = failure(workshop.convert, "erfinv", target)
    assert "Erfinv" in error.message + " ".join(error.details)


def test_a_sequence_too_long_to_unroll_converts_in_float(workshop):
    assert workshop.trace("long_lstm").unrolled == ()
    assert workshop.convert("long_lstm", "tflite").graph.ops["WHILE"] == 1
    outputs, reference = workshop.outputs("long_lstm", "tflite")
    assert largest_difference(outputs, reference) <= 1e-4


def test_a_loop_in_int8_is_refused_before_it_crashes_the_converter(workshop, failure):
    error = failure(workshop.convert, "long_lstm", "tflite", "int8")
    assert error.message == "tflite-int8: a loop cannot be quantized"
    assert "recurrent layers" in error.hint


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_onnx_keeps_a_loop_behind_what_it_reads(workshop, precision):
    outputs, reference = workshop.outputs("long_lstm", "onnx", precision)
    assert largest_difference(outputs, reference) < 0.1


def test_an_operator_that_openvino_cannot_read_is_named(workshop, failure):
    error = failure(workshop.convert, "long_lstm", "openvino")
    assert error.message == "openvino fp32: OpenVINO has no counterpart for Loop"


def test_mobilenet_v3_keeps_at_most_two_transposes_in_onnx(workshop):
    assert workshop.convert("mobilenet_v3", "onnx").graph.ops.get("Transpose", 0) <= 2
    outputs, reference = workshop.outputs("mobilenet_v3", "onnx")
    assert largest_difference(outputs, reference) <= 1e-4


def test_gelu_in_onnx_adds_where_erfc_would_negate_and_subtract(workshop):
    ops = workshop.convert("convnext", "onnx").graph.ops
    assert (ops["Erf"], ops["Neg"], ops["Sub"]) == (1, 1, 1)  # layer normalisation has one of each


def test_clipping_is_one_operator_of_an_onnx_file(workshop):
    ops = workshop.convert("clipped", "onnx").graph.ops
    assert (ops["Clip"], ops.get("Min", 0), ops.get("Max", 0)) == (2, 0, 0)
