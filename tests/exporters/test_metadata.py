"""What files say of themselves, read by those who did not write it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from edgekit.datasets.images import fit_pixels
from edgekit.datasets.recipe import normalization
from edgekit.exporters import tflite_file
from edgekit.exporters.metadata import tflite
from edgekit.exporters.metadata.facts import Facts
from tests.exporters.describing import (
    CENTRED,
    IMAGENET,
    KNOWN,
    PIXELS,
    TEXT,
    described,
    facts_of,
    ran,
)


@pytest.mark.parametrize("label", KNOWN)
def test_a_file_computes_the_same_bits_in_the_same_places(known, label, tmp_path):
    artifact = known[label]
    samples = np.load(artifact.path / "golden" / "inputs.npy")[:4]
    file = described(artifact, tmp_path)
    assert ran(artifact.manifest.runtime, file, samples) == ran(
        artifact.manifest.runtime, artifact.model_path, samples
    )
    assert file.read_bytes() != artifact.model_path.read_bytes()


def test_a_microcontrollers_interpreter_computes_the_same_bits(known, tmp_path):
    pytest.importorskip("tflite_micro", reason="pip install -e '.[microcontroller]'")
    artifact = known["tflite-int8-int8"]
    samples = np.load(artifact.path / "golden" / "inputs.npy")[:4]
    file = described(artifact, tmp_path)
    found, before = (ran("tflite-micro", one, samples) for one in (file, artifact.model_path))
    assert found[0] == before[0]


def test_vela_places_as_many_operators_on_the_npu(known, tmp_path):
    pytest.importorskip("ethosu", reason="Vela is not installed: pip install -e '.[ethos-u]'")
    from edgekit.job import Job
    from edgekit.transports.ethos_u import EthosUTransport

    artifact = known["tflite-int8-int8"]
    file = described(artifact, tmp_path)
    transport = EthosUTransport("ethos-u55-128")
    found, before = (
        transport.estimate(Job("measure", runtime="vela", model=str(one))).to_json()
        for one in (file, artifact.model_path)
    )
    assert found == before


@pytest.mark.parametrize("label", KNOWN)
def test_equal_facts_give_equal_bytes_and_no_path_or_time(known, label, tmp_path):
    files = [described(known[label], tmp_path / name) for name in ("one", "other")]
    once, again = (file.read_bytes() for file in files)
    assert once == again
    assert str(tmp_path).encode() not in once


@pytest.mark.parametrize("label", ["tflite-int8", "tflite-fp32"])
def test_constants_lie_where_the_format_wants_them(known, label, tmp_path):
    from ai_edge_litert.schema_py_generated import Model

    file = Model.GetRootAs(described(known[label], tmp_path).read_bytes(), 0)
    buffers = [file.Buffers(number) for number in range(file.BuffersLength())]
    places = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
    assert len(places) > 10
    assert all(place % 16 == 0 for place in places)


def test_any_zip_reader_finds_the_labels_in_a_tflite_file(known, tmp_path):
    file = described(known["tflite-int8"], tmp_path, labels=("ein Käfer", "虫"))
    with zipfile.ZipFile(file) as archive:
        (entry,) = archive.infolist()
        assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read(entry).decode() == "ein Käfer\n虫\n"


def test_metadata_is_made_anew_and_does_not_pile_up(known, tmp_path):
    content = described(known["tflite-int8"], tmp_path).read_bytes()
    facts = facts_of(known["tflite-int8"])
    assert tflite.with_metadata(content, facts) == content
    plain = tflite.without_metadata(content)
    assert tflite.read(plain) == (None, {})
    assert tflite.with_metadata(plain, facts) == content


def test_a_file_made_from_somebody_elses_keeps_what_that_says(known, tmp_path):
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(
        described(known["tflite-fp32"], tmp_path, summary="Theirs.", labels=("a", "b")).read_bytes()
    )
    file = described(known["tflite-int8"], tmp_path / "made", origin=theirs)
    assert tflite.read(file.read_bytes()) == tflite.read(theirs.read_bytes())


def test_associated_files_that_leave_a_folder_are_not_passed_on(known, tmp_path):
    theirs = described(known["tflite-fp32"], tmp_path)
    with zipfile.ZipFile(theirs, "a") as archive:
        archive.writestr("../../slip.txt", "x")
    told = tflite.read(described(known["tflite-int8"], tmp_path / "b", origin=theirs).read_bytes())
    assert list(told[1]) == ["labels.txt"]


@pytest.mark.parametrize("damage", [b"", b"M001", b"\xff" * 64])
def test_somebody_elses_damaged_metadata_is_replaced(known, tmp_path, damage):
    artifact = known["tflite-fp32"]
    model = tflite_file.unpack(described(artifact, tmp_path).read_bytes())
    model.buffers[-1].data = np.frombuffer(damage, np.uint8)
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(tflite_file.pack(model))
    told = tflite.read(described(artifact, tmp_path / "made", origin=theirs).read_bytes())
    assert told == tflite.read(described(artifact, tmp_path).read_bytes())


def test_what_an_onnx_file_said_before_stays(known, tmp_path):
    import onnx

    artifact = known["onnx-int8"]
    theirs = tmp_path / "theirs.onnx"
    model = onnx.load(known["onnx-fp32"].model_path)
    model.metadata_props.add(key="stride", value="32")
    model.metadata_props.add(key="task", value="detect")
    onnx.save(model, theirs)
    said = onnxruntime_reads(described(artifact, tmp_path, origin=theirs)).custom_metadata_map
    assert (said["stride"], said["task"], said["model_name"]) == ("32", "detect", "known")


def onnxruntime_reads(file):
    import onnxruntime

    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).get_modelmeta()


def test_onnxruntime_reads_an_onnx_files(known, tmp_path):
    artifact = known["onnx-int8"]
    told = onnxruntime_reads(described(artifact, tmp_path))
    assert told.graph_description == "Drawn letters and digits."
    said = told.custom_metadata_map
    assert json.loads(said.pop("labels")) == list(artifact.labels)
    (recipe,) = json.loads(said.pop("preprocessing"))
    assert recipe["ranges"] == [[0.0, 255.0]] * 3
    assert said == {
        "model_name": "known",
        "model_license": "Apache-2.0",
        "task": "image-classification",
        "activation": "softmax",
        "Image.BitmapPixelFormat": "Rgb8",
        "Image.ColorSpaceGamma": "SRGB",
        "Image.NominalPixelRange": "NominalRange_0_255",
    }


def test_an_onnx_files_inputs_and_outputs_say_what_they_are(known, tmp_path):
    import onnx

    graph = onnx.load(described(known["onnx-fp32"], tmp_path)).graph
    assert graph.input[0].type.denotation == "IMAGE"
    assert graph.input[0].doc_string.startswith("RGB picture, resized to 24 x 24")
    assert graph.output[0].doc_string == (
        "A value for each of 36 classes; softmax of them gives scores."
    )


def test_openvino_reads_an_openvino_files(known, tmp_path):
    import openvino

    artifact = known["openvino-int8"]
    file = described(artifact, tmp_path)
    model = openvino.Core().read_model(file)
    said = {
        key: model.get_rt_info(["model_info", key]).astype(str)
        for key in ("model_type", "labels", "reverse_input_channels", "resize_type", "pad_value")
    }
    assert said == {
        "model_type": "Classification",
        "labels": " ".join(artifact.labels),
        "reverse_input_channels": "True",
        "resize_type": "standard",
        "pad_value": "114",
    }
    assert file.with_suffix(".bin").read_bytes() == (artifact.path / "model.bin").read_bytes()


@pytest.mark.parametrize("spec", [PIXELS, CENTRED, IMAGENET], ids=["pixels", "centred", "imagenet"])
def test_a_picture_becomes_the_sample_by_the_metadata_alone(known, tmp_path, spec):
    import openvino

    picture = np.random.default_rng(3).integers(0, 256, (24, 24, 3), np.uint8)
    file = described(known["openvino-fp32"], tmp_path, inputs=(spec,))
    model = openvino.Core().read_model(file)
    mean, scale = (
        [float(n) for n in model.get_rt_info(["model_info", key]).astype(str).split()]
        for key in ("mean_values", "scale_values")
    )
    np.testing.assert_allclose(
        (picture - np.array(mean)) / np.array(scale), fit_pixels(picture, spec), atol=1e-6
    )
    if spec is PIXELS:
        assert (mean, scale) == ([0.0] * 3, [1.0] * 3)


def test_the_golden_output_follows_from_an_openvino_files_metadata_alone(known, tmp_path):
    """As somebody with nothing but openvino and the file would do it."""
    import openvino

    artifact = known["openvino-int8"]
    golden = artifact.path / "golden"
    model = openvino.Core().read_model(described(artifact, tmp_path))

    def say(key):
        return model.get_rt_info(["model_info", key]).astype(str)

    mean, scale = (np.array(say(k).split(), float) for k in ("mean_values", "scale_values"))
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    cases = (np.load(golden / name) for name in ("inputs.npy", "outputs.npy"))
    for picture, wanted in zip(*cases, strict=True):
        sample = ((picture - mean) / scale).astype(np.uint8)
        np.testing.assert_allclose(compiled(sample[None])[0][0], wanted, atol=0.05 * np.ptp(wanted))


def test_a_text_models_file_brings_vocabulary_and_tokenizer(known, tmp_path, tokenizer):
    from tokenizers import Tokenizer

    file = described(known["tflite-fp32"], tmp_path, inputs=(TEXT,), tokenizer=tokenizer)
    _, files = tflite.read(file.read_bytes())
    assert sorted(files) == ["labels.txt", "tokenizer.json", "vocab.txt"]
    brought = Tokenizer.from_str(files["tokenizer.json"].decode())
    assert brought.to_str() == Tokenizer.from_file(str(tokenizer)).to_str()
    pieces = files["vocab.txt"].decode().splitlines()
    assert [brought.token_to_id(piece) for piece in pieces] == list(range(len(pieces)))


def test_a_detectors_files_name_no_wrapper_that_would_decode_them_wrongly():
    from edgekit.exporters.metadata import openvino
    from edgekit.tensor import TensorInfo

    outputs = (
        TensorInfo("boxes", "float32", (1, 9, 4)),
        TensorInfo("scores", "float32", (1, 9, 2)),
    )
    facts = Facts("d", "", "object-detection", "", "", ("a b", "c"), (PIXELS,))
    told = openvino._told(facts, outputs)
    assert "model_type" not in told
    assert (told["labels"], told["confidence_threshold"], told["iou_threshold"]) == (
        "a_b c", "0.25", "0.6",
    )  # fmt: skip
    assert facts.names_classes(outputs, 1)
    assert not facts.names_classes(outputs, 0)


@pytest.mark.parametrize("range_", [(0.0, 255.0), (0.0, 1.0), (-1.0, 1.0), (-128.0, 127.0)])
def test_normalisation_undoes_itself_at_both_ends(range_):
    means, deviations = normalization(replace(CENTRED, range=range_))
    for mean, deviation in zip(means, deviations, strict=True):
        assert (0 - mean) / deviation == pytest.approx(range_[0], abs=1e-12)
        assert (255 - mean) / deviation == pytest.approx(range_[1], abs=1e-12)
