from __future__ import annotations

import json
import re
import struct
import zipfile

import h5py
import pytest

from edgekit import models
from edgekit.errors import ModelError, UsageError
from edgekit.models import resolve_model

TOML = """
name = "own"
task = "image-classification"
[parameters]
width = 0.5
[[inputs]]
name = "image"
dtype = "uint8"
shape = [8, 8, 3]
"""


@pytest.fixture
def own_folder(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "model.toml").write_text(TOML)
    (folder / "model.py").write_text("def build(classes, width): ...\n")
    return folder


def refusal(reference, **options):
    with pytest.raises(ModelError) as caught:
        resolve_model(str(reference), **options)
    return caught.value


def write_archive(path, entries, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_a_reference_model_is_found_by_its_name_and_by_a_unique_prefix():
    whole = resolve_model("mobilenet")
    assert (whole.name, whole.kind) == ("mobilenet", "folder")
    assert resolve_model("mobi") == whole


@pytest.mark.parametrize("wrong", ["moblienet", "mobilnet", "Mobilenet"])
def test_a_mistyped_name_says_what_was_probably_meant(wrong):
    with pytest.raises(UsageError, match=f"unknown model '{wrong}'") as caught:
        resolve_model(wrong)
    assert re.match(r"did you mean mobilenet\b", caught.value.hint)


def test_parameters_reach_the_spec_and_the_digest(own_folder):
    usual = resolve_model(str(own_folder))
    wider = resolve_model(str(own_folder), parameters={"width": 1.0})
    assert wider.spec.parameters["width"] == 1.0
    assert usual.digest() != wider.digest()


def test_a_folder_is_known_by_its_code_and_not_by_its_weights(own_folder):
    before = resolve_model(str(own_folder)).digest()
    (own_folder / "glyphs.weights.h5").write_bytes(b"weights")
    (own_folder / "README.md").write_text("card")
    assert resolve_model(str(own_folder)).digest() == before
    (own_folder / "model.py").write_text("def build(classes, width): return 1\n")
    assert resolve_model(str(own_folder)).digest() != before


def test_another_process_finds_the_same_model(own_folder, monkeypatch):
    monkeypatch.chdir(own_folder.parent)
    source = resolve_model("./own", parameters={"width": 0.25}, trusted=True)
    monkeypatch.chdir("/")
    assert resolve_model(**source.to_json()) == source


def test_weights_that_are_not_there_say_which_are(own_folder):
    source = resolve_model(str(own_folder))
    (own_folder / "digits.weights.h5").touch()
    assert source.weights_for("digits").name == "digits.weights.h5"
    with pytest.raises(ModelError, match="no weights trained on 'glyphs'") as caught:
        source.weights_for("glyphs")
    assert caught.value.details == ("there are weights for: digits",)
    assert caught.value.hint.startswith("edgekit train own --dataset glyphs")
    (own_folder / "large.glyphs.weights.h5").touch()
    with pytest.raises(ModelError) as caught:
        source.weights_for("glyphs")
    assert caught.value.hint.startswith("own-large, which has weights for glyphs; or edgekit train")


def test_a_folder_without_code_or_without_toml_is_refused(own_folder):
    (own_folder / "model.py").unlink()
    assert refusal(own_folder).message == (
        f"{own_folder}: model.toml is there, model.py is missing"
    )
    (own_folder / "model.toml").unlink()
    assert "neither a model folder nor a SavedModel" in refusal(own_folder).message


@pytest.mark.parametrize("name", ["absent.keras", "absent.h5", "there/absent"])
def test_a_path_that_is_not_there_is_a_missing_file_and_not_an_unknown_name(tmp_path, name):
    error = refusal(tmp_path / name)
    assert error.message == f"{tmp_path / name}: no such file or folder"


def test_parameters_of_a_file_are_a_usage_error(keras_models):
    with pytest.raises(UsageError, match="parameters can be set for model folders only"):
        resolve_model(str(keras_models / "lstm.keras"), parameters={"width": 1.0})


@pytest.mark.parametrize(
    ("file", "kind"), [("lstm.keras", "keras"), ("whole.h5", "h5"), ("saved", "savedmodel")]
)
def test_every_format_is_recognized(keras_models, file, kind):
    source = resolve_model(str(keras_models / file))
    assert (source.kind, source.spec) == (kind, None)
    assert source.name == file.partition(".")[0]


def test_the_content_and_not_the_suffix_says_what_a_file_is(keras_models, tmp_path):
    misnamed = tmp_path / "misnamed.h5"
    misnamed.write_bytes((keras_models / "lstm.keras").read_bytes())
    assert resolve_model(str(misnamed)).kind == "keras"


def test_a_name_for_folders_is_made_of_any_file_name(keras_models, tmp_path):
    odd = tmp_path / "..my model (final)!.keras"
    odd.write_bytes((keras_models / "lstm.keras").read_bytes())
    assert resolve_model(str(odd)).name == "my-model-final"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("file", ["excite.keras", "whole.h5"])
def test_a_truncated_file_is_damaged_wherever_it_ends(keras_models, tmp_path, file, share):
    whole = (keras_models / file).read_bytes()
    cut = tmp_path / file
    cut.write_bytes(whole[: int(len(whole) * share)])
    assert "damaged" in refusal(cut).message


def test_one_changed_byte_of_a_keras_file_fails_its_checksum(keras_models, tmp_path):
    damaged = bytearray((keras_models / "excite.keras").read_bytes())
    damaged[damaged.index(b"model.weights.h5") + 4000] ^= 255
    file = tmp_path / "damaged.keras"
    file.write_bytes(damaged)
    assert "damaged" in refusal(file).message


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "MAX_MODEL_BYTES", 10_000)
    bomb = write_archive(
        tmp_path / "bomb.keras",
        {"config.json": "{}", "model.weights.h5": b"\0" * 1_000_000},
        compression=zipfile.ZIP_DEFLATED,
    )
    assert bomb.stat().st_size < 5_000
    error = refusal(bomb)
    assert "unpacks to 1,000,002 bytes" in error.message
    assert error.limit == "10,000 bytes for a model file"


def test_an_archive_that_lies_about_its_size_is_damaged(tmp_path):
    content = b"\0" * 1_000_000
    bomb = write_archive(
        tmp_path / "liar.keras",
        {"config.json": "{}", "weights": content},
        compression=zipfile.ZIP_DEFLATED,
    )
    packed = bomb.read_bytes()
    bomb.write_bytes(packed.replace(struct.pack("<I", len(content)), struct.pack("<I", 10)))
    assert "damaged" in refusal(bomb).message


def test_an_encrypted_or_strangely_packed_archive_is_one_error(tmp_path):
    plain = write_archive(tmp_path / "plain.keras", {"config.json": "{}"}).read_bytes()
    for name, offsets, value in (("encrypted", (6, 8), 1), ("packed", (8, 10), 99)):
        data = bytearray(plain)
        data[offsets[0]] = value
        data[plain.index(b"PK\1\2") + offsets[1]] = value
        file = tmp_path / f"{name}.keras"
        file.write_bytes(data)
        assert f"{name}.keras: truncated or damaged" in refusal(file).message


@pytest.mark.parametrize("config", ["", "{", "[" * 100_000, "\xff"])
def test_a_config_that_is_no_json_is_damaged(tmp_path, config):
    file = write_archive(tmp_path / "odd.keras", {"config.json": config.encode("latin-1")})
    assert "truncated or damaged" in refusal(file).message


def test_an_archive_of_something_else_is_no_keras_model(tmp_path):
    file = write_archive(tmp_path / "word.keras", {"word/document.xml": "<x/>"})
    assert "without config.json, not a Keras model" in refusal(file).message


@pytest.mark.parametrize("name", ["text.keras", "text.h5", "text.bin"])
def test_a_file_of_anything_else_is_no_model(tmp_path, name):
    file = tmp_path / name
    file.write_text("nothing of the kind")
    assert str(file) in refusal(file).message


def test_a_lambda_layer_is_refused_by_name_at_any_depth_and_accepted_if_trusted(keras_models):
    file = keras_models / "lambda.keras"
    error = refusal(file)
    assert "Lambda layers, which are arbitrary code: doubling" in error.message
    assert "--trust-model" in error.hint
    assert resolve_model(str(file), trusted=True).trusted
    inner = {"class_name": "Lambda", "config": {"name": "deep"}}
    nested = {"config": {"layers": [{"config": {"layers": [{"layer": inner}]}}]}}
    assert models._lambda_layers(nested) == {"deep"}


def test_a_lambda_layer_in_an_h5_is_refused_too(tmp_path):
    file = tmp_path / "old.h5"
    with h5py.File(file, "w") as stored:
        layer = {"class_name": "Lambda", "config": {"name": "code"}}
        stored.attrs["model_config"] = json.dumps({"config": {"layers": [layer]}})
    assert "Lambda layers, which are arbitrary code: code" in refusal(file).message


def test_weights_alone_and_other_hdf5_say_what_they_are(keras_models, tmp_path):
    error = refusal(keras_models / "weights-only.h5")
    assert "weights without an architecture" in error.message
    assert "--weights" in error.hint
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as stored:
        stored["measurements"] = [1, 2, 3]
    assert "HDF5, but not a Keras model" in refusal(other).message


@pytest.mark.parametrize("config", ["{", "", "[" * 100_000])
def test_an_h5_whose_config_is_no_json_is_one_error(tmp_path, config):
    file = tmp_path / "odd.h5"
    with h5py.File(file, "w") as stored:
        stored.attrs["model_config"] = config
    assert "odd.h5: its model_config is not JSON" in refusal(file).message


def test_a_saved_model_that_reads_files_is_refused_and_accepted_if_trusted(keras_models):
    error = refusal(keras_models / "reading")
    assert "operators that reach outside the model: ReadFile" in error.message
    assert resolve_model(str(keras_models / "reading"), trusted=True).kind == "savedmodel"
