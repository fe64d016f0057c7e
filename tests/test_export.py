"""`edgekit export` as a person runs it: models that are in no folder of edgekit, their own data."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import Artifact

ALL = [f"{target}-{precision}" for precision in ("fp32", "int8")
       for target in ("tflite", "onnx", "openvino")]  # fmt: skip
# int8 of an untrained model gives away labels; what is tested here is what an export does.
LENIENT = ("--max-drop", "100", "--no-timing")

# Imported first in every process of an export: notes those that import TensorFlow.
SPY = """
import os, sys
class Spy:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "onnx", "openvino", "numpy"):
            with open(os.environ["IMPORTS"], "a") as log:
                log.write(name + "\\n")
sys.meta_path.insert(0, Spy())
"""


def edgekit(*arguments, status=0, **more):
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def export(*arguments, status=0, **more):
    return json.loads(edgekit("export", *arguments, "--json", status=status, **more).stdout)


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): Artifact.open(path.parent).sha256
        for path in folder.rglob("manifest.json")
    }


@pytest.fixture(scope="session")
def pictures(made_once) -> Path:
    """An `.npz` of 16×16 pictures, each class a colour, and the same without labels."""

    def fill(folder):
        random = np.random.default_rng(4)
        labels = np.arange(160) % 4
        colours = random.integers(40, 216, (4, 3))
        values = colours[labels][:, None, None] + random.integers(-30, 30, (160, 16, 16, 3))
        values = values.clip(0, 255).astype(np.uint8)
        np.savez(folder / "labelled.npz", x=values, y=labels)
        np.savez(folder / "unlabelled.npz", x=values)
        np.savez(folder / "more.npz", x=values, y=np.arange(160) % 7)

    return made_once("pictures", fill)


@pytest.fixture(scope="session")
def first_export(made_once, keras_models, pictures):
    """Folder with `build/`, and `first.json`, what the export that made it printed."""

    def fill(folder):
        done = edgekit(
            "export", keras_models / "pixels.keras", "--data", pictures / "labelled.npz",
            "--int8", "--json", *LENIENT, cwd=folder,
        )  # fmt: skip
        (folder / "first.json").write_text(done.stdout)
        (folder / "stderr.txt").write_text(done.stderr)

    return made_once("first-export", fill)


@pytest.fixture
def exported(first_export, tmp_path):
    """A copy of the first export to go on with."""
    shutil.copytree(first_export, tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def again(exported, keras_models, pictures, monkeypatch):
    """Run the first export's command once more, in the copy, and note what it imports."""
    spy = exported / "spy"
    spy.mkdir()
    (spy / "sitecustomize.py").write_text(SPY)
    monkeypatch.setenv("PYTHONPATH", str(spy), prepend=os.pathsep)
    monkeypatch.setenv("IMPORTS", str(spy / "imports"))

    def run(*arguments, model="pixels.keras", data="labelled.npz", status=0):
        (spy / "imports").write_text("")
        done = edgekit(
            "export", keras_models / model, "--data", pictures / data, "--json",
            *(arguments if "--max-drop" in arguments else (*arguments, *LENIENT)),
            cwd=exported, status=status,
        )  # fmt: skip
        imports = (spy / "imports").read_text().split()
        return json.loads(done.stdout or "{}"), set(imports), done.stderr

    return run


def test_the_document_is_what_the_contract_says(first_export):
    document = json.loads((first_export / "first.json").read_text())
    assert document["cached"] is False
    assert document["failures"] == {}
    assert document["seconds"] > 0
    paths = [entry["path"] for entry in document["artifacts"]]
    assert paths == [str(Path("build/pixels", label)) for label in ALL]
    for entry in document["artifacts"]:
        assert {
            "path", "model", "dataset", "target", "precision", "bytes", "sha256", "parity",
            "metric",
        } <= set(entry)  # fmt: skip
        assert (entry["model"], entry["dataset"]) == ("pixels", "labelled")
        assert {"max_abs", "top1_agreement"} <= set(entry["parity"])
        metric = entry["metric"]
        assert {"name", "samples", "reference", "value", "drop", "ci95"} <= set(metric)
        assert (metric["name"], metric["samples"]) == ("top1", 32)
        low, high = metric["ci95"]
        assert low <= metric["value"] <= high
        assert metric["drop"] == pytest.approx(metric["reference"] - metric["value"], abs=1e-3)
        artifact = Artifact.open(first_export / entry["path"])
        assert (artifact.sha256, artifact.bytes) == (entry["sha256"], entry["bytes"])


def test_float_files_are_the_model_and_nothing_is_said_on_stderr(first_export):
    document = json.loads((first_export / "first.json").read_text())
    for entry in document["artifacts"][:3]:
        assert entry["parity"]["max_abs"] <= 1e-4
        assert entry["parity"]["top1_agreement"] == 1.0
    assert (first_export / "stderr.txt").read_text() == ""


def test_nothing_but_artifacts_is_left(first_export):
    assert sorted(path.name for path in (first_export / "build" / "pixels").iterdir()) == sorted(
        ALL
    )
    for label in ALL:
        names = {path.name for path in (first_export / "build" / "pixels" / label).iterdir()}
        model = {"tflite": {"model.tflite"}, "onnx": {"model.onnx"}}
        files = model.get(label.partition("-")[0], {"model.xml", "model.bin"})
        assert names == {*files, "labels.txt", "golden", "manifest.json"}


def test_golden_files_are_small_and_hold_what_the_artifact_gave(first_export):
    for label in ALL:
        golden = first_export / "build" / "pixels" / label / "golden"
        inputs, outputs, reference = (
            np.load(golden / f"{name}.npy") for name in ("inputs", "outputs", "reference")
        )
        assert inputs.dtype == np.uint8
        assert outputs.dtype == reference.dtype == np.float32
        assert len(inputs) == len(outputs) == len(reference) == 12
        if label.endswith("fp32"):
            assert np.abs(outputs - reference).max() <= 1e-4


def test_artifacts_hold_what_the_source_model_had_right(first_export):
    for label in ALL:
        folder = first_export / "build" / "pixels" / label
        marks = np.load(folder / "golden" / "marks.npy")
        metric = Artifact.open(folder).manifest.metric
        assert (marks.dtype, marks.shape) == (bool, (32,))
        assert 100 * marks.mean() == pytest.approx(metric["reference"])


def test_every_target_is_calibrated_with_the_same_samples_apart_from_those_of_the_metric(
    first_export,
):
    manifests = [Artifact.open(first_export / "build" / "pixels" / n).manifest for n in ALL]
    assert [m.calibration is None for m in manifests] == [True] * 3 + [False] * 3
    assert len({m.calibration["digest"] for m in manifests[3:]}) == 1
    assert len({m.evaluation["digest"] for m in manifests}) == 1
    assert manifests[3].calibration["split"] == "train"
    assert manifests[3].evaluation["split"] == "test"


def test_manifests_hold_no_path_and_no_time(first_export, keras_models):
    for label in ALL:
        text = (first_export / "build" / "pixels" / label / "manifest.json").read_text()
        assert str(keras_models.parent) not in text
        assert "/" not in re.sub(r"golden/\w+\.npy", "", text)
        assert "20" + "26-" not in text


def test_a_second_process_makes_the_same_bytes(again, exported):
    before = {path: path.read_bytes() for path in (exported / "build").rglob("*.*")}
    document, _, _ = again("--int8", "--force")
    assert document["cached"] is False
    after = {path: path.read_bytes() for path in (exported / "build").rglob("*.*")}
    assert [str(path) for path in before if after.get(path) != before[path]] == []
    assert set(after) == set(before)


def test_the_same_again_converts_nothing_and_starts_no_converter(again, first_export):
    document, imports, _ = again("--int8")
    assert document["cached"] is True
    assert (
        document["artifacts"] == json.loads((first_export / "first.json").read_text())["artifacts"]
    )
    assert imports & {"tensorflow", "onnx", "openvino"} == set()


def test_only_what_calibration_decides_is_made_again_for_another_count(again, exported):
    folder = exported / "build" / "pixels"
    before = {label: (folder / label).stat().st_ino for label in ALL}
    again("--int8", "--target", "onnx", "--calibration-samples", "20")
    changed = {label for label in ALL if (folder / label).stat().st_ino != before[label]}
    assert changed == {"onnx-int8"}
    assert Artifact.open(folder / "onnx-int8").manifest.calibration["count"] == 20


def test_int8_starts_from_the_conditioned_model_and_float_from_the_original(first_export):
    chains = {
        label: Artifact.open(first_export / "build" / "pixels" / label).manifest.chain
        for label in ALL
    }
    assert chains["tflite-int8"] == ("keras", "conditioned", "tflite-int8")
    conditioned = ("keras", "conditioned", "onnx-fp32-conditioned")
    assert chains["onnx-int8"] == (*conditioned, "onnx-int8")
    assert chains["openvino-int8"] == (*conditioned, "openvino-int8")
    assert all("conditioned" not in chains[label] for label in ALL if "fp32" in label)


def test_no_condition_makes_int8_anew_and_leaves_float_alone(again, exported):
    folder = exported / "build" / "pixels"
    before = {label: (folder / label).stat().st_ino for label in ALL}
    again("--int8", "--target", "onnx", "--no-condition")
    changed = {label for label in ALL if (folder / label).stat().st_ino != before[label]}
    assert changed == {"onnx-int8"}
    chain = Artifact.open(folder / "onnx-int8").manifest.chain
    assert chain == ("keras", "onnx-fp32", "onnx-int8")


def test_a_damaged_artifact_is_made_again_and_the_others_are_not(again, exported):
    folder = exported / "build" / "pixels"
    whole = digests(folder)
    (folder / "tflite-fp32" / "model.tflite").write_bytes(b"damaged")
    before = {label: (folder / label).stat().st_ino for label in ALL}
    document, _, _ = again("--int8", "--target", "tflite")
    assert document["cached"] is False
    assert digests(folder) == whole
    changed = {label for label in ALL if (folder / label).stat().st_ino != before[label]}
    assert changed == {"tflite-fp32"}


def test_a_stricter_limit_refuses_a_cached_artifact_without_converting(again, exported):
    manifest = exported / "build" / "pixels" / "onnx-int8" / "manifest.json"
    data = json.loads(manifest.read_text())
    data["metric"] |= {
        "reference": 50.0, "value": 47.5, "ci95": [40.0, 55.0],
        "drop": 2.5, "drop_ci95": [0.0, 5.0],
    }  # fmt: skip
    manifest.write_text(json.dumps(data))
    document, imports, error = again("--int8", "--max-drop", "1", "--no-search", status=1)
    assert "error: pixels onnx-int8 loses 2.50 points of top1; the limit is 1.00" in error
    assert "limit: max_drop of --max-drop" in error
    assert [entry["path"] for entry in document["artifacts"]] == [
        str(Path("build/pixels", label)) for label in ALL if label != "onnx-int8"
    ]
    assert document["failures"]["onnx-int8"]["type"] == "GateError"
    assert "tensorflow" not in imports


def test_a_gate_that_fails_leaves_no_artifact_and_the_one_before_whole(keras_models, tmp_path):
    random = np.random.default_rng(0)
    values = random.uniform(-1, 1, (400, 4)).astype(np.float32)
    np.savez(tmp_path / "vectors.npz", x=values, y=values[:, 1:].argmax(axis=1) + 1)
    hostile = (
        keras_models / "hostile.keras", "--data", "vectors.npz", "--target", "onnx", "--int8",
        "--input-range=-1,1", "--no-search",
    )  # fmt: skip
    document = export(*hostile, status=1, cwd=tmp_path)
    assert [entry["precision"] for entry in document["artifacts"]] == ["fp32"]
    assert "onnx-int8 loses" in document["failures"]["onnx-int8"]["message"]
    folder = tmp_path / "build" / "hostile"
    assert [path.name for path in folder.iterdir()] == ["onnx-fp32"]
    # An artifact of other ingredients in its place: not used, and not taken away either.
    shutil.copytree(folder / "onnx-fp32", folder / "onnx-int8")
    amended = json.loads((folder / "onnx-int8" / "manifest.json").read_text())
    (folder / "onnx-int8" / "manifest.json").write_text(json.dumps({**amended, "key": "other"}))
    before = digests(folder)
    error = edgekit("export", *hostile, "-q", status=1, cwd=tmp_path).stderr
    assert error.count("error:") == 1
    assert digests(folder) == before


def test_a_dry_run_prints_the_plan_and_imports_no_converter(again, exported):
    shutil.rmtree(exported / "build")
    document, imports, _ = again("--int8", "--dry-run")
    assert [step["step"] for step in document["plan"] if step["artifact"]] == ALL
    others = [step["step"] for step in document["plan"] if not step["artifact"]]
    assert others == ["onnx-fp32-rewritten-conditioned"]
    assert imports & {"tensorflow", "onnx", "openvino"} == set()
    assert not (exported / "build").exists()


def test_without_data_float_is_proven_on_noise_and_int8_is_refused(keras_models, tmp_path):
    document = export(keras_models / "pair.keras", cwd=tmp_path)
    assert [entry["metric"] for entry in document["artifacts"]] == [None] * 3
    assert [entry["dataset"] for entry in document["artifacts"]] == [None] * 3
    assert all(entry["parity"]["max_abs"] <= 1e-4 for entry in document["artifacts"])
    assert not list(tmp_path.rglob("labels.txt"))
    error = edgekit("export", keras_models / "pair.keras", "--int8", cwd=tmp_path, status=1).stderr
    assert error.startswith("error: int8 of pair needs data: its ranges come from calibration")
    assert "try:   --data PATH" in error


def test_unlabelled_data_calibrates_and_gives_parity_without_a_metric(again, exported):
    shutil.rmtree(exported / "build")
    document, _, _ = again("--int8", "--target", "onnx", data="unlabelled.npz")
    assert [entry["metric"] for entry in document["artifacts"]] == [None, None]
    assert document["artifacts"][1]["parity"]["max_abs"] > 0
    assert not list((exported / "build").rglob("labels.txt"))


def test_more_classes_than_outputs_are_refused_with_both_numbers(again, exported):
    before = digests(exported / "build")
    _, _, error = again("--int8", data="more.npz", status=1)
    assert error.startswith("error: pixels gives 4 outputs, the data set more has 7 classes")
    assert digests(exported / "build") == before


@pytest.mark.parametrize("file", ["saved", "keras2.h5"])
def test_other_formats_export_like_a_keras_file(keras_models, tmp_path, file):
    source = keras_models / file
    if file == "keras2.h5":
        source = tmp_path / file
        shutil.copy(keras_models / file, source)
        add_groups_key(source)
    document = export(source, "--target", "tflite", cwd=tmp_path)
    assert document["artifacts"][0]["parity"]["max_abs"] <= 1e-4


def add_groups_key(path):
    """What Keras 2 wrote for a DepthwiseConv2D, and Keras 3 refuses."""
    import h5py

    with h5py.File(path, "r+") as stored:
        config = json.loads(stored.attrs["model_config"])
        (layer,) = [x for x in config["config"]["layers"] if x["class_name"] == "DepthwiseConv2D"]
        layer["config"]["groups"] = 1
        stored.attrs["model_config"] = json.dumps(config)


CRASHING = """
import ctypes
from edgekit.exporters.onnx import OnnxExporter

class Crashing(OnnxExporter):
    target = "crashing"
    def source(self, precision):
        return "onnx-fp32"
    def _convert(self, conversion):
        ctypes.string_at(0)
"""


def test_a_converter_that_crashes_takes_its_own_artifact_down_and_no_other(
    keras_models, tmp_path, monkeypatch
):
    (tmp_path / "crashing.py").write_text(CRASHING)
    info = tmp_path / "crashing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[edgekit.exporters]\ncrashing = crashing:Crashing\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    document = export(
        keras_models / "lstm.keras", "--target", "onnx", "--target", "crashing",
        cwd=tmp_path, status=1,
    )  # fmt: skip
    assert [entry["target"] for entry in document["artifacts"]] == ["onnx"]
    failure = document["failures"]["crashing-fp32"]
    assert failure["message"] == "crashing-fp32: the converter's process was ended by SIGSEGV"
    assert "the other artifacts are not concerned" in failure["hint"]
    assert [path.name for path in (tmp_path / "build" / "lstm").iterdir()] == ["onnx-fp32"]
