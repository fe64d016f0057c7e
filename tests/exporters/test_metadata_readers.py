"""What files say of themselves, read by the official readers, in environments of their own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgekit.datasets.images import fit_pixels
from edgekit.spec import InputSpec
from tests.exporters.describing import (
    IMAGENET,
    PIXELS,
    TEXT,
    described,
    ran,
)

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
