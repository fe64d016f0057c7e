"""Each way to give an export something bad: one `error:` line, and what was there before stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from edgekit.artifact import Artifact

IN_TIME_S = 60

HIDING = """
import os, sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["HIDDEN"].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


def command(*arguments):
    return [sys.executable, "-m", "edgekit", "export", *map(str, arguments)]


def refused(*arguments, status=1, **more):
    """Run an export that must be refused; return what it says."""
    done = subprocess.run(
        command(*arguments, "--quiet"), capture_output=True, text=True, check=False, **more
    )
    assert done.returncode == status, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: "), done.stderr
    assert [line for line in lines[1:] if not line.startswith("  ")] == []
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def disk(tmp_path, built):
    """A file system of 512 KiB of its own, holding the artifact from before."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place],
        capture_output=True, text=True, check=False,
    ) if shutil.which("mount") else None  # fmt: skip
    if done is None or done.returncode:
        reason = done.stderr.strip() if done else "no mount command"
        pytest.skip(f"a tmpfs cannot be mounted here: {reason}")
    shutil.copytree(built / "lstm", place / "lstm")
    yield place
    subprocess.run(["umount", place], check=True)


def test_an_unknown_model_is_a_usage_error_that_says_what_was_meant(work):
    text = refused("moblienet", status=2)
    assert text.startswith("error: unknown model 'moblienet'")
    assert "did you mean mobilenet" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--precision", "int2"), "unknown precision 'int2'"),
        (("--target", "onyx"), "unknown target 'onyx'"),
        (("--io", "int16"), "'int16' is not one of"),
        (("--set", "width"), "expected KEY=VALUE"),
        (("--set", "depth=3"), "no parameter 'depth'"),
        (("--input-range", "5"), "expected LOW,HIGH"),
        (("--input-range", "5,5"), "expected LOW,HIGH"),
        (("--input-shape", "a,b"), "expected numbers with commas"),
        (("--input-shape", "0,3"), "every size must be at least 1"),
        (("--samples", "0"), "x>=1"),
        (("--max-drop", "-1"), "x>=0"),
    ],
)
def test_a_bad_option_is_refused_before_anything_is_built(work, arguments, said):
    text = refused("mobilenet", *arguments, status=1 if "depth=3" in arguments else 2)
    assert said in text


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p.mkdir(), "data: "),
        (lambda p: (p / "a").mkdir(parents=True), "a class without pictures"),
        (lambda p: None, "no such file or folder"),
        (lambda p: p.write_bytes(b"PK nonsense"), "not a readable .npz"),
    ],
    ids=["empty", "empty-classes", "absent", "no-data"],
)
def test_data_that_is_empty_or_absent_is_named(work, keras_models, make, said):
    place = work / ("data.npz" if said == "not a readable .npz" else "data")
    make(place)
    text = refused(keras_models / "excite.keras", "--data", place, "--int8")
    assert place.name in text
    assert said in text


def test_images_that_cannot_be_read_are_named(work, keras_models):
    for label in ("cats", "dogs"):
        (work / "data" / label).mkdir(parents=True)
        for number in range(8):
            (work / "data" / label / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    text = refused(keras_models / "excite.keras", "--data", work / "data")
    assert ".png" in text


def test_samples_of_another_shape_are_refused_with_both_shapes(work, keras_models):
    np.savez(work / "small.npz", x=np.zeros((40, 8, 8, 3), np.uint8), y=np.arange(40) % 4)
    text = refused(keras_models / "excite.keras", "--data", "small.npz")
    assert "samples are [8, 8, 3]; the input 'image' takes [16, 16, 3]" in text


def test_samples_that_are_not_finite_are_refused(work, keras_models):
    values = np.zeros((40, 16, 16, 3), np.float32)
    values[:, 3] = np.nan
    np.savez(work / "nan.npz", x=values, y=np.arange(40) % 4)
    text = refused(keras_models / "excite.keras", "--data", "nan.npz")
    assert "NaN or infinite" in text


def test_too_few_calibration_samples_are_refused(work, keras_models):
    np.savez(work / "few.npz", x=np.zeros((9, 16, 16, 3), np.uint8), y=np.arange(9) % 4)
    text = refused(keras_models / "excite.keras", "--data", "few.npz", "--int8")
    assert "too few calibration samples in the split 'train'" in text


def test_weights_that_are_nan_are_named(work, keras_models):
    text = refused(keras_models / "diverged.keras")
    assert "holds 1 values that are NaN or infinite" in text
    assert "the weight " in text


def test_a_model_whose_outputs_are_nan_is_refused(work, keras_models):
    text = refused(keras_models / "erfinv.keras")
    assert "error: erfinv: the source model itself gives" in text
    assert "--input-range" in text


def test_a_truncated_model_is_damaged(work, keras_models):
    whole = (keras_models / "lstm.keras").read_bytes()
    (work / "lstm.keras").write_bytes(whole[: len(whole) // 2])
    assert "lstm.keras: truncated or damaged" in refused("./lstm.keras")


def test_a_lambda_layer_is_refused_unless_the_user_vouches_for_it(work, keras_models):
    text = refused(keras_models / "lambda.keras")
    assert "holds Lambda layers, which are arbitrary code: doubling" in text
    assert "--trust-model" in text
    done = subprocess.run(
        command(keras_models / "lambda.keras", "--trust-model", "--target", "tflite", "--json",
                "--out", "trusted"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (artifact,) = json.loads(done.stdout)["artifacts"]
    assert artifact["parity"]["max_abs"] <= 1e-4 * 510


def test_an_h5_that_is_no_keras_model_is_refused(work, keras_models):
    (work / "text.h5").write_text("not at all")
    assert "not an HDF5 file" in refused("./text.h5")
    assert "weights without an architecture" in refused(keras_models / "weights-only.h5")


def test_weights_of_another_model_do_not_fit(work, keras_models):
    text = refused(keras_models / "lstm.keras", "--weights", keras_models / "only.weights.h5")
    assert "these weights do not fit the model" in text
    text = refused(keras_models / "lstm.keras", "--weights", "absent.weights.h5")
    assert "absent.weights.h5" in text
    (work / "empty.weights.h5").write_bytes(b"")
    text = refused(keras_models / "excite.keras", "--weights", "empty.weights.h5")
    assert "these weights cannot be read" in text
    # What was made of the way to the artifacts is gone again.
    assert not (work / "build" / "excite").exists()


@pytest.mark.parametrize(
    ("hidden", "extra"),
    [
        ("tensorflow", "export"),
        ("tf2onnx", "onnx"),
        ("onnxruntime", "onnxruntime"),
        ("openvino", "openvino"),
        ("nncf", "openvino"),
        ("ai_edge_litert", "tflite"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_adds_it(
    work, keras_models, monkeypatch, hidden, extra
):
    (work / "hook").mkdir()
    (work / "hook" / "sitecustomize.py").write_text(HIDING)
    monkeypatch.setenv("PYTHONPATH", str(work / "hook"), prepend=os.pathsep)
    monkeypatch.setenv("HIDDEN", hidden)
    precision = "dynamic" if hidden == "nncf" else "fp32"
    target = {"export": "tflite", "onnxruntime": "onnx"}.get(extra, extra)
    text = refused(
        keras_models / "excite.keras", "--target", target, "--precision", precision,
        "--out", "other",
    )  # fmt: skip
    assert f"[{extra}]'" in text
    assert hidden.replace("_", "-") in text.replace("_", "-")


def test_a_read_only_place_is_an_error_that_names_another(work, contents, disk, keras_models):
    before = contents(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    text = refused(keras_models / "lstm.keras", "--out", disk, "--force")
    assert "Read-only file system" in text
    assert "choose a writable place with --out" in text
    assert contents(disk) == before


@pytest.mark.parametrize("free_kib", [0, 40, 70])
def test_a_full_disk_is_an_error_wherever_it_strikes(work, contents, disk, keras_models, free_kib):
    before = contents(disk)
    room = shutil.disk_usage(disk).free - free_kib * 1024
    (disk / "filler").write_bytes(b"\0" * room)
    text = refused(
        keras_models / "lstm.keras", "--out", disk, "--force", "--target", "onnx",
        "--target", "tflite",
    )  # fmt: skip
    assert "No space left on device" in text
    assert "free some space" in text
    (disk / "filler").unlink()
    assert contents(disk) == before
    assert sorted(path.name for path in (disk / "lstm").iterdir()) == ["onnx-fp32"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lstm.keras", "--out", ""], "--out is empty"),
        ([""], "MODEL is empty"),
        (["lstm.keras", "--name", "../elsewhere"], "--name '../elsewhere'"),
        (["lstm.keras", "--max-drop", "nan"], "--max-drop"),
    ],
)
def test_an_option_without_a_meaning_is_a_usage_error(work, keras_models, arguments, words):
    shutil.copy(keras_models / "lstm.keras", work)
    assert words in refused(*arguments, "--target", "onnx", status=2)


def test_a_folder_by_its_bare_name_is_a_folder_and_no_unknown_model(work):
    (work / "pictures").mkdir()
    assert "neither a model folder nor a SavedModel" in refused("pictures")


def test_an_absent_weights_file_is_refused_before_anything_is_planned(work):
    said = refused("mobilenet", "--weights", "absent.weights.h5", "--dry-run")
    assert "absent.weights.h5: no such weights file" in said


def test_a_place_that_is_a_file_is_refused_with_the_option_that_chose_it(work, keras_models):
    (work / "taken").write_text("a file")
    said = refused(keras_models / "lstm.keras", "--out", "taken", "--target", "onnx")
    assert "taken/lstm: cannot be made a folder" in said
    assert "--out" in said


def test_files_that_edgekit_did_not_write_are_not_replaced(keras_models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "build" / "lstm" / "onnx-fp32"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("precious")
    said = refused(keras_models / "lstm.keras", "--target", "onnx")
    assert "notes.txt" in said
    assert "--force" in said
    assert (place / "notes.txt").read_text() == "precious"


def test_a_name_of_ones_own_keeps_two_models_apart(keras_models, work):
    done = subprocess.run(
        command(
            keras_models / "lstm.keras", "-t", "onnx", "--name", "mine", "--out", "other", "-q"
        ),
        check=True,
        capture_output=True,
    )
    assert done.returncode == 0
    assert Artifact.open(work / "other" / "mine" / "onnx-fp32").manifest.model == "mine"
