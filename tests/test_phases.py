from __future__ import annotations

import shutil

import numpy as np
import pytest

from edgekit.artifact import describe_files, write_manifest
from edgekit.passes import parse
from edgekit.phases import measure_phases, postprocessing, preprocessing, raw_sample
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo, dequantize

PICTURE = InputSpec("image", "float32", (8, 8, 3), "HWC", (0.0, 1.0), resize="bilinear")


@pytest.fixture
def with_golden(make_artifact):
    """An artifact whose golden samples are `samples`."""

    def make(samples, **fields):
        artifact = make_artifact(**fields)
        np.save(artifact.path / "golden" / "inputs.npy", samples)
        manifest = {**{n: getattr(artifact.manifest, n) for n in artifact.manifest.__slots__}}
        manifest["files"] = describe_files(artifact.path)
        write_manifest(artifact.path, type(artifact.manifest)(**manifest))
        return type(artifact).open(artifact.path)

    return make


def test_a_picture_survives_the_way_through_a_file(with_golden):
    column = np.linspace(0, 1, 8, dtype=np.float32)
    sample = np.broadcast_to(column[None, None, :, None], (1, 8, 8, 3))
    artifact = with_golden(sample, preprocessing=(PICTURE,))
    raw, about = raw_sample(artifact)
    assert raw[:2] == b"\xff\xd8"
    assert about == "JPEG of 640 × 480 pixels, quality 90"
    steps = preprocessing(artifact)
    assert steps.told == ("decode JPEG", "resize to 8 × 8, bilinear", "scale to the range")
    (array,) = steps.do(raw).values()
    assert (array.shape, array.dtype) == ((1, 8, 8, 3), np.float32)
    assert np.abs(array - sample).max() < 0.06
    assert array.flags.writeable


def test_an_int8_file_gets_its_own_grid(make_artifact):
    artifact = make_artifact(precision="int8", preprocessing=(PICTURE,))
    steps = preprocessing(artifact)
    assert steps.told[-1] == "quantize to int8"
    (array,) = steps.do(raw_sample(artifact)[0]).values()
    assert array.dtype == np.int8


def test_sound_survives_the_way_through_a_file(with_golden):
    wave = np.sin(np.linspace(0, 20, 400, dtype=np.float32))[None]
    spec = InputSpec("image", "float32", (400,), "waveform", (-1.0, 1.0), rate_hz=8000)
    artifact = with_golden(
        wave, preprocessing=(spec,), inputs=(TensorInfo("image", "float32", (1, 400)),)
    )
    raw, about = raw_sample(artifact)
    assert about == "WAV, 16 bits, 400 instants"
    (array,) = preprocessing(artifact).do(raw).values()
    assert np.abs(array - wave).max() < 1e-3


def test_text_survives_the_way_through_a_tokenizer(with_golden):
    tokens = np.zeros((1, 16), np.int32)
    tokens[0, :5] = np.frombuffer(b"hallo", np.uint8).astype(np.int32) + 1
    spec = InputSpec("image", "int32", (16,), "tokens", (0.0, 256.0), tokenizer="bytes")
    artifact = with_golden(
        tokens, preprocessing=(spec,), inputs=(TensorInfo("image", "int32", (1, 16)),)
    )
    raw, about = raw_sample(artifact)
    assert (raw, about) == ("hallo", "text of 5 characters")
    steps = preprocessing(artifact)
    assert steps.told == ("tokenize (bytes)",)
    assert np.array_equal(next(iter(steps.do(raw).values())), tokens)


def test_an_input_without_a_form_of_its_own_is_only_put_on_the_grid(make_artifact):
    artifact = make_artifact(precision="int8")
    raw, about = raw_sample(artifact)
    assert about == "arrays as the model takes them"
    assert preprocessing(artifact).told == ("quantize to int8",)
    assert next(iter(preprocessing(artifact).do(raw).values())).dtype == np.int8


def test_the_answer_of_a_classifier_is_its_best_classes(make_artifact):
    artifact = make_artifact(precision="int8")
    tensor = artifact.manifest.outputs[0]
    steps = postprocessing(artifact, [tensor.name])
    assert steps.told == ("dequantize int8", "softmax", "best 5")
    given = np.array([[-20, 90, 0, 10]], np.int8)
    best, scores = steps.do([given])
    assert best.tolist() == [1, 3, 2, 0]
    logits = dequantize(given, tensor.scale, tensor.zero_point)[0].astype(np.float64)
    assert scores == pytest.approx(np.sort(np.exp(logits) / np.exp(logits).sum())[::-1])


def test_a_detector_is_decoded_whatever_order_the_runtime_gives(make_artifact):
    outputs = (
        TensorInfo("boxes", "float32", (1, 3, 4)),
        TensorInfo("scores", "float32", (1, 3, 2)),
    )
    artifact = make_artifact(outputs=outputs, activation="sigmoid")
    steps = postprocessing(artifact, ["scores", "boxes"])
    assert steps.told[-1] == "suppress overlapping boxes"
    boxes = np.array([[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.51], [0.6, 0.6, 1, 1]]], np.float32)
    scores = np.array([[[4, -9], [3, -9], [-9, 5]]], np.float32)
    found = steps.do([scores, boxes])
    assert found.classes.tolist() == [1, 0]  # the second box overlaps the first


@pytest.mark.parametrize(
    ("target", "runtime"),
    [("tflite", "litert"), ("onnx", "onnxruntime"), ("openvino", "openvino")],
)
def test_all_three_phases_take_time_in_every_runtime(make_artifact, target, runtime):
    artifact = make_artifact(target, preprocessing=(PICTURE,))
    found = measure_phases(artifact, runtime=runtime, processes=2, repetitions=5)
    assert parse("phases", found) == found
    assert (found["processes"], found["repetitions"]) == (2, 5)
    for phase in found["phases"].values():
        low, high = phase["ci95_ms"]
        assert 0 < low <= phase["median_ms"] <= high
    # A whole JPEG is decoded for a model of three small layers.
    phases = found["phases"]
    assert phases["preprocess"]["median_ms"] > phases["postprocess"]["median_ms"]
    assert "edgekit's Python code" in found["evidence"]


def test_an_artifact_without_golden_samples_has_no_phases(make_artifact):
    artifact = make_artifact()
    shutil.rmtree(artifact.path / "golden")
    found = measure_phases(artifact, runtime="litert")
    assert found == {"unavailable": "the artifact has no golden sample to make a raw one of"}
