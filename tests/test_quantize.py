"""`edgekit quantize` as a person runs it: float files of others, with their own samples."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import onnx
import pytest
from PIL import Image

from edgekit.artifact import Artifact


def edgekit(*arguments, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "edgekit", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


def quantize(*arguments):
    return json.loads(edgekit("quantize", *arguments, "--json").stdout)


@pytest.fixture(scope="module")
def doubtful(onnx_files, tmp_path_factory):
    """The files, and others that nothing can be made of."""
    import onnx
    from onnx import numpy_helper

    folder = tmp_path_factory.mktemp("doubtful")
    shutil.copytree(onnx_files, folder, dirs_exist_ok=True)
    rows = np.load(onnx_files / "rows.npz")["x"]
    np.savez(folder / "labelled.npz", x=rows, y=np.arange(len(rows)) % 4)
    bad = rows.copy()
    bad[::4, 0, 0, 0] = np.nan
    np.savez(folder / "nan.npz", x_train=bad[:128], x_test=rows[128:])
    model = onnx.load(onnx_files / "net.onnx")
    kernel = next(t for t in model.graph.initializer if t.name == "point_w")
    values = numpy_helper.to_array(kernel).copy()
    values[0, 0], values[0, 1] = np.nan, np.inf
    kernel.CopyFrom(numpy_helper.from_array(values, kernel.name))
    onnx.save(model, folder / "nan.onnx")
    (folder / "empty.tflite").touch()
    with (folder / "huge.onnx").open("wb") as file:
        file.truncate(2**31 + 1)  # no byte of it is on the disk
    return folder


@pytest.fixture(scope="module")
def made(onnx_files, tmp_path_factory):
    """The folder of what became of a file with a huge weight, and the document about it."""
    out = tmp_path_factory.mktemp("out")
    arguments = (onnx_files / "outlier.onnx", "--data", onnx_files / "rows.npz", "--out", out)
    return out / "outlier", quantize(*arguments), arguments


def test_a_file_becomes_proven_artifacts_of_every_target_it_can(made):
    out, document, _ = made
    assert sorted(path.name for path in out.iterdir()) == ["onnx-int8", "openvino-int8"]
    for entry in document["artifacts"]:
        manifest = Artifact.open(out / f"{entry['target']}-int8").manifest
        assert manifest.gate == {"min_snr_db": 10, "min_agreement": 0.9, "met": True}
        assert manifest.chain == ("file", "conditioned", f"{entry['target']}-int8")
        assert manifest.parity.reference == "file"
        assert manifest.parity.snr_db == pytest.approx(entry["parity"]["snr_db"])
        assert manifest.metric is None
        assert manifest.calibration["count"] == 116  # what is train of 160
        assert manifest.preprocessing[0].layout == "CHW"
        assert {"int8", "uint8"} & set(manifest.dtypes)


def test_the_reference_is_what_the_float_file_gives(made, onnx_files):
    import onnxruntime

    golden = made[0] / "onnx-int8" / "golden"
    inputs, reference = (np.load(golden / f"{name}.npy") for name in ("inputs", "reference"))
    file = onnxruntime.InferenceSession(onnx_files / "outlier.onnx")
    wanted = file.run(None, {"image": inputs})[0]
    np.testing.assert_allclose(reference, wanted, atol=1e-5)


def test_a_second_run_makes_nothing_and_a_forced_one_the_same_bytes(made):
    out, first, arguments = made
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert quantize(*arguments)["cached"] is True
    again = quantize(*arguments, "--force", "--target", "onnx")
    assert again["cached"] is False
    assert again["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_conditioning_gives_a_clearer_signal_than_none(made, onnx_files, tmp_path):
    _, document, arguments = made
    stock = quantize(*arguments[:3], "--out", tmp_path, "--no-condition", "--target", "onnx")
    own, other = (d["artifacts"][0]["parity"]["snr_db"] for d in (document, stock))
    assert own > other + 5
    assert Artifact.open(tmp_path / "outlier" / "onnx-int8").manifest.chain == ("file", "onnx-int8")


def test_pictures_are_normalized_as_said_and_the_manifest_says_how(onnx_files, tmp_path):
    (tmp_path / "pictures").mkdir()
    random = np.random.default_rng(0)
    for index in range(30):
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{index}.png")
    quantize(
        *(onnx_files / "net.onnx", "--data", tmp_path / "pictures", "--out", tmp_path),
        *("--mean", "0.5,0.4,0.3", "--std", "0.25,0.2,0.5", "--target", "onnx"),
    )
    spec = Artifact.open(tmp_path / "net" / "onnx-int8").manifest.preprocessing[0]
    np.testing.assert_allclose(spec.channel_ranges, [(-2, 2), (-2, 3), (-0.6, 1.4)], atol=1e-6)
    assert spec.resize == "bilinear"
    props = onnx.load(tmp_path / "net" / "onnx-int8" / "model.onnx").metadata_props
    (recipe,) = json.loads({one.key: one.value for one in props}["preprocessing"])
    assert recipe["ranges"] == [list(pair) for pair in spec.channel_ranges]


def test_what_a_file_says_of_itself_stays_unless_that_is_not_wanted(onnx_files, tmp_path):
    model = onnx.load(onnx_files / "net.onnx")
    model.metadata_props.add(key="stride", value="32")
    onnx.save(model, tmp_path / "theirs.onnx")
    words = ("--data", onnx_files / "rows.npz", "-t", "onnx", "-p", "fp16", "--out", tmp_path)
    said = []
    for more in ((), ("--no-metadata",)):
        quantize(tmp_path / "theirs.onnx", *words, *more)
        made = onnx.load(tmp_path / "theirs" / "onnx-fp16" / "model.onnx")
        said.append({one.key: one.value for one in made.metadata_props})
    assert (said[0]["stride"], said[0]["model_name"]) == ("32", "theirs")
    assert "model_name" not in said[1]


def test_labels_are_scored_and_the_artifact_can_be_evaluated(onnx_files, tmp_path):
    import onnxruntime

    rows = np.load(onnx_files / "rows.npz")["x"]
    file = onnxruntime.InferenceSession(onnx_files / "net.onnx")
    labels = file.run(None, {"image": rows})[0].argmax(1)
    labels[:4] = range(4)
    data = tmp_path / "labelled.npz"
    np.savez(data, x_train=rows[:100], y_train=labels[:100], x_test=rows[100:], y_test=labels[100:])
    found = quantize(
        *(onnx_files / "net.onnx", "--data", data, "--out", tmp_path, "--target", "onnx"),
        *("--max-drop", "20", "--io", "uint8"),
    )
    assert found["artifacts"][0]["metric"]["reference"] == 100
    place = tmp_path / "net" / "onnx-int8-uint8"
    assert Artifact.open(place).manifest.inputs[0].dtype == "uint8"
    scored = json.loads(edgekit("eval", place, "--data", data, "--json").stdout)
    assert scored["metric"]["value"] == found["artifacts"][0]["metric"]["value"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["net.onnx"], 1, "needs data"),
        (["gone.onnx", "--data", "rows.npz"], 1, "no such file"),
        (["rows.npz", "--data", "rows.npz"], 2, ".onnx and .tflite"),
        (["net.onnx", "--data", "rows.npz", "-t", "tflite"], 2, "become onnx or openvino"),
        (["net.onnx", "--data", "rows.npz", "-p", "fp32"], 2, "the float32 file itself"),
        (["net.onnx", "--data", "words.npz"], 2, "which values does 'image' expect"),
        (["net.onnx", "--data", "words.npz", "--input-range", "0,1"], 1, "samples are [12]"),
        (["net.onnx", "--data", "rows.npz", "--layout", "NHWC"], 2, "--layout NHWC"),
        (["net.onnx", "--data", "rows.npz", "--mean", "a,b"], 2, "expected numbers"),
        (["net.onnx", "--data", "rows.npz", "--metric", "top2"], 2, "unknown metric 'top2'"),
        (["net.onnx", "--data", "nan.npz"], 1, "32 of 128 samples of x_train hold NaN"),
        (["net.onnx", "--data", "labelled.npz", "--metric", "map50"], 2, "this data has classes"),
        (["net.onnx", "--data", "labelled.npz", "--no-labels", "--max-drop", "1"], 2, "--max-drop"),
        (["net.onnx", "--data", "rows.npz", "--max-drop", "1"], 2, "without labels there is none"),
        (["huge.onnx", "--data", "rows.npz"], 1, "2,147,483,649 bytes"),
        (
            ["empty.tflite", "--data", "rows.npz", "-p", "16x8", "-p", "int4"],
            2,
            "besides fp32, tflite has fp16, dynamic, int8, 16x8",
        ),
        (
            ["nan.onnx", "--data", "rows.npz"],
            1,
            "the weight point_w holds 2 values that are NaN or infinite",
        ),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(doubtful, tmp_path, arguments, status, said):
    placed = [doubtful / a if a.endswith((".onnx", ".npz", ".tflite")) else a for a in arguments]
    done = edgekit("quantize", *placed, "--out", tmp_path / "build", status=status)
    assert done.stderr.splitlines()[-1].startswith(("error:", "  "))
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_labels_a_file_that_gives_something_else_is_refused_unless_it_is_wanted(
    onnx_files, tmp_path
):
    arguments = ("quantize", onnx_files / "net.onnx", "--data", tmp_path / "far.npz")
    arguments += ("--out", tmp_path / "build", "--target", "onnx")
    rows = np.load(onnx_files / "rows.npz")["x"]
    # Steps for values a thousand times as large leave nothing of these.
    np.savez(tmp_path / "far.npz", x_train=rows[:100] * 1000, x_test=rows[100:])
    done = edgekit(*arguments, status=1)
    assert "onnx-int8 gives something else than its source" in done.stderr
    assert "min_snr_db" in done.stderr
    assert "--allow-drop" in done.stderr
    assert not (tmp_path / "build").exists()
    kept = edgekit(*arguments, "--allow-drop")
    assert "onnx-int8 misses its gate; --allow-drop kept it" in kept.stdout
    gate = Artifact.open(tmp_path / "build" / "net" / "onnx-int8").manifest.gate
    assert gate["met"] is False
    assert "gives something else" in edgekit(*arguments, status=1).stderr  # it is not taken as made


def test_with_labels_too_a_file_that_misses_its_gate_is_kept_if_it_is_wanted(onnx_files, tmp_path):
    import onnxruntime

    rows, labels = np.load(onnx_files / "rows.npz")["x"], np.arange(160) % 4
    data = tmp_path / "far.npz"
    far = {"x_train": rows[:100] * 1000, "y_train": labels[:100]}
    file = onnxruntime.InferenceSession(onnx_files / "net.onnx")
    given = file.run(None, {"image": rows[100:]})[0].argmax(1)
    np.savez(data, **far, x_test=rows[100:], y_test=given)
    arguments = (onnx_files / "net.onnx", "--data", data, "--out", tmp_path, "--target", "onnx")
    arguments += ("--max-drop", "0", "--allow-drop")
    found = quantize(*arguments)
    assert found["artifacts"][0]["gate"] == {"max_drop": 0, "met": False}
    again = quantize(*arguments)
    assert (again["cached"], again["failures"]) == (True, {})
    assert "--allow-drop" in edgekit("quantize", *arguments[:-1], status=1).stderr


def test_a_run_that_is_ended_leaves_nothing(onnx_files, tmp_path):
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgekit", "quantize", onnx_files / "net.onnx"),
            *("--data", onnx_files / "rows.npz", "--out", tmp_path, "--verbose"),
        ],
        text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    for line in process.stderr:
        if "conditioning" in line:
            process.send_signal(signal.SIGINT)
            break
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.slow  # TensorFlow starts twice
def test_a_tflite_file_becomes_every_precision_that_tflite_has(tflite_files, tmp_path):
    wanted = {"int8": "int8", "16x8": "int16", "dynamic": "int8", "fp16": "float16"}
    found = quantize(
        *(tflite_files / "wide.tflite", "--data", tflite_files / "rows.npz", "--out", tmp_path),
        *(option for precision in wanted for option in ("--precision", precision)),
    )
    assert found["failures"] == {}
    for precision, dtype in wanted.items():
        manifest = Artifact.open(tmp_path / "wide" / f"tflite-{precision}").manifest
        assert manifest.dtypes[dtype] > 0
        assert manifest.parity.snr_db > 25
        conditioned = ("conditioned",) if precision in {"int8", "16x8"} else ()
        assert manifest.chain == ("file", *conditioned, f"tflite-{precision}")


def test_an_onnx_file_becomes_weights_of_4_bits_without_data(onnx_files, tmp_path):
    found = quantize(
        *(onnx_files / "words.onnx", "--out", tmp_path, "--input-range", "0,49"),
        *("--precision", "int4", "--precision", "dynamic"),
    )
    assert found["failures"] == {}
    assert len(found["artifacts"]) == 4
    for entry in found["artifacts"]:
        manifest = Artifact.open(tmp_path / "words" / f"{entry['target']}-{entry['precision']}")
        assert ("int4" in manifest.manifest.dtypes) == (entry["precision"] == "int4")
        assert entry["parity"]["snr_db"] > 12


def test_layers_of_a_file_made_from_a_file_are_not_explained(made):
    done = edgekit("explain", made[0] / "onnx-int8", status=1)
    assert "made by `edgekit quantize` from a file" in done.stderr
    again = edgekit("explain", made[0] / "onnx-int8", "--model", "mobilenet", status=1)
    assert again.stderr == done.stderr
