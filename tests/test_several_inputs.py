"""A model with several inputs and outputs, from an `.npz` with an array for each to artifacts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from edgekit.agent.samples import SampleReader
from edgekit.artifact import Artifact
from edgekit.datasets import draw, open_dataset
from edgekit.exporters.onnx import OnnxExporter
from edgekit.exporters.tflite_file import describe, operator_name, unpack
from edgekit.feeding import run_samples
from edgekit.job import Job
from edgekit.mixing.trials import Trials
from edgekit.process import Child
from edgekit.quantization.mixed.drawing import SearchDraw
from edgekit.quantization.mixed.worker import ENTRY
from edgekit.samples import read_samples, samples_at, stored_at, write_samples
from edgekit.transports.local import LocalTransport
from tests.test_export import edgekit

INPUTS = ("crop", "position", "cache")
OUTPUTS = ("logits", "state")
TARGETS = ("tflite", "onnx", "openvino")
LABELS = tuple(f"{target}-{precision}" for precision in ("fp32", "int8") for target in TARGETS)

MODEL_TOML = """
name = "steps"
summary = "A crop, where it is from, and what was remembered."
task = "image-classification"
outputs = ["logits", "state"]
calibration_samples = 48

[[inputs]]
name = "crop"
dtype = "uint8"
shape = [12, 12, 3]
layout = "HWC"

[[inputs]]
name = "position"
dtype = "int32"
shape = []
range = [0, 5]

[[inputs]]
name = "cache"
dtype = "float32"
shape = [2, 4, 3]
range = [-1, 1]

[gate]
samples = 60
max_drop = 5

[train]
batch_size = 16
epochs = 10
learning_rate = 0.02
validation_samples = 30
"""

# Inputs by name, which Keras would sort, and in another order than those of model.toml.
MODEL_PY = """
import keras
from keras import layers, ops


def build(classes):
    cache = keras.Input((2, 4, 3), name="cache")
    position = keras.Input((), dtype="int32", name="position")
    crop = keras.Input((12, 12, 3), dtype="uint8", name="crop")
    x = layers.Rescaling(1 / 127.5, -1)(crop)
    x = layers.Conv2D(8, 3, strides=3)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dense(8)(layers.Flatten()(x))
    x = x + layers.Dense(8)(ops.one_hot(position, 6))
    state = cache * 0.5 + layers.Dense(3)(cache)
    x = layers.Concatenate()([layers.ReLU()(x), layers.Flatten()(state)])
    inputs = {"cache": cache, "position": position, "crop": crop}
    return keras.Model(inputs, [layers.Dense(classes)(x), state])
"""


def samples(random, count):
    """A colour and, for two in three classes, the position say which class it is."""
    labels = np.arange(count) % 4
    crop = random.integers(0, 100, (count, 12, 12, 3))
    crop[np.arange(count), ..., labels % 2] += 100
    position = random.integers(0, 3, count) + 3 * (labels // 2)
    cache = random.uniform(-1, 1, (count, 2, 4, 3)).astype(np.float32)
    return {"crop": crop.astype(np.uint8), "position": position, "cache": cache}, labels


@pytest.fixture(scope="session")
def folder(made_once):
    """steps/ with weights beside it, data.npz, and build/ with six artifacts, as printed."""

    def fill(folder):
        random = np.random.default_rng(1)
        arrays = {}
        for split, count in (("train", 320), ("test", 80)):
            inputs, labels = samples(random, count)
            arrays |= {f"x_{split}.{name}": array for name, array in inputs.items()}
            arrays[f"y_{split}"] = labels
        np.savez(folder / "data.npz", **arrays)
        (folder / "steps").mkdir()
        (folder / "steps" / "model.toml").write_text(MODEL_TOML)
        (folder / "steps" / "model.py").write_text(MODEL_PY)
        done = edgekit(
            "train", "./steps", "--data", "data.npz", "--out", "run", "--json", cwd=folder
        )
        (folder / "trained.json").write_text(done.stdout)
        done = edgekit(
            "export", "./steps", "--data", "data.npz", "--weights", "run/data.weights.h5",
            "--int8", "--no-timing", "--no-search", "--json", cwd=folder,
        )  # fmt: skip
        (folder / "exported.json").write_text(done.stdout)

    return made_once("several-inputs", fill)


@pytest.fixture
def artifact(folder):
    return lambda label: Artifact.open(folder / "build" / "steps" / label)


def test_a_model_with_several_inputs_learns_from_all_of_them(folder):
    history = json.loads((folder / "run" / "history.json").read_text())["history"]
    assert len(history) == 10
    # Neither the crop nor the position alone tells more than two of four classes apart.
    assert history[-1]["validation"] > 80


def test_it_is_exported_in_float_and_int8_for_every_target(folder, artifact):
    made = json.loads((folder / "exported.json").read_text())["artifacts"]
    assert {f"{one['target']}-{one['precision']}" for one in made} == set(LABELS)
    for label in LABELS:
        manifest = artifact(label).manifest
        assert [spec.name for spec in manifest.preprocessing] == list(INPUTS)
        assert {tensor.name: tensor.dtype for tensor in manifest.inputs} == {
            "crop": "uint8", "position": "int32", "cache": "float32",
        }  # fmt: skip
        assert [tuple(t.shape[1:]) for t in manifest.outputs] == [(4,), (2, 4, 3)]
        assert manifest.metric["value"] > 80
        if manifest.precision == "int8":
            assert manifest.parity.top1_agreement > 0.9
            assert manifest.calibration["count"] == 48


def test_int8_of_all_targets_is_calibrated_with_the_same_samples(artifact):
    digests = {artifact(f"{target}-int8").manifest.calibration["digest"] for target in TARGETS}
    assert len(digests) == 1


def test_golden_files_hold_every_input_and_output(artifact):
    golden = artifact("onnx-int8").path / "golden"
    inputs = read_samples(samples_at(golden), INPUTS)
    assert {name: array.shape[1:] for name, array in inputs.items()} == {
        "crop": (12, 12, 3), "position": (), "cache": (2, 4, 3),
    }  # fmt: skip
    assert set(map(len, inputs.values())) == {12}
    for kind in ("outputs", "reference"):
        arrays = read_samples(stored_at(golden / kind), OUTPUTS)
        assert [array.shape[1:] for array in arrays.values()] == [(4,), (2, 4, 3)]


@pytest.mark.parametrize("label", ["tflite-int8", "openvino-fp32"])
def test_eval_measures_it_on_data_for_all_inputs(folder, label):
    place = folder / "build" / "steps" / label
    done = edgekit("eval", place, "--data", folder / "data.npz", "--json")
    proven = Artifact.open(place).manifest
    assert json.loads(done.stdout)["metric"]["value"] == proven.metric["value"]
    assert json.loads(done.stdout)["sample_digest"] == proven.evaluation["digest"]


def test_explain_compares_its_layers_on_data_for_all_inputs(folder):
    done = edgekit(
        "explain", "build/steps/onnx-int8", "--model", "./steps", "--weights",
        "run/data.weights.h5", "--data", "data.npz", "--json", cwd=folder,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert document["samples"] == 32
    assert {layer["op"] for layer in document["layers"]} >= {"Conv", "MatMul"}


def test_a_float_file_with_several_inputs_is_quantized(folder, tmp_path):
    for file, targets in (("onnx-fp32/model.onnx", 2), ("tflite-fp32/model.tflite", 1)):
        done = edgekit(
            "quantize", folder / "build" / "steps" / file, "--data", folder / "data.npz",
            "--out", tmp_path, "--name", file[:4], "--max-drop", "5", "--json",
        )  # fmt: skip
        made = json.loads(done.stdout)["artifacts"]
        assert len(made) == targets
        assert all(one["metric"]["value"] > 80 for one in made)


def test_what_is_off_in_one_hot_is_zero_in_8_bits(artifact):
    model = unpack((artifact("tflite-int8").model_path).read_bytes())
    main = model.subgraphs[0]
    (one_hot,) = (
        operator
        for operator in main.operators
        if operator_name(model.operatorCodes[operator.opcodeIndex]) == "ONE_HOT"
    )
    given = describe(main.tensors[one_hot.outputs[0]])
    stored = [
        int(np.asarray(model.buffers[main.tensors[index].buffer].data, np.uint8).view(np.int8)[0])
        for index in one_hot.inputs[2:4]
    ]
    real = [given.scale * (code - given.zero_point) for code in stored]
    assert real == pytest.approx([1.0, 0.0], abs=given.scale)


def test_a_python_bundle_takes_an_array_for_each_input(folder, artifact, tmp_path):
    edgekit("bundle", artifact("onnx-int8").path, "--platform", "python", "-o", tmp_path / "bundle")
    (wheel,) = (tmp_path / "bundle" / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = (
        "import numpy as np, steps\n"
        f"data = np.load({str(folder / 'data.npz')!r})\n"
        f"sample = {{name: data['x_test.' + name][1] for name in {INPUTS}}}\n"
        "model = steps.Model()\n"
        "print(model.check(), model.predict(sample)[0].number, model.run(sample)['state'].shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=False, cwd=tmp_path / "site",
    )  # fmt: skip
    assert done.stdout == "12 1 (2, 4, 3)\n", done.stderr
    guide = (tmp_path / "bundle" / "README.md").read_text()
    assert 'model.predict({"crop": array, "position": array, "cache": array})' in guide


@pytest.mark.parametrize(
    ("words", "reason", "status"),
    [
        (
            ("train", "./steps", "--dataset", "glyphs", "--out", "none"),
            "glyphs feeds one input; the model has 3: crop, position, cache",
            1,
        ),
        (
            ("eval", "build/steps/onnx-fp32", "--data", "other.npz"),
            "other feeds the inputs left, right; the model has 3: crop, position, cache",
            1,
        ),
        (
            ("bundle", "build/steps/onnx-fp32", "--platform", "web", "-o", "none"),
            "the app for the web takes one picture, sound or text",
            2,
        ),
    ],
)
def test_what_does_not_feed_its_inputs_is_refused_in_one_line(
    folder, tmp_path, words, reason, status
):
    labels = np.arange(30) % 4
    two = {f"x_{s}.{n}": np.ones((30, 2)) for s in ("train", "test") for n in ("left", "right")}
    np.savez(tmp_path / "other.npz", **two, y_train=labels, y_test=labels)
    for name in ("steps", "build"):
        (tmp_path / name).symlink_to(folder / name)
    done = edgekit(*words, status=status, cwd=tmp_path)
    (line,) = [line for line in done.stderr.splitlines() if line.strip().startswith("error:")]
    assert reason in line


def test_augmentations_of_one_input_are_refused_before_anything_is_built(folder, tmp_path):
    model = tmp_path / "steps"
    model.mkdir()
    (model / "model.py").write_text("raise SystemExit")
    (model / "model.toml").write_text(MODEL_TOML + "\n[train.augment]\nrotate = 20\n")
    done = edgekit(
        "train", model, "--data", folder / "data.npz", "--out", tmp_path / "run", status=1
    )
    assert "[train.augment] changes samples of one input; this model has 3" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_search_of_layers_to_keep_in_float_judges_on_all_inputs(folder, artifact, tmp_path):
    for label in ("onnx-int8", "onnx-fp32"):
        shutil.copytree(artifact(label).path, tmp_path / "files" / label)
    plain = artifact("onnx-fp32").manifest
    dataset = open_dataset(folder / "data.npz")
    drawn = draw(dataset, "test", 40, plain.preprocessing)

    def run_reference(samples, place):
        job = Job("run", "onnxruntime", str(tmp_path / "files" / "onnx-fp32" / "model.onnx"))
        (place / "run").mkdir(exist_ok=True)
        arrays, _ = run_samples(
            LocalTransport(), job, inputs=plain.inputs, outputs=plain.outputs,
            samples=samples, scratch=place / "run",
        )  # fmt: skip
        return write_samples(place / "reference", dict(zip(OUTPUTS, arrays, strict=True)))

    exporter = OnnxExporter()
    workshop = SimpleNamespace(
        scratch=tmp_path,
        order=SimpleNamespace(metric="top1"),
        starts=SimpleNamespace(source=lambda _step: tmp_path),
        run_reference=run_reference,
        episodes=None,
    )
    step = SimpleNamespace(label="onnx-int8", source="onnx-fp32", exporter=exporter)
    graph = exporter.inspect(tmp_path / "files" / "onnx-int8")
    with Child(ENTRY) as child:
        trials = Trials(workshop, child, step, graph, (INPUTS, OUTPUTS))
        trials.take(SearchDraw("test", drawn), 1e-6)
        assert trials.count == 40
        lost, noise = trials.run(())
        _, quiet = trials.run(range(len(trials.layers)))
    assert abs(lost) <= 5
    assert 0 <= quiet < noise / 100
    one = {name: SampleReader(place, plain.inputs) for name, place in trials.one_sample().items()}
    assert {name: len(reader) for name, reader in one.items()} == {"mixed": 1, "int8": 1, "fp32": 1}
