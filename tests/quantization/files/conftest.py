"""Float files as somebody else would hand them over: ONNX built by hand, TFLite by a child."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_MADE = runpy.run_path(str(Path(__file__).parents[2] / "make_onnx_files.py"))
SIZE = _MADE["SIZE"]


@pytest.fixture(scope="session")
def make_net():
    return _MADE["small"]


@pytest.fixture
def net():
    return _MADE["Net"]


@pytest.fixture(scope="session")
def rows():
    """Inputs between 0 and 1: [N, 3, 16, 16]."""
    values = np.random.default_rng(1).normal(0.4, 0.3, (96, 3, SIZE, SIZE))
    return values.clip(0, 1).astype(np.float32)


@pytest.fixture
def calibration(tmp_path, rows) -> Path:
    folder = tmp_path / "calibration"
    folder.mkdir()
    np.save(folder / "inputs.npy", rows)
    return folder


@pytest.fixture(scope="session")
def tflite_files(made_once) -> Path:
    """Files made by TensorFlow's converter: see `make_tflite_files.py`."""
    script = Path(__file__).with_name("make_tflite_files.py")

    def fill(folder):
        subprocess.run([sys.executable, script, folder], check=True, capture_output=True)

    return made_once("tflite-files", fill)
