"""C++ bundles are built, and compute what the golden cases say, over the environment's OpenVINO."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgekit.artifact import Artifact
from edgekit.bundles.contents import CONTENTS
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.originals import drawn
from edgekit.datasets import images
from edgekit.errors import UsageError

ORDER = Order("known-glyphs", "1.2.3", "cpp", licence="Apache-2.0")
LABELS = ("onnx-int8", "tflite-int8", "openvino-int8", "tflite-int8-int8", "openvino-fp32")

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("g++")),
    reason="no cmake or g++ here; apt-get install cmake g++ make",
)


def run(*words, status=0):
    """What a command printed; its errors besides where it is to fail."""
    done = subprocess.run(
        [str(word) for word in words],
        # Otherwise TBB loads a library deep-bound, which the address sanitizer refuses.
        env={**os.environ, "TBB_ENABLE_SANITIZERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


@pytest.fixture(scope="session")
def program(cpp_built):
    return cpp_built / "build" / "known_glyphs_cli"


@pytest.fixture
def bundle(cpp_built, tmp_path):
    """A copy to be broken."""
    return shutil.copytree(cpp_built / "bundle", tmp_path / "bundle")


@pytest.mark.parametrize("label", LABELS)
def test_golden_cases_hold_to_the_bit_of_every_picture(program, label):
    said = run(program, "--artifact", label, "--check")
    assert f"{label} on OpenVINO " in said
    assert ": 18 golden cases hold" in said
    assert f"pictures: 0 of {6 * 24 * 24 * 3} values differ" in said


def test_ctest_runs_the_golden_cases(cpp_built):
    said = run("ctest", "--test-dir", cpp_built / "build", "--verbose")
    assert "18 golden cases hold" in said
    assert "100% tests passed" in said


def test_a_class_of_device_takes_its_artifact_and_any_other_the_first(program):
    assert run(program, "--device", "laptop", "--check").startswith("openvino-int8 on")
    assert run(program, "--device", "toaster", "--check").startswith("onnx-int8 on")


@pytest.mark.parametrize("size", [(24, 24), (25, 23), (9, 400), (400, 9), (211, 24), (24, 211)])
def test_pictures_of_any_shape_get_python_s_answer(cpp_built, program, tmp_path, size):
    from edgekit.bundles.answers import answer_of
    from edgekit.bundles.packaged.runtimes import load

    Image.fromarray(drawn(*size)).save(tmp_path / "a.ppm")
    Image.fromarray(drawn(*size)).save(tmp_path / "a.png")
    said = run(program, "--artifact", "openvino-int8", tmp_path / "a.ppm")
    pixels, _ = images.decode(tmp_path / "a.png", 24, 24)
    file = cpp_built / "bundle/artifacts/openvino-int8/model.xml"
    (logits,) = load("openvino", file, 1, ["logits"])({"image": pixels[None]})
    contract = json.loads((cpp_built / "bundle/contract.json").read_text())
    answer = answer_of(contract["answer"], {"logits": logits[0]})
    labels = (cpp_built / "bundle/labels.txt").read_text().splitlines()
    wanted = [
        f"{tmp_path}/a.ppm  {labels[number]}  {score:.3f}"
        for number, score in zip(answer["classes"], answer["scores"], strict=True)
    ]
    assert said.splitlines() == wanted


# -- trust -----------------------------------------------------------------------------------------


def test_every_file_is_what_the_bundle_says(program, cpp_built, bundle):
    files = json.loads((cpp_built / "bundle" / CONTENTS).read_text())["files"]
    assert f": {len(files)} files are" in run(program, "--verify")
    digest = run("sha256sum", bundle / CONTENTS).split()[0]
    run(program, "--verify", "--digest", digest)
    said = run(program, "--verify", "--digest", "0" * 64, status=1)
    assert "sha256 differs from the one that is expected" in said


def test_a_changed_model_is_never_loaded(program, bundle):
    model = bundle / "artifacts/onnx-int8/model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    said = run(program, "--bundle", bundle, "--check", status=1)
    assert said == f"error: {model}: sha256 differs from the one in bundle.json\n"
    assert run(program, "--bundle", bundle, "--artifact", "tflite-int8", "--check")


@pytest.mark.parametrize("name", ["extra", "golden/.hidden", "new/deep/file"])
def test_an_added_file_is_named(program, bundle, name):
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text("x")
    assert "it was added" in run(program, "--bundle", bundle, "--verify", status=1)


def test_missing_files_links_and_other_sizes_are_named(program, bundle):
    labels = bundle / "labels.txt"
    labels.rename(bundle.parent / "labels.txt")
    assert "labels.txt: is missing" in run(program, "--bundle", bundle, "--verify", status=1)
    labels.symlink_to(bundle.parent / "labels.txt")
    assert "is a link" in run(program, "--bundle", bundle, "--verify", status=1)
    labels.unlink()
    with labels.open("wb") as stream:
        stream.truncate(10 * 1024**3)
    assert "has 10737418240 bytes" in run(program, "--bundle", bundle, "--verify", status=1)


def test_a_list_with_a_path_that_leaves_the_bundle_is_refused(program, bundle):
    data = json.loads((bundle / CONTENTS).read_text())
    for path in ("../out", "/etc/passwd", "a//b", "a\\b", ".", "a/.b", "-rf", "x/" * 17 + "y"):
        data["files"] = {path: {"sha256": "0" * 64, "bytes": 1}}
        (bundle / CONTENTS).write_text(json.dumps(data))
        said = run(program, "--bundle", bundle, "--verify", status=1)
        assert "not a path, size and digest" in said


def test_a_damaged_list_is_one_error_line_and_no_crash(program, bundle):
    before = (bundle / CONTENTS).read_bytes()
    draw = random.Random(5)
    damaged = [b"", b"{}", b"[" * 100_000, b'{"a":' * 5000, b"\xff\xfe", before[: len(before) // 2]]
    for _ in range(20):
        data = bytearray(before)
        data[draw.randrange(1500)] = draw.randrange(256)
        damaged.append(bytes(data))
    for data in damaged:
        (bundle / CONTENTS).write_bytes(data)
        done = subprocess.run(
            [program, "--bundle", bundle, "--verify"], capture_output=True, check=False
        )
        # Some change a label, which no digest knows; but it ends by itself, and says one thing.
        assert done.returncode in (0, 1), done.stderr
        assert done.stderr.count(b"error:") == done.returncode, done.stderr


def test_what_is_no_picture_and_what_was_mistyped_is_one_line(program, tmp_path):
    for name, content in (
        ("a", b""),
        ("b", b"P6 9 9 255\n..."),
        ("c", b"P6 0 0 255\n"),
        ("d", b"P5"),
    ):
        (tmp_path / name).write_bytes(content)
        assert "no picture in PPM" in run(program, tmp_path / name, status=1)
    assert "no artifact onnx that this build runs" in run(
        program, "--artifact", "onnx", "--check", status=1
    )
    assert "the model takes no text" in run(program, "--text", "hello", status=1)
    assert "usage:" in run(program, "--chekc", status=2)


# -- as a library ----------------------------------------------------------------------------------

APP = """
#include <cstdio>
#include <vector>
#include "known_glyphs/model.hpp"

int main(int, char** words) {
  known_glyphs::Model model(words[1]);
  const std::vector<std::uint8_t> frame(100 * (3 * 50 + 14), 200);
  const auto found = model.predict(known_glyphs::Picture{frame.data(), 50, 100, 3 * 50 + 14});
  const known_glyphs::Checked checked = model.check();
  std::printf("%zu classes, %d cases, %s\\n", found.size(), checked.cases,
              model.artifact().c_str());
}
"""
LISTS = """
cmake_minimum_required(VERSION 3.18)
project(app CXX)
find_package(known_glyphs 1.2 REQUIRED)
add_executable(app app.cpp)
target_link_libraries(app PRIVATE known_glyphs::known_glyphs)
"""


def test_an_app_finds_the_installed_package_and_its_data(cpp_built, openvino_dir, tmp_path):
    run("cmake", "--install", cpp_built / "build", "--prefix", tmp_path / "installed")
    (tmp_path / "app.cpp").write_text(APP)
    (tmp_path / "CMakeLists.txt").write_text(LISTS)
    run(
        "cmake", "-S", tmp_path, "-B", tmp_path / "build", openvino_dir,
        f"-DCMAKE_PREFIX_PATH={tmp_path / 'installed'}",
        "-DCMAKE_CXX_FLAGS=-fsanitize=address,undefined",
    )  # fmt: skip
    run("cmake", "--build", tmp_path / "build")
    said = run(tmp_path / "build" / "app", tmp_path / "installed/share/known_glyphs")
    assert said == "5 classes, 18 cases, onnx-int8\n"


def test_a_missing_runtime_is_said_with_what_brings_it(cpp_built, tmp_path):
    bundle = cpp_built / "bundle"
    bare = ("cmake", "-S", bundle, "-B", tmp_path / "b", "-DCMAKE_DISABLE_FIND_PACKAGE_OpenVINO=ON")
    assert "-DOpenVINO_DIR=" in run(*bare, status=1)
    assert "No runtime" in run(*bare, "-DWITH_OPENVINO=OFF", status=1)
    said = run(*bare, "-DWITH_OPENVINO=OFF", f"-DONNXRUNTIME_ROOT={tmp_path}", status=1)
    assert "lacks include/onnxruntime_c_api.h" in said


# -- making ----------------------------------------------------------------------------------------


def test_what_cpp_has_no_code_for_is_refused(cpp_artifacts, tmp_path):
    one = cpp_artifacts[0]
    spec = replace(one.manifest.preprocessing[0], dtype="float16")
    halves = Artifact(one.path, replace(one.manifest, preprocessing=(spec,)))
    with pytest.raises(UsageError, match="not float16"):
        make_bundle([halves], ORDER, tmp_path / "bundle")
    with pytest.raises(UsageError, match="is a word of C\\+\\+"):
        make_bundle([one], replace(ORDER, name="class"), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_no_placeholder_is_left_in_a_bundle(cpp_built):
    for path in (cpp_built / "bundle").rglob("*"):
        if path.suffix in (".txt", ".hpp", ".cpp", ".md", ".in"):
            assert "bundle_name" not in path.read_text().lower(), path


def test_golden_pictures_lie_there_as_ppm_too(cpp_built):
    for png in (cpp_built / "bundle/golden/pictures").glob("*.png"):
        with Image.open(png) as one, Image.open(png.with_suffix(".ppm")) as other:
            assert np.array_equal(np.asarray(one), np.asarray(other))
