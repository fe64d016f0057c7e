"""The wheel of a Python bundle, where there is no edgekit, gives what the artifact gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgekit.artifact import Artifact
from edgekit.bundles.contract import contract_of
from edgekit.bundles.making import Order, make_bundle
from edgekit.datasets import images
from edgekit.spec import InputSpec


@pytest.fixture(scope="module")
def site(signed_once, tmp_path_factory):
    """The wheel's files where Python finds them, without what it needs: that is here."""
    folder = tmp_path_factory.mktemp("site")
    (wheel,) = (signed_once / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def run(site, tmp_path):
    """Run Python with the package, in a folder with nothing in it."""

    def run(*words, status=0):
        environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done

    return run


@pytest.mark.parametrize("label", ["tflite-int8", "onnx-int8"])
def test_the_golden_cases_hold_in_an_installed_package(run, label):
    done = run("-m", "known", "--check", "--artifact", label)
    assert done.stdout == f"{label}: 18 golden cases hold\n"


def test_nothing_of_edgekit_itself_or_tensorflow_is_imported(run):
    script = (
        "import json, sys, known; known.Model().check();"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    tops = json.loads(run("-c", script).stdout.splitlines()[-1])
    assert "known" in tops
    assert {"edgekit", "tensorflow", "click", "rich", "onnx"}.isdisjoint(tops)


@pytest.mark.parametrize(
    ("words", "said"),
    [("artifact='onnx-int8'", "onnx files need a runtime that is not installed: pip install onnx"),
     ("threads=0", "threads: at least 1, not 0")],
)  # fmt: skip
def test_a_runtime_that_is_not_there_and_no_threads_are_named(run, words, said):
    script = f"import sys, known; sys.modules['onnxruntime'] = None; known.Model({words})"
    assert said in run("-c", script, status=1).stderr


def test_a_file_and_the_same_frame_of_a_camera_give_the_same_answer(run, tmp_path):
    pixels = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    np.save(tmp_path / "frame.npy", pixels)
    script = (
        "import json, known, numpy; from dataclasses import asdict; model = known.Model();"
        "found = [model.predict('picture.png'), model.predict(numpy.load('frame.npy'))];"
        "print(json.dumps([[asdict(one) for one in part] for part in found]))"
    )
    file, frame = json.loads(run("-c", script).stdout.splitlines()[-1])
    assert file == frame
    assert len(file) == 5
    assert file[0]["score"] >= file[1]["score"] > 0


def test_a_changed_model_is_refused_before_a_runtime_sees_it(run, site):
    (model,) = site.glob("known/data/artifacts/tflite-int8/*.tflite")
    before = model.read_bytes()
    model.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        done = run("-m", "known", "--check", status=1)
    finally:
        model.write_bytes(before)
    assert done.stderr.startswith("error: ")
    assert "not what the bundle says" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["missing.png"], 1, "no readable picture"),
        (["--check", "--artifact", "tflite-int4"], 1, "no artifact 'tflite-int4'"),
        ([], 2, "give a sample, or --check"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, words, status, said):
    done = run("-m", "known", *words, status=status)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_asks_for_numpy_pillow_and_one_runtime(signed_once):
    (wheel,) = (signed_once / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("known-1.2.3.dist-info/METADATA").decode()
        record = archive.read("known-1.2.3.dist-info/RECORD").decode()
        names = archive.namelist()
    needs = [line.split()[1].split(">")[0] for line in text.splitlines() if "Requires-Dist" in line]
    assert needs == ["numpy", "pillow", "ai-edge-litert"]
    assert "License-Expression: Apache-2.0" in text
    assert {line.partition(",")[0] for line in record.splitlines()} == set(names)


def test_preprocessing_in_the_package_is_edgekit_s_own(signed_once):
    cases = json.loads((signed_once / "golden" / "cases.json").read_text())
    for case in cases["pictures"]:
        pixels, _ = images.decode(signed_once / case["picture"], 24, 24)
        wanted = (signed_once / case["input"]["file"]).read_bytes()
        assert pixels.tobytes() == wanted


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            InputSpec("words", "int32", (16,), layout="tokens", range=(0, 999), tokenizer="bytes"),
            {"kind": "text", "length": 16, "tokenizer": "bytes"},
        ),
        (
            InputSpec(
                "sound", "float32", (8000,), layout="waveform", range=(-1.0, 1.0), rate_hz=8000
            ),
            {"kind": "sound", "length": 8000, "rate_hz": 8000},
        ),
        (
            InputSpec("state", "float32", (4,), layout="", range=(-1.0, 1.0)),
            {"kind": "tensor", "shape": [4]},
        ),
    ],
)
def test_the_contract_tells_what_a_sample_is_made_from(artifacts, spec, expected):
    changed = replace(artifacts[0].manifest, preprocessing=(spec,))
    (told,) = contract_of([Artifact(artifacts[0].path, changed)])["inputs"]
    assert expected.items() <= told.items()


def test_an_openvino_artifact_s_cases_hold_too(checkout, tmp_path):
    artifact = Artifact.open(checkout / "devices" / "known" / "openvino-int8")
    make_bundle([artifact], Order("known", "1.0.0", "python"), tmp_path / "b")
    with zipfile.ZipFile(next((tmp_path / "b" / "dist").glob("*.whl"))) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "known", "--check"],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )  # fmt: skip
    assert done.stdout == "openvino-int8: 18 golden cases hold\n", done.stderr


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("{'image': numpy.zeros((9, 9, 3))}", "image: float64 [9, 9, 3], not uint8 [24, 24, 3]"),
        ("{'picture': 1}", "no array for the input 'image'"),
        ("{'image': numpy.full((24, 24, 3), numpy.nan)}", "not all of its numbers are finite"),
        ("{'image': 'text'}", "image: <U4 [], not uint8 [24, 24, 3]"),
        ("numpy.zeros((0, 5, 3), 'uint8')", "the picture: no readable picture"),
    ],
)
def test_a_sample_of_another_shape_or_kind_is_named(run, sample, said):
    script = (
        "import numpy, known\n"
        f"try: known.Model().predict({sample})\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert run("-c", script).stdout.startswith("DataError ")
    assert said in run("-c", script).stdout


def test_who_reads_no_more_is_no_error(run, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "dot.png")
    script = (
        "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
        "from known.__main__ import main; sys.exit(main(['dot.png']))"
    )
    assert "Traceback" not in run("-c", script).stderr
