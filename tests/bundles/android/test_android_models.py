"""An Android bundle's code loads and runs the artifacts, and its own tests hold, on a JVM."""

from __future__ import annotations

import hashlib
import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from edgekit.bundles.answers import answer_of
from edgekit.bundles.originals import drawn
from edgekit.bundles.packaged.runtimes import load
from edgekit.datasets import images

from .conftest import JAVA, LABELS, RefusedError

pytestmark = pytest.mark.kotlin


def check(steps, bundle, devices="", label=""):
    """Label, runtime, cases, values of samples, worst part of a spread, what was passed over."""
    found = [one.decode() for one in steps("check", str(bundle), devices, label)]
    return [*found[:2], int(found[2]), int(found[3]), float(found[4]), found[5]]


def test_the_unit_test_of_the_bundle_holds(compiled, android_once):
    done = subprocess.run(
        [*JAVA, f"-Dbundle={android_once}", "-cp", compiled, "org.junit.runner.JUnitCore",
         "edgekit.known_glyphs.GoldenTest"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OK (3 tests)" in done.stdout


def test_the_unit_test_of_the_bundle_can_fail(compiled, android_bundle):
    cases = json.loads((android_bundle / "golden/cases.json").read_text())
    file = cases["pictures"][0]["input"]["file"]
    values = bytearray((android_bundle / file).read_bytes())
    values[0] ^= 1
    (android_bundle / file).write_bytes(values)
    fit(android_bundle, file)
    done = subprocess.run(
        [*JAVA, f"-Dbundle={android_bundle}", "-cp", compiled, "org.junit.runner.JUnitCore",
         "edgekit.known_glyphs.GoldenTest"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "preprocessing gives other values" in done.stdout
    assert "Failures: 1" in done.stdout


def fit(bundle, path):
    """Tell the bundle of a file that was changed."""
    place, content = bundle / "bundle.json", (bundle / path).read_bytes()
    told = json.loads(place.read_text())
    told["files"][path] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    place.write_text(json.dumps(told))


@pytest.mark.parametrize("label", [one for one in LABELS if one.startswith("onnx")])
def test_golden_cases_hold_on_onnx_runtime(steps, android_once, onnxruntime_jar, label):
    found, runtime, cases, values, worst, _ = check(steps, android_once, label=label)
    assert found == label
    assert runtime.startswith("ONNX Runtime 1.")
    assert (cases, values) == (18, 18 * 24 * 24 * 3)
    assert worst < 0.05


@pytest.mark.parametrize("label", [one for one in LABELS if one.startswith("tflite")])
def test_golden_cases_hold_with_the_numbers_of_litert(steps, android_once, litert, label):
    found, runtime, cases, values, worst, _ = check(steps, android_once, label=label)
    assert (found, runtime) == (label, "LiteRT in Python")
    assert (cases, values) == (18, 18 * 24 * 24 * 3)
    assert worst < 0.05


def test_a_class_of_device_takes_its_artifact_and_any_other_the_first(
    steps, android_once, onnxruntime_jar, litert
):
    assert check(steps, android_once, "tensor-g3 pixel-8 phone")[0] == "onnx-int8"
    assert check(steps, android_once, "tensor-g3 phone")[0] == "tflite-int8"


def test_the_next_artifact_is_taken_where_one_does_not_load(
    steps, android_bundle, onnxruntime_jar, litert
):
    for label, name in (("tflite-int8", "model.tflite"), ("onnx-int8", "model.onnx")):
        path = f"artifacts/{label}/{name}"
        (android_bundle / path).write_bytes(b"no model")
        fit(android_bundle, path)
    label, _, cases, _, _, passed = check(steps, android_bundle, "pixel-8")
    assert (label, cases) == ("tflite-int8-int8", 18)
    assert [one.partition(": ")[0] for one in passed.split("; ")] == ["onnx-int8", "tflite-int8"]
    with pytest.raises(RefusedError, match=r"^ModelException: no artifact loads here: onnx-int8: "):
        check(steps, android_bundle, label="onnx-int8")


def test_an_artifact_that_was_changed_is_refused_and_not_passed_over(steps, android_bundle):
    path = android_bundle / "artifacts/tflite-int8/model.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(RefusedError, match=r"^RefusedException: artifacts/tflite-int8/model\."):
        check(steps, android_bundle)


def test_golden_outputs_that_are_far_apart_are_told(steps, android_bundle, litert):
    cases = json.loads((android_bundle / "golden/cases.json").read_text())
    (entry,) = cases["cases"][3]["outputs"]["tflite-int8"].values()
    (android_bundle / entry["file"]).write_bytes(np.full(entry["shape"], 9.0, np.float32).tobytes())
    fit(android_bundle, entry["file"])
    with pytest.raises(RefusedError, match=r"golden case 3: (other|.* of its spread apart)"):
        check(steps, android_bundle, label="tflite-int8")


@pytest.mark.parametrize("size", [(24, 24), (25, 23), (9, 400), (400, 9), (211, 24)])
def test_pictures_of_any_shape_get_python_s_answer(steps, android_once, litert, tmp_path, size):
    Image.fromarray(drawn(*size)).save(tmp_path / "a.png")
    told = steps("predict", str(android_once), (tmp_path / "a.png").read_bytes())
    found = np.frombuffer(told[0]).reshape(-1, 2)
    pixels, _ = images.decode(tmp_path / "a.png", 24, 24)
    file = android_once / "artifacts/tflite-int8/model.tflite"
    contract = json.loads((android_once / "contract.json").read_text())
    (output,) = contract["artifacts"]["tflite-int8"]["outputs"]
    (logits,) = load("tflite", file, 1, [output["name"]])({"image": pixels[None]})
    answer = answer_of(contract["answer"], {"logits": logits[0]})
    assert found[:, 0].tolist() == answer["classes"]
    assert found[:, 1] == pytest.approx(answer["scores"], rel=1e-12)
