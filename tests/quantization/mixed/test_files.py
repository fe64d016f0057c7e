"""Mixed files of all three formats, made from real int8 files and run in their own runtimes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edgekit.agent.runtimes import runtime_class
from edgekit.errors import ConversionError
from edgekit.process import Child
from edgekit.quantization.condition.originals import ORIGINALS, Originals
from edgekit.quantization.mixed.onnx_mixing import MixableOnnx
from edgekit.quantization.mixed.openvino_mixing import MixableOpenvino
from edgekit.quantization.mixed.tflite_mixing import MixableTflite
from edgekit.quantization.mixed.worker import ENTRY

TARGETS = {
    "tflite": ("litert", "model.tflite"),
    "onnx": ("onnxruntime", "model.onnx"),
    "openvino": ("openvino", "model.xml"),
}
each_target = pytest.mark.parametrize("target", TARGETS)


@pytest.fixture
def mixable(files):
    """The plain int8 file of a target, open; with its originals or without."""

    def make(target, *, originals=True, files=files):
        file = files / f"{target}-int8" / TARGETS[target][1]
        known = Originals.read([files / "conditioned" / ORIGINALS] if originals else [])
        if target == "onnx":
            return MixableOnnx(file, files / "onnx-fp32-conditioned" / "model.onnx", known)
        return {"tflite": MixableTflite, "openvino": MixableOpenvino}[target](file, known)

    return make


@pytest.fixture
def outputs(files):
    """What a file gives for the samples."""

    def run(target, folder, files=files):
        samples = np.load(files / "inputs.npy")
        runtime, model_file = TARGETS[target]
        model = runtime_class(runtime)().load(folder / model_file, threads=1, delegate=None)
        return np.concatenate([model([sample[None]])[0] for sample in samples])

    return run


def sabotaged_layer(mixed):
    return next(i for i, layer in enumerate(mixed.layers) if "project" in layer.name)


def error(given, reference):
    return float(np.square(given - reference).mean() / reference.var())


@each_target
def test_with_every_layer_kept_a_file_computes_what_the_float_file_does(
    mixable, outputs, files, target, tmp_path
):
    mixed = mixable(target)
    mixed.write(range(len(mixed.layers)), tmp_path)
    reference = outputs(target, files / f"{target}-fp32")
    np.testing.assert_allclose(outputs(target, tmp_path), reference, rtol=0, atol=1e-4)


@each_target
def test_a_factor_that_a_converter_folded_into_a_kernel_is_in_the_kept_one(
    mixable, outputs, files, target, tmp_path
):
    files = files / "rescaled"
    mixed = mixable(target, files=files)
    mixed.write(range(len(mixed.layers)), tmp_path)
    reference = outputs(target, files / f"{target}-fp32", files)
    # OpenVINO's converter moves biases a little of its own: such a layer keeps its rounded values.
    apart = 1e-3 if target == "openvino" else 1e-5
    np.testing.assert_allclose(outputs(target, tmp_path, files), reference, rtol=0, atol=apart)


@each_target
def test_with_no_layer_kept_a_file_is_the_plain_one_byte_for_byte(
    mixable, contents, files, target, tmp_path
):
    mixable(target).write((), tmp_path)
    assert contents(tmp_path) == contents(files / f"{target}-int8")


@each_target
def test_the_kernel_that_8_bits_ruin_is_restored_from_the_float_model(
    mixable, outputs, files, target, tmp_path
):
    reference = outputs(target, files / f"{target}-fp32")
    mixed, rounded = mixable(target), mixable(target, originals=False)
    everything = range(len(mixed.layers))
    mixed.write(everything, tmp_path)
    assert error(outputs(target, tmp_path), reference) < 1e-6
    rounded.write(everything, tmp_path)
    assert error(outputs(target, tmp_path), reference) > 1e-3


@each_target
def test_keeping_the_ruined_layer_takes_most_of_the_noise_away(
    mixable, outputs, files, target, tmp_path
):
    reference = outputs(target, files / f"{target}-fp32")
    plain = error(outputs(target, files / f"{target}-int8"), reference)
    mixed = mixable(target)
    layer = sabotaged_layer(mixed)
    # What OpenVINO's converter took for the range behind it is that of the ruined values.
    mixed.write({layer, layer + 1} if target == "openvino" else {layer}, tmp_path)
    assert error(outputs(target, tmp_path), reference) < 0.2 * plain


@each_target
def test_layers_are_listed_in_order_with_their_part_of_the_multiply_adds(mixable, target):
    layers = [layer for layer in mixable(target).layers if layer.share]
    out = {"first": 36 * 27 * 8, "depthwise": 36 * 9 * 8, "project": 36 * 8 * 8,
           "last": 16 * 72 * 8, "logits": 8 * 4}  # fmt: skip
    total = sum(out.values())
    found = [layer.share for layer in layers]
    np.testing.assert_allclose(found, [value / total for value in out.values()], rtol=1e-6)


def int8_constants(content):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    return Counter(
        bytes(model.buffers[tensor.buffer].data)
        for tensor in model.subgraphs[0].tensors
        if tensor.type == schema.TensorType.INT8 and model.buffers[tensor.buffer].data is not None
    )


def test_the_other_layers_keep_every_bit(mixable, files, tmp_path):
    mixed = mixable("tflite")
    mixed.write([sabotaged_layer(mixed)], tmp_path)
    before = int8_constants((files / "tflite-int8" / "model.tflite").read_bytes())
    after = int8_constants((tmp_path / "model.tflite").read_bytes())
    assert after < before
    assert sum((before - after).values()) == 1


@pytest.mark.parametrize("kept", ["depthwise", "project", "last"])
def test_onnxruntime_does_not_quantize_a_kept_convolution_anew(mixable, files, kept, tmp_path):
    import onnxruntime

    mixed = mixable("onnx")
    mixed.write([i for i, layer in enumerate(mixed.layers) if kept in layer.name], tmp_path)
    options = onnxruntime.SessionOptions()
    file = str(tmp_path / "model.onnx")
    stock = onnxruntime.InferenceSession(file, options)
    without = onnxruntime.InferenceSession(
        file, options, disabled_optimizers=["WeightBiasQuantization"]
    )
    for sample in np.load(files / "inputs.npy")[:8]:
        given, wanted = (s.run(None, {"image": sample[None]})[0] for s in (stock, without))
        np.testing.assert_array_equal(given, wanted)


def test_a_damaged_file_is_one_error(files, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    request = {
        "do": "open",
        "target": "onnx",
        "model": str(tmp_path / "model.onnx"),
        "source": str(files / "onnx-fp32" / "model.onnx"),
        "originals": [],
    }
    with Child(ENTRY) as child, pytest.raises(ConversionError, match="keeping layers in float"):
        child.call(request)
