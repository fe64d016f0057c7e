from __future__ import annotations

import json
import math
import os
import shutil

import pytest

from edgekit.artifact import Artifact, artifact_label, describe_files, is_artifact
from edgekit.errors import ArtifactError
from edgekit.manifest import FORMAT, Manifest
from edgekit.metrics import MetricValue
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo


@pytest.fixture
def artifact(make_artifact):
    return make_artifact("onnx")


def amend(artifact, **fields):
    """Write other fields into the manifest, as damage or an attacker would."""
    file = artifact.path / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def refusal(path):
    with pytest.raises(ArtifactError) as caught:
        Artifact.open(path)
    return caught.value.message


def test_what_was_written_is_read_back_the_same(artifact):
    again = Artifact.open(artifact.path)
    assert again == artifact
    assert again.manifest.to_json() == json.loads((artifact.path / "manifest.json").read_text())
    assert again.labels == ("0", "1", "2", "3")
    assert again.bytes == again.model_path.stat().st_size


def test_the_size_counts_weights_that_lie_in_a_file_of_their_own(make_artifact):
    artifact = make_artifact("openvino")
    files = [artifact.path / "model.xml", artifact.path / "model.bin"]
    assert artifact.bytes == sum(file.stat().st_size for file in files)


def test_the_manifest_holds_neither_time_nor_path(artifact, tmp_path):
    text = (artifact.path / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert describe_files(artifact.path) == artifact.manifest.files
    copy = tmp_path / "copy"
    shutil.copytree(artifact.path, copy)
    assert Artifact.open(copy).manifest == artifact.manifest


def test_one_changed_byte_is_found_in_any_file(artifact):
    for relative in artifact.manifest.files:
        file = artifact.path / relative
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert refusal(artifact.path).endswith(f"{relative}: sha256 differs from the manifest's")
        file.write_bytes(whole)


def test_a_truncated_file_differs_and_a_missing_one_is_missing(artifact):
    artifact.model_path.write_bytes(b"")
    assert "model.onnx: sha256 differs" in refusal(artifact.path)
    artifact.model_path.unlink()
    assert refusal(artifact.path) == f"{artifact.path}: model.onnx is missing"


def test_a_folder_in_the_place_of_a_file_is_refused(artifact):
    artifact.model_path.unlink()
    artifact.model_path.mkdir()
    assert "model.onnx" in refusal(artifact.path)


def test_a_folder_without_a_manifest_and_a_file_are_no_artifacts(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path, file, tmp_path / "absent"):
        assert refusal(path) == f"{path}: not an artifact (no manifest.json)"
        assert not is_artifact(path)


@pytest.mark.parametrize("found", [FORMAT + 1, 0, None, "1"])
def test_another_format_is_named(artifact, found):
    amend(artifact, format=found)
    assert f"format {found!r}; this edgekit reads formats 2 to {FORMAT}" in refusal(artifact.path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\ufffe", "[" * 100_000])
def test_what_is_no_manifest_is_one_error(artifact, text):
    (artifact.path / "manifest.json").write_text(text)
    assert "manifest.json: " in refusal(artifact.path)


def test_bytes_that_are_no_text_are_one_error(artifact):
    (artifact.path / "manifest.json").write_bytes(b"\xff\xfe\x00")
    assert "not valid JSON" in refusal(artifact.path)


def test_an_oversized_manifest_is_not_read(artifact):
    with (artifact.path / "manifest.json").open("wb") as file:
        os.truncate(file.fileno(), 5 * 1024 * 1024)
    assert "5,242,880 bytes" in refusal(artifact.path)


@pytest.mark.parametrize(
    "outside", ["../outside", "golden/../../outside", "{root}/outside", "link/secret"]
)
def test_files_outside_the_folder_are_refused(artifact, tmp_path, outside):
    outside = outside.format(root=tmp_path)
    (artifact.path.parent / "outside").write_text("secret")
    (artifact.path / "link").symlink_to(tmp_path)
    files = {**artifact.manifest.files, outside: {"sha256": "0" * 64, "bytes": 6}}
    amend(artifact, files=files)
    assert "points outside" in refusal(artifact.path)


@pytest.mark.parametrize("model_file", ["../outside.onnx", "/etc/hosts", "other.onnx", "", "."])
def test_a_model_file_that_was_not_proven_is_refused(artifact, model_file):
    (artifact.path / "other.onnx").write_text("anything")
    amend(artifact, model_file=model_file)
    assert f"model_file {model_file!r} is not among" in refusal(artifact.path)


@pytest.mark.parametrize(
    "damage",
    [
        {"files": None},
        {"files": []},
        {"files": {"model.onnx": None}},
        {"files": {"model.onnx": {"sha256": "0"}}},
        {"files": {"model.onnx": {"sha256": "0", "bytes": "many"}}},
        {"model_file": ["model.onnx"]},
        {"inputs": 3},
        {"inputs": [{"name": "x"}]},
        {"parity": {}},
        {"chain": 7},
        {"preprocessing": [None]},
        {"surprise": 1},
    ],
)
def test_a_damaged_field_is_an_artifact_error(artifact, damage):
    amend(artifact, **damage)
    assert "manifest" in refusal(artifact.path)


def test_a_missing_field_is_named(artifact):
    file = artifact.path / "manifest.json"
    data = json.loads(file.read_text())
    del data["parity"]
    file.write_text(json.dumps(data))
    assert refusal(artifact.path) == f"{file}: damaged manifest: the key 'parity' is missing"


@pytest.mark.parametrize(("io", "label"), [("native", "onnx-int8"), ("uint8", "onnx-int8-uint8")])
def test_a_label_names_the_io_type_only_where_it_is_not_the_usual(io, label):
    assert artifact_label("onnx", "int8", io) == label


@pytest.mark.parametrize(
    "damage",
    [
        {"inputs": []},
        {"preprocessing": []},
        {"model": 3},
        {"model": "\x1b[31m"},
        {"precision": [1]},
        {"activation": {}},
        {"dataset": ["x"]},
        {"calibration": "x"},
        {"metric": "x"},
        {"metric": {"name": "top1", "samples": 10, "value": "x", "ci95": [1, 2],
                    "reference": None, "drop": None, "drop_ci95": None}},
        {"metric": {"name": "top1", "samples": 10, "value": 1e308, "ci95": [1, 2],
                    "reference": None, "drop": None, "drop_ci95": None}},
        {"metric": {"name": "top1", "samples": 10, "value": 50, "ci95": [1],
                    "reference": None, "drop": None, "drop_ci95": None}},
        {"parity": {"max_abs": "x", "top1_agreement": 1, "samples": 1, "reference": "keras"}},
        {"preprocessing": [{"name": "x", "dtype": "uint8", "shape": [10**6, 10**6, 3],
                            "layout": "HWC", "range": [0, 255], "resize": "bilinear"}]},
        {"preprocessing": [{"name": "x", "dtype": "object", "shape": [8],
                            "layout": "", "range": [0, 255], "resize": ""}]},
    ],
)  # fmt: skip
def test_a_hostile_value_is_an_artifact_error_before_anyone_uses_it(artifact, damage):
    amend(artifact, **damage)
    assert "damaged manifest" in refusal(artifact.path)


def test_a_number_too_long_to_be_read_is_an_artifact_error(artifact):
    (artifact.path / "manifest.json").write_text('{"format": ' + "9" * 10_000 + "}")
    assert "a number of thousands of digits" in refusal(artifact.path)


SPEC = InputSpec("image", "float32", (8, 8, 3), range=(0.0, 1.0))
METRIC = MetricValue("top1", 40, 97.5, (96.7, 98.1), 98.0, 0.5, (-0.2, 1.2)).to_json()
PARITY = {"max_abs": 1e-7, "top1_agreement": 1.0, "samples": 12, "reference": "keras"}
PICTURE = {**SPEC.to_json(), "layout": "HWC", "resize": "bilinear"}
TENSOR = TensorInfo("image", "float32", (1, 8, 8, 3)).to_json()
SAMPLES = {"dataset": "glyphs", "split": "test", "count": 40, "digest": "0" * 64}
RANGES = {
    "method": "mse", "tensors": 9, "clipped": 0.01, "clipped_unseen": 0.02, "unstable": 0.1,
    "repaired": 3, "largest_repair": 2.5,
}  # fmt: skip


def test_manifests_of_the_format_before_are_read(artifact):
    amend(artifact, format=2)
    assert Artifact.open(artifact.path).manifest == artifact.manifest


def test_a_full_manifest_survives_json(make_artifact):
    artifact = make_artifact(
        "onnx",
        precision="dynamic",
        dataset="glyphs",
        chain=("keras", "onnx-fp32", "onnx-int8"),
        preprocessing=(InputSpec.from_json(PICTURE),),
        calibration={**SAMPLES, "split": "train", "classes": 36, "ranges": RANGES},
        evaluation=SAMPLES,
        metric=METRIC,
        tools={"numpy": "2.1.0"},
    )
    written = json.loads((artifact.path / "manifest.json").read_text())
    again = Artifact.open(artifact.path).manifest
    assert again == artifact.manifest == Manifest.from_json(written)
    assert again.to_json() == written


@pytest.mark.parametrize(
    "damage",
    [
        *[{"outputs": value} for value in ([], {}, [3])],
        *[{key: value} for key in ("model", "key") for value in (3, "", "a\nb", "x" * 9999)],
        *[{"chain": value} for value in (["../../x"], [3], "keras", ["x"] * 99)],
        *[{"precision": value} for value in ([1], "fp8", None)],
        *[{"target": value} for value in (3, "../x", "")],
        *[{"activation": value} for value in (3, None, "evil")],
        *[{key: value} for key in ("calibration", "evaluation") for value in ([], 3, {})],
        *[{"evaluation": {**SAMPLES, "count": value}} for value in ("x", -1, 10**400)],
        *[{"evaluation": {**SAMPLES, "split": value}} for value in (3, "evil")],
        *[
            {"evaluation": {**SAMPLES, "classes": 36}},
            {"evaluation": {**SAMPLES, "ranges": RANGES}},
        ],
        *[{"calibration": {**SAMPLES, "classes": value}} for value in ("x", -1)],
        *[{"calibration": {**SAMPLES, "ranges": value}} for value in (3, {}, {**RANGES, "x": 1})],
        {"calibration": {**SAMPLES, "ranges": {**RANGES, "method": "guess"}}},
        *[{"dtypes": value} for value in (3, {"x": "y"}, {"\x1b[2J": 1}, {"float32": -1})],
        *[{"tools": value} for value in (3, {"x": 1}, {"x": "\x1b[2J"})],
        *[{"files": {"model.onnx": value}} for value in (3, {}, {"sha256": 3, "bytes": 1})],
        *[{"inputs": [{**TENSOR, "dtype": value}]} for value in ("object", "O", 3, "datetime64")],
        *[{"inputs": [{**TENSOR, "name": value}]} for value in (3, "", "\x1b[2J")],
        *[{"inputs": [{**TENSOR, "shape": value}]} for value in ([-2], ["x"], 3, [2**50])],
        *[{"preprocessing": [{**PICTURE, "resize": value}]} for value in ("evil", 3, None)],
        *[{"preprocessing": [{**PICTURE, "range": value}]} for value in ([1], [2, 1], ["x", 1])],
        *[
            {"preprocessing": [{**PICTURE, "shape": value}]}
            for value in ([-1], [0, 8, 3], [8], 3, ["x"], [10**6, 10**6, 3], [True, 8, 3])
        ],
        *[{"metric": {**METRIC, "name": value}} for value in (3, "top9")],
        *[{"metric": {**METRIC, "ci95": value}} for value in ([1], [1, "x"], [1, 1e308], None, 3)],
        *[{"metric": {**METRIC, "drop_ci95": value}} for value in ([1], [2, 1], None)],
        *[{"metric": {**METRIC, "value": value}} for value in ("x", 1e308, -1, 10**400, math.nan)],
        *[{"metric": {**METRIC, "drop": value}} for value in ("x", 1e308, None, math.inf)],
        *[{"parity": {**PARITY, "max_abs": value}} for value in ("x", -1, math.inf, 10**400)],
        *[{"parity": value} for value in ("x", [], None, {**PARITY, "more": 1})],
    ],
    ids=lambda damage: ascii(damage)[:70],
)
def test_every_wrong_value_is_one_short_line_without_control_characters(artifact, damage):
    amend(artifact, **damage)
    message = refusal(artifact.path)
    assert message.startswith(f"{artifact.path / 'manifest.json'}: damaged manifest: ")
    assert message.isprintable()
    assert len(message) < len(str(artifact.path)) + 250
    assert not any(internal in message for internal in ("Error", "argument", "__init__"))


@pytest.mark.parametrize("text", ["[]", "null", "3"])
def test_what_is_no_table_is_damaged_and_not_of_another_format(artifact, text):
    (artifact.path / "manifest.json").write_text(text)
    assert "damaged manifest: expected a table of keys" in refusal(artifact.path)


def test_labels_that_are_no_text_are_an_artifact_error(artifact):
    (artifact.path / "labels.txt").write_bytes(b"\xff\xfe")
    amend(artifact, files=describe_files(artifact.path))
    with pytest.raises(ArtifactError, match="not UTF-8 text"):
        _ = Artifact.open(artifact.path).labels
