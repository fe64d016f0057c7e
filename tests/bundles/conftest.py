from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.artifact import Artifact
from edgekit.bundles.making import Order, make_bundle


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Two pairs of keys: mine.pem, mine.pub, theirs.pem, theirs.pub."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / f"{name}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return folder


@pytest.fixture(scope="session")
def artifacts(request):
    """The two int8 artifacts of a small network whose answers are known, for two runtimes."""
    known = request.config.rootpath / "devices" / "known"
    return [Artifact.open(known / label) for label in ("tflite-int8", "onnx-int8")]


@pytest.fixture(scope="session")
def signed_once(artifacts, keys, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundle") / "signed"
    order = Order("known", "1.2.3", "python", task="classification", licence="Apache-2.0")
    make_bundle(artifacts, order, out, key=keys / "mine.pem")
    return out


@pytest.fixture
def bundle(signed_once, tmp_path):
    """A signed bundle of one's own, to be broken."""
    return shutil.copytree(signed_once, tmp_path / "bundle")


# -- C++ -------------------------------------------------------------------------------------------

CPP_LABELS = ("onnx-int8", "tflite-int8", "openvino-int8", "tflite-int8-int8", "openvino-fp32")
CPP_ORDER = Order("known-glyphs", "1.2.3", "cpp", licence="Apache-2.0")


def _run(*words):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def openvino_dir():
    """Where CMake finds the OpenVINO of this environment, as an option."""
    openvino = pytest.importorskip("openvino.utils")
    return f"-DOpenVINO_DIR={openvino.get_cmake_path()}"


@pytest.fixture(scope="session")
def cpp_artifacts(request):
    folder = request.config.rootpath / "devices" / "known"
    return [Artifact.open(folder / label) for label in CPP_LABELS]


@pytest.fixture(scope="session")
def cpp_built(made_once, cpp_artifacts, openvino_dir):
    """bundle/ as it was made, build/ beside it with sanitizers: built once a run."""

    def fill(folder):
        # CMake's build folder knows its own place, which a folder of `made_once` changes.
        place = folder.with_name("cpp-built")
        shutil.rmtree(place, ignore_errors=True)
        make_bundle(
            cpp_artifacts, replace(CPP_ORDER, choice={"laptop": "openvino-int8"}), place / "bundle"
        )
        _run(
            "cmake", "-S", place / "bundle", "-B", place / "build", "-DCMAKE_BUILD_TYPE=None",
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror -O0 -fsanitize=address,undefined "
            "-fno-sanitize-recover=all",
            openvino_dir,
        )  # fmt: skip
        _run("cmake", "--build", place / "build", "--parallel", "2")
        _run(
            "g++", "-std=c++17", "-O0", "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all", "-o", place / "steps",
            Path(__file__).with_name("cpp_steps.cpp"),
            "-I", place / "bundle/src", "-I", place / "bundle/include",
            place / "build/libknown_glyphs.a",
        )  # fmt: skip
        (folder / "place").write_text(str(place))

    return Path((made_once("cpp", fill) / "place").read_text())
