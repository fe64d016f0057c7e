"""What files say of themselves, read by those who did not write it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from edgekit import registry
from edgekit.agent.runtimes import runtime_class
from edgekit.artifact import Artifact
from edgekit.datasets.images import fit_pixels
from edgekit.datasets.recipe import normalization
from edgekit.exporters import tflite_file
from edgekit.exporters.metadata import tflite
from edgekit.exporters.metadata.facts import Facts
from edgekit.spec import InputSpec
from edgekit.tokenizing import train_wordpiece

KNOWN = ("tflite-fp32", "tflite-int8", "tflite-int8-int8", "onnx-fp32", "onnx-int8",
         "openvino-fp32", "openvino-int8")  # fmt: skip
PIXELS = InputSpec("image", "uint8", (24, 24, 3), "HWC", resize="bilinear")
CENTRED = replace(PIXELS, dtype="float32", range=(-1.0, 1.0))
IMAGENET = replace(
    CENTRED,
    range=(-2.2, 2.7),
    channel_ranges=tuple(
        ((0 - m) / s, (1 - m) / s) for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    ),
)


@pytest.fixture(scope="session")
def known(request):
    folder = request.config.rootpath / "devices" / "known"
    return {label: Artifact.open(folder / label) for label in KNOWN}


def facts_of(artifact, **changes):
    manifest = artifact.manifest
    usual = Facts(
        model="known",
        summary="Drawn letters and digits.",
        task="image-classification",
        licence="Apache-2.0",
        activation=manifest.activation,
        labels=artifact.labels,
        inputs=manifest.preprocessing,
    )
    return replace(usual, **changes)


def described(artifact, folder, **changes):
    """The artifact's files, written anew with what they say of themselves."""
    source, out = folder / "source", folder / "out"
    for place in (source, out):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    for path in artifact.path.glob("model.*"):
        shutil.copy(path, source)
    exporter = registry.load(registry.EXPORTERS, artifact.target)()
    exporter.describe(source, out, facts_of(artifact, **changes))
    return out / artifact.manifest.model_file


def ran(runtime, file, samples):
    """Outputs for each sample, and where the ops ran."""
    model = runtime_class(runtime)().load(file, threads=1, delegate=None)
    taken = model.inputs[0]
    outputs = []
    for sample in samples:
        zero = 128 if taken.dtype == "int8" else 0  # its step is 1
        wide = sample[None].astype(float if taken.dtype == "float32" else int)
        model.set_inputs([(wide - zero).astype(taken.dtype)])
        model.invoke()
        outputs += [array.tobytes() for array in model.get_outputs()]
    return outputs, model.placement()


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


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    file.write_bytes(train_wordpiece(["the cat sat on the mat", "a dog ate the cat's food"], 60))
    return file


TEXT = InputSpec("tokens", "int32", (24, 24, 3), "tokens", range=(0.0, 59.0), tokenizer="wordpiece")


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


# -- the official readers, which need an environment of their own ----------------------------------

TFLITE_SUPPORT = (
    "tflite-support-0.4.4", "tflite-support==0.4.4", "protobuf==3.20.3", "flatbuffers",
    "sounddevice", "cffi", "absl-py",
)  # fmt: skip
SOUND = InputSpec("sound", "float32", (16000,), "waveform", range=(-1.0, 1.0), rate_hz=16000)
TFLITE_READER = """
import sys
sys.modules["tensorflow"] = None  # it looks for one, and this one wants a newer protobuf
from tensorflow_lite_support.metadata.cc.python import _pywrap_metadata_version as versions
from tflite_support import metadata
from tflite_support import schema_py_generated as schema
for file in sys.argv[1:]:
    shown = metadata.MetadataDisplayer.with_model_file(file)
    names = shown.get_packed_associated_file_list()
    print(shown.get_metadata_json().replace(chr(10), ""))
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(open(file, "rb").read(), 0))
    (place,) = [one.buffer for one in model.metadata if one.name == b"TFLITE_METADATA"]
    print(versions.GetMinimumMetadataParserVersion(bytes(model.buffers[place].data)))
    print({name: shown.get_associated_file_buffer(name).decode() for name in names})
"""


@pytest.mark.network
def test_tflite_supports_reader_reads_what_is_there(known, packages_beside, tmp_path, tokenizer):
    beside = packages_beside(*TFLITE_SUPPORT)
    artifact = known["tflite-int8"]
    files = [
        described(artifact, tmp_path / "picture", inputs=(PIXELS,)),
        described(artifact, tmp_path / "centred", inputs=(IMAGENET,)),
        described(artifact, tmp_path / "text", inputs=(TEXT,), tokenizer=tokenizer),
        described(artifact, tmp_path / "sound", inputs=(SOUND,)),
    ]
    lines = beside(TFLITE_READER, *files)
    picture, centred, text, sound = (json.loads(line) for line in lines[::3])
    said = [one["min_parser_version"] for one in (picture, centred, text, sound)]
    assert said == lines[1::3] == ["1.0.0", "1.0.0", "1.0.1", "1.3.0"]
    assert picture["license"] == "Apache-2.0"
    (taken,) = picture["subgraph_metadata"][0]["input_tensor_metadata"]
    (given,) = picture["subgraph_metadata"][0]["output_tensor_metadata"]
    assert taken["content"]["content_properties"] == {
        "color_space": "RGB",
        "default_size": {"width": 24, "height": 24},
    }
    assert taken["process_units"][0]["options"] == {"mean": [0.0] * 3, "std": [1.0] * 3}
    assert taken["stats"] == {"max": [255.0], "min": [0.0]}
    assert (taken["name"], given["name"]) == ("image", "logits")
    assert given["associated_files"][0]["type"] == "TENSOR_AXIS_LABELS"
    assert "".join(f"{one}\\n" for one in artifact.labels) in lines[2]
    # The wholly independent way: a picture by what that reader says, and nothing else.
    (taken,) = centred["subgraph_metadata"][0]["input_tensor_metadata"]
    options = taken["process_units"][0]["options"]
    pixels = np.random.default_rng(5).integers(0, 256, (24, 24, 3), np.uint8)
    sample = (pixels - np.array(options["mean"])) / np.array(options["std"])
    np.testing.assert_allclose(sample, fit_pixels(pixels, IMAGENET), atol=1e-5)
    (taken,) = text["subgraph_metadata"][0]["input_tensor_metadata"]
    assert taken["associated_files"][0]["type"] == "VOCABULARY"
    (taken,) = sound["subgraph_metadata"][0]["input_tensor_metadata"]
    properties = taken["content"]["content_properties"]
    assert properties == {"sample_rate": 16000, "channels": 1}


TASK_LIBRARY = """
import json, sys, numpy
sys.modules["tensorflow"] = None
from tflite_support.task import vision
model = vision.ImageClassifier.create_from_file(sys.argv[1])
found = []
for picture in numpy.load(sys.argv[2]):
    made = model.classify(vision.TensorImage.create_from_array(picture)).classifications[0]
    found.append({one.category_name: one.score for one in made.categories})
print(json.dumps(found))
"""


@pytest.mark.network
@pytest.mark.parametrize("kind", ["pixels", "floats"])
def test_the_task_library_gives_the_golden_output_by_what_a_file_says(
    known, packages_beside, tmp_path, make_artifact, kind
):
    """From a picture to names and scores, with nothing but the file, by code that is not ours."""
    if kind == "pixels":
        artifact, spec, size = known["tflite-int8"], PIXELS, 24
        pictures = np.load(artifact.path / "golden" / "inputs.npy")
    else:
        artifact, size = make_artifact("tflite"), 8
        spec = InputSpec("image", "float32", (8, 8, 3), "HWC", range=(-0.5, 1.5))
        pictures = np.random.default_rng(8).integers(0, 256, (6, size, size, 3), np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    file = described(artifact, tmp_path, inputs=(spec,))
    samples = [fit_pixels(picture, spec) for picture in pictures]
    wanted = [np.frombuffer(one, np.float32) for one in ran("litert", file, samples)[0]]
    lines = packages_beside(*TFLITE_SUPPORT)(TASK_LIBRARY, file, tmp_path / "pictures.npy")
    for found, values in zip(json.loads(lines[-1]), wanted, strict=True):
        named = dict(zip(artifact.labels, values.tolist(), strict=True))
        # It leaves out what is not above 0.
        assert found == pytest.approx(
            {name: score for name, score in named.items() if name in found},
            abs=0.02 * float(np.ptp(values)),
        )
        assert set(found) >= {name for name, score in named.items() if score > 0.01}
    assert any(values.max() > 0.01 for values in wanted)


MODEL_API = """
import json, sys, numpy
from model_api.models import Model
model = Model.create_model(sys.argv[1], device="CPU")
found = []
for picture in numpy.load(sys.argv[2]):
    (best,) = model(numpy.ascontiguousarray(picture[..., ::-1])).top_labels[:1]
    found.append([int(best.id), best.name])
print(json.dumps([type(model).__name__, found]))
"""


@pytest.mark.network
def test_openvinos_model_api_runs_a_file_by_what_it_says(known, packages_beside, tmp_path):
    beside = packages_beside(
        "openvino-model-api-0.4", "openvino-model-api==0.4.7", "opencv-python-headless<6"
    )
    artifact = known["openvino-int8"]
    file = described(artifact, tmp_path)
    wrapper, found = json.loads(
        beside(MODEL_API, file, artifact.path / "golden" / "inputs.npy")[-1]
    )
    best = np.load(artifact.path / "golden" / "outputs.npy").argmax(-1)
    assert wrapper == "ClassificationModel"
    assert found == [[int(one), artifact.labels[one]] for one in best]


@pytest.fixture(scope="session")
def packages_beside(request):
    """Install packages that edgekit doesn't need into a folder of pytest's cache, and run with
    them: (name, *packages) → (script, *arguments) → lines."""

    def install(name, *packages):
        place = request.config.cache.mkdir(name) / "packages"
        if not place.is_dir():
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", part]
            done = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:]
                pytest.skip(
                    f"pip install --no-deps {' '.join(packages)} failed; is there a network, and a "
                    f"wheel for this Python? {reason}"
                )
            part.replace(place)

        def run(script, *arguments):
            done = subprocess.run(
                [sys.executable, "-c", script, *map(str, arguments)],
                env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        return run

    return install
