"""What every test gets: a cache of its run's own, and a folder to stand in."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from edgekit.artifact import Artifact, describe_files, write_manifest
from edgekit.manifest import Manifest, Parity
from edgekit.measure import Measurement, Placement
from edgekit.spec import InputSpec
from edgekit.tensor import TensorInfo

SPEC = InputSpec(name="image", dtype="float32", shape=(8, 8, 3), range=(0.0, 1.0))
FILES = {
    "tflite": ("litert", "model.tflite", "Identity", ["float.tflite"]),
    "onnx": ("onnxruntime", "model.onnx", "logits", ["float.onnx"]),
    "openvino": ("openvino", "model.xml", "logits", ["float.xml", "float.bin"]),
}
INT8_OUTPUT = TensorInfo("Identity", "int8", (1, 4), 0.0008651085663586855, -5)

# A busy machine is no counterexample.
settings.register_profile("edgekit", deadline=None)
settings.load_profile("edgekit")


@pytest.fixture(scope="session", autouse=True)
def cache_of_this_run(tmp_path_factory):
    """Nothing is read from or left in the user's cache and store; workers of one run share them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEKIT_CACHE", str(shared / "cache"))
        patch.setenv("EDGEKIT_STORE", str(shared / "measurements.sqlite"))
        patch.delenv("EDGEKIT_DEBUG", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def adb_server_of_this_run():
    """Lists of devices ask adb: a server of this run's own, and none that goes on after it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
        patch.delenv("ANDROID_SERIAL", raising=False)
        yield
    with socket.socket() as asking:
        started = asking.connect_ex(("127.0.0.1", port)) == 0
    if started:
        subprocess.run(["adb", "-P", str(port), "kill-server"], check=False)


@pytest.fixture
def tests_folder() -> Path:
    return Path(__file__).parent


@pytest.fixture
def checkout(tests_folder) -> Path:
    """The top of the source tree."""
    return tests_folder.parent


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Make a folder once per run: the workers that come later wait for it and share it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name, fill) -> Path:
        folder = shared / name
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                making = shared / f"{name}.part"
                shutil.rmtree(making, ignore_errors=True)
                making.mkdir(exist_ok=True)
                fill(making)
                making.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def keras_models(made_once) -> Path:
    """Small Keras models in every format, made by `make_keras_models.py`."""
    script = Path(__file__).parent / "make_keras_models.py"

    def fill(folder):
        subprocess.run([sys.executable, script, folder], check=True, capture_output=True)

    return made_once("keras-models", fill)


@pytest.fixture(scope="session")
def onnx_files(made_once) -> Path:
    """Small float ONNX files and samples for them, made by `make_onnx_files.py`."""
    script = Path(__file__).parent / "make_onnx_files.py"

    def fill(folder):
        subprocess.run([sys.executable, script, folder], check=True, capture_output=True)

    return made_once("onnx-files", fill)


@pytest.fixture(scope="session")
def tflite_files(made_once) -> Path:
    """Files made by TensorFlow's converter: see `make_tflite_files.py`."""
    script = Path(__file__).parent / "make_tflite_files.py"

    def fill(folder):
        subprocess.run([sys.executable, script, folder], check=True, capture_output=True)

    return made_once("tflite-files", fill)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> Path:
    """A folder of models of a few kilobytes, made once per run by `make_tiny_models.py`."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "tiny-models"
    with (shared / "tiny-models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other workers wait for the one that makes them
        if not folder.exists():
            making = shared / "tiny-models.part"
            making.mkdir(exist_ok=True)
            script = Path(__file__).parent / "make_tiny_models.py"
            command = [sys.executable, script, making]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-4000:]
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def legacy_python(request) -> Path:
    """Interpreter of an environment with tflite-runtime and numpy 1, kept in pytest's cache."""
    versions = ("3.11", "3.10")  # of the wheels there are, those that the agent's code runs on
    own = ".".join(map(str, sys.version_info[:2]))
    found = [shutil.which(f"python{version}") for version in versions]
    base = sys.executable if own in versions else next(filter(None, found), None)
    if base is None:
        pytest.skip("tflite-runtime needs Python 3.11 or older: put a python3.11 on PATH")
    place = request.config.cache.mkdir("tflite-runtime-2.14.0")
    python = place / "environment" / "bin" / "python"
    ready = place / "ready"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            subprocess.run([base, "-m", "venv", "--clear", place / "environment"], check=True)
            packages = ("tflite-runtime==2.14.0", "numpy<2")
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:]
                pytest.skip(
                    f"pip install {' '.join(packages)} failed, is there a network? {reason}"
                )
            ready.touch()
    return python


@pytest.fixture
def make_artifact(tiny_models, tmp_path):
    """Make an artifact of a tiny model; keyword arguments replace fields of its manifest."""

    def make(target="tflite", *, precision="fp32", labels="0123", **fields):
        runtime, model_file, output, files = FILES[target]
        folder = tmp_path / "build" / "tiny" / f"{target}-{precision}"
        (folder / "golden").mkdir(parents=True)
        for file in files:
            source = tiny_models / file.replace("float", "int8" if precision == "int8" else "float")
            shutil.copy(source, folder / f"model{source.suffix}")
        if labels:
            (folder / "labels.txt").write_text("\n".join(labels) + "\n")
        samples = np.random.default_rng(5).random((6, 8, 8, 3), np.float32)
        np.save(folder / "golden" / "inputs.npy", samples)
        taken = TensorInfo("image", "float32", (1, 8, 8, 3))
        given = TensorInfo(output, "float32", (1, 4))
        if precision == "int8":
            taken = TensorInfo("image", "int8", (1, 8, 8, 3), 0.0039213490672409534, -128)
            given = INT8_OUTPUT
        values = {
            "key": "0" * 64,
            "model": "tiny",
            "dataset": None,
            "target": target,
            "precision": precision,
            "io": "native",
            "chain": ("keras", target),
            "runtime": runtime,
            "model_file": model_file,
            "files": describe_files(folder),
            "inputs": (taken,),
            "outputs": (given,),
            "activation": "softmax",
            "preprocessing": (SPEC,),
            "ops": {"CONV_2D": 1},
            "dtypes": {"float32": 5},
            "calibration": None,
            "evaluation": None,
            "parity": Parity(1.5e-7, 1.0, 12),
            "metric": None,
            **fields,
        }
        write_manifest(folder, Manifest(**values))
        return Artifact.open(folder)

    return make


@pytest.fixture(scope="session")
def measured():
    """Measurements without a device: one process per figure in ms, each call of it that long."""

    def make(*samples_ms, calls=100, **fields):
        return [
            Measurement(
                **{
                    "samples_ns": (int(ms * 1e6),) * calls,
                    "call_ns": (int(ms * 2e6),) * calls,
                    "cpu_ns": (int(ms * 0.5e6),) * calls,
                    "blocks": (calls,),
                    "warmup_ns": (10**12,) * 20,
                    "load_ns": int(ms * 1e7),
                    "first_ns": int(ms * 1e8),
                    "peak_rss_bytes": 10**8,
                    "placement": Placement(4, 4, 1, {"XNNPACK": 4}, "test"),
                    "environment": {},
                    **fields,
                }
            )
            for ms in samples_ms
        ]

    return make


@pytest.fixture
def dataset(tmp_path):
    """An `.npz` of random pictures with four classes."""
    random = np.random.default_rng(1)
    path = tmp_path / "pictures.npz"
    np.savez(
        path,
        x_train=random.random((8, 8, 8, 3), np.float32),
        y_train=np.arange(8) % 4,
        x_test=random.random((40, 8, 8, 3), np.float32),
        y_test=np.arange(40) % 4,
    )
    return path


@pytest.fixture(scope="session")
def contents():
    """What a folder holds: bytes by path."""

    def read(folder):
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    return read


@pytest.fixture(scope="session")
def built(made_once, keras_models):
    """`build/lstm/onnx-fp32`, exported once."""

    def fill(folder):
        command = [sys.executable, "-m", "edgekit", "export", keras_models / "lstm.keras"]
        subprocess.run(
            [*command, "--target", "onnx", "--quiet"], check=True, cwd=folder, capture_output=True
        )

    return made_once("built-lstm", fill) / "build"


@pytest.fixture
def work(built, contents, tmp_path, monkeypatch):
    """A folder to stand in, with an artifact from before; afterwards it must be as it was."""
    shutil.copytree(built, tmp_path / "build")
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path / "build")
    yield tmp_path
    assert contents(tmp_path / "build") == before
