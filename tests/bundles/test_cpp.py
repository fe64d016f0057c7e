"""C++ bundles are built, and compute what the golden cases say, over the environment's OpenVINO."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from edgekit.artifact import Artifact
from edgekit.bundles.contents import CONTENTS
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.originals import drawn
from edgekit.datasets import images
from edgekit.errors import UsageError
from tests.bundles.conftest import CPP_ORDER, LIBCRYPTO, write_keys

ORDER = Order("known-glyphs", "1.2.3", "cpp", licence="Apache-2.0")
LABELS = ("onnx-int8", "tflite-int8", "openvino-int8", "tflite-int8-int8", "openvino-fp32")

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("g++")),
    reason="no cmake or g++ here; apt-get install cmake g++ make",
)


def run(*words, status=0, **more):
    """What a command printed; its errors besides where it is to fail."""
    done = ended(*words, **more)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def ended(*words, **more):
    return subprocess.run(
        [str(word) for word in words],
        # Otherwise TBB loads a library deep-bound, which the address sanitizer refuses.
        env={**os.environ, "TBB_ENABLE_SANITIZERS": "1", **more},
        capture_output=True,
        text=True,
        check=False,
    )


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
    assert "no artifact onnx; there are: onnx-int8" in run(
        program, "--artifact", "onnx", "--check", status=1
    )
    assert "the model takes no text" in run(program, "--text", "hello", status=1)
    assert "usage:" in run(program, "--chekc", status=2)


def test_what_cannot_be_read_is_one_line(program, bundle):
    for words in ([bundle], ["--key", bundle, "--verify"], ["--bundle", "a" * 5000, "--verify"]):
        said = run(program, *words, status=1)
        assert said.startswith("error: ")
        assert said.count("\n") == 1


def test_an_empty_folder_that_was_added_is_refused(program, bundle):
    (bundle / "golden" / "more").mkdir()
    assert "is empty: it was added" in run(program, "--bundle", bundle, "--verify", status=1)


def test_a_file_that_became_a_link_is_not_read(program, bundle):
    (bundle / "labels.txt").rename(bundle.parent / "labels.txt")
    (bundle / "labels.txt").symlink_to(bundle.parent / "labels.txt")
    said = run(program, "--bundle", bundle, "--check", status=1)
    assert "labels.txt: is a link or no plain file" in said


signatures = pytest.mark.skipif(
    not LIBCRYPTO, reason="no headers of OpenSSL here; apt-get install libssl-dev"
)


@signatures
def test_a_signature_is_checked_with_the_key_of_who_made_it(program, cpp_built, bundle, keys):
    mine = cpp_built / "mine.pub"
    said = run(program, "--verify", "--key", mine)
    assert said.endswith("files are what bundle.json says, and the key signed it\n")
    assert "18 golden cases hold" in run(program, "--key", mine, "--check")
    refused = "error: the signature is not by this key, or the bundle was changed: "
    for asked in ("--verify", "--check"):
        said = run(program, asked, "--key", keys / "theirs.pub", status=1)
        assert said == refused + "it does not fit\n"
    said = run(program, "--verify", "--key", cpp_built / "mine.pem", status=1)
    assert "no public elliptic-curve key" in said
    (bundle / "empty.pub").write_text("")
    said = run(program, "--verify", "--key", bundle / "empty.pub", status=1)
    assert "no public elliptic-curve key" in said
    (bundle / "empty.pub").unlink()
    (bundle / "bundle.sig").unlink()
    said = run(program, "--bundle", bundle, "--verify", "--key", mine, status=1)
    assert "not signed (no bundle.sig)" in said


@signatures
def test_a_list_that_was_made_to_fit_and_a_forged_signature_are_refused(program, cpp_built, bundle):
    mine = cpp_built / "mine.pub"
    refused = "error: the signature is not by this key, or the bundle was changed: "
    (bundle / "labels.txt").write_text("other\nlabels\n")
    listed = json.loads((bundle / CONTENTS).read_text())
    data = (bundle / "labels.txt").read_bytes()
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    listed["files"]["labels.txt"] = entry
    (bundle / CONTENTS).write_text(json.dumps(listed))
    assert "are what bundle.json says" in run(program, "--bundle", bundle, "--verify")

    def told():
        return run(program, "--bundle", bundle, "--verify", "--key", mine, status=1)

    assert told() == refused + "bundle.json differs\n"
    # Its statement names the new files, and so the signature does not fit.
    signature = json.loads((bundle / "bundle.sig").read_text())
    envelope = signature["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    for one in statement["predicate"]["resources"]:
        if one["name"] in ("labels.txt", CONTENTS):
            one["digest"] = hashlib.sha256((bundle / one["name"]).read_bytes()).hexdigest()
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (bundle / "bundle.sig").write_text(json.dumps(signature))
    assert told() == refused + "it does not fit\n"
    for damaged in ("{}", "", "[" * 100_000, '{"dsseEnvelope": {"payload": "===="}}'):
        (bundle / "bundle.sig").write_text(damaged)
        assert told().startswith(refused)


@signatures
@pytest.mark.parametrize("curve", [ec.SECP384R1, ec.SECP521R1])
def test_keys_of_larger_curves_are_read_too(program, cpp_artifacts, tmp_path, curve):
    keys = write_keys(tmp_path / "keys", "large", curve=curve)
    make_bundle(cpp_artifacts[:1], ORDER, tmp_path / "bundle", key=keys / "large.pem")
    run(program, "--bundle", tmp_path / "bundle", "--verify", "--key", keys / "large.pub")


def test_a_build_without_openssl_refuses_to_take_a_key(cpp_built, tmp_path):
    source = '#include "signature.hpp"\n#include <cstdio>\n#include <stdexcept>\nint main() {\n'
    source += "try { known_glyphs::detail::check_signature({}, {}, {}); }\n"
    source += "catch (const std::runtime_error& error) { std::puts(error.what()); }\n}\n"
    (tmp_path / "it.cpp").write_text(source)
    bundle = cpp_built / "bundle"
    run(
        "g++", "-std=c++17", "-I", bundle / "src", "-I", bundle / "include", "-o", tmp_path / "it",
        tmp_path / "it.cpp", bundle / "src/signature.cpp",
    )  # fmt: skip
    assert "this build checks no signatures: -DWITH_SIGNATURES=ON" in run(tmp_path / "it")


# -- choice ----------------------------------------------------------------------------------------


def fitted(bundle, change):
    """`bundle.json` after `change`, which is handed it, with the digests of what lies there."""
    listed = json.loads((bundle / CONTENTS).read_text())
    change(listed)
    for path, entry in listed["files"].items():
        data = (bundle / path).read_bytes()
        entry |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (bundle / CONTENTS).write_text(json.dumps(listed))


# OpenVINO's readers leak a few bytes of a file that they refuse.
LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}


def test_what_cannot_be_loaded_is_passed_over_for_the_next_and_said(program, bundle):
    (bundle / "artifacts/onnx-int8/model.onnx").write_bytes(b"no model")

    def change(listed):
        listed["artifacts"][1]["target"] = "coreml"

    fitted(bundle, change)
    done = ended(program, "--bundle", bundle, "--check", **LEAKS)
    assert done.stdout.startswith("openvino-int8 on OpenVINO")
    first, second = (one for one in done.stderr.splitlines() if one.startswith("note: "))
    assert first.startswith("note: took openvino-int8, since onnx-int8: ")
    assert second.endswith("this build has no runtime for coreml")
    # One that was named is taken, or nothing is; and all may fail.
    named = ("--bundle", bundle, "--artifact", "tflite-int8", "--check")
    named = run(program, *named, status=1, **LEAKS)
    assert "error: no artifact could be loaded: tflite-int8: " in named
    for name in ("openvino-int8/model.xml", "openvino-fp32/model.xml"):
        (bundle / "artifacts" / name).write_bytes(b"no model")
    (bundle / "artifacts/tflite-int8-int8/model.tflite").write_bytes(b"no model")
    fitted(bundle, change)
    said = run(program, "--bundle", bundle, "--check", status=1, **LEAKS)
    (error,) = (one for one in said.splitlines() if one.startswith("error: "))
    assert error.startswith("error: no artifact could be loaded: onnx-int8: ")


# -- as a library ----------------------------------------------------------------------------------


def test_an_app_finds_the_installed_package_and_its_data(cpp_app, cpp_built):
    said = run(cpp_app, cpp_built / "installed/share/known_glyphs", "onnx-int8")
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
    with pytest.raises(UsageError, match="no pictures of float16"):
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


@pytest.mark.parametrize("name", ["time", "linux", "openvino", "errno"])
def test_names_that_c_or_cmake_have_already_are_refused(cpp_artifacts, tmp_path, name):
    with pytest.raises(UsageError, match="so it names no library"):
        make_bundle(cpp_artifacts[:1], replace(CPP_ORDER, name=name), tmp_path / "bundle")


def test_a_bundle_may_be_called_like_a_word_of_its_templates(cpp_artifacts, tmp_path):
    make_bundle(cpp_artifacts[:1], replace(CPP_ORDER, name="bundle-version"), tmp_path / "bundle")
    told = (tmp_path / "bundle/CMakeLists.txt").read_text()
    assert "project(bundle_version VERSION 1.2.3" in told
