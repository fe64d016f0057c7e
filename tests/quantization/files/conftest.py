"""Float files as somebody else would hand them over: ONNX built by hand, TFLite by a child."""

from __future__ import annotations

import runpy
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
