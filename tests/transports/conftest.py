from __future__ import annotations

import shutil
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import DeviceError
from edgekit.job import Job, Timing
from edgekit.transports.web.chromium import NAMES
from edgekit.transports.web.files import runtime_versions


@pytest.fixture(scope="session")
def runtimes():
    """What a page computes with, or a skip that says how to get it."""
    try:
        return runtime_versions()
    except DeviceError:
        pytest.skip("no LiteRT.js and onnxruntime-web here: make web, which needs npm")


@pytest.fixture(scope="session")
def chromium(runtimes):
    """Path of a Chromium, or a skip that says how to get it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def swiftshader():
    """The GPU in software that Chromium brings, as Vulkan's loader finds it, or a skip."""
    driver = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
    if not driver.is_file() or find_library("vulkan") is None:
        pytest.skip("no GPU in software here: apt-get install chromium libvulkan1")
    return str(driver)


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """Samples of the tiny models: random ones and extremes, as floats and as int8."""
    folder = tmp_path_factory.mktemp("samples")
    random = np.random.default_rng(3)
    picture = (8, 8, 3)
    extremes = np.stack([np.zeros(picture), np.ones(picture), np.full(picture, 1e-40)])
    floats = np.concatenate([random.random((8, *picture)), extremes]).astype(np.float32)
    np.save(folder / "float.npy", floats)
    whole = random.integers(-128, 128, (8, *picture))
    ends = np.stack([np.full(picture, value) for value in (-128, 0, 127)])
    np.save(folder / "int8.npy", np.concatenate([whole, ends]).astype(np.int8))
    return folder


@pytest.fixture
def job_for(tiny_models, samples, tmp_path):
    """A job on a tiny model: "run" with an output file, or "measure"."""
    runtimes = {".tflite": "litert-js", ".onnx": "onnxruntime-web"}

    def make(file="float.tflite", *, action="run", kind="float", **changes):
        outputs = str(tmp_path / f"{changes.get('runtime', 'page')}-{file}.npy")
        values = {
            "runtime": runtimes["." + file.rpartition(".")[2]],
            "model": str(tiny_models / file),
            "inputs": str(samples / f"{kind}.npy"),
            "outputs": outputs if action == "run" else None,
            "timing": Timing(warmup_calls=3, seconds=0.02, min_calls=5),
            **changes,
        }
        return Job(action=action, **values)

    return make
