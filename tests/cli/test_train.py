"""`edgekit train` as it is typed: refusals that come before TensorFlow starts."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest


def train(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "edgekit", "train", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["mobilnet"], 2, "unknown model 'mobilnet'"),
        (["mobilenet", "--dataset", "glyfs"], 1, "unknown data set 'glyfs'"),
        (["mobilenet", "--data", "absent"], 1, "absent: no such file or folder"),
        (["mobilenet", "--data", "empty"], 1, "no class folders in it"),
        (["mobilenet", "--data", "x.npz", "--dataset", "glyphs"], 2, "either --dataset or --data"),
        (["mobilenet", "--set", "width"], 2, "--set width: expected KEY=VALUE"),
        (["mobilenet", "--set", "depth=3"], 1, "no parameter 'depth'"),
        (["mobilenet", "--from", "absent.h5"], 1, "absent.h5: no such weights file"),
        (["mobilenet", "--data", "bare.npz"], 1, "training needs labels"),
        (["mobilenet", "--out", "bare.npz"], 1, "bare.npz: a file; a training needs a folder"),
    ],
)
def test_a_refusal_is_one_error_line(arguments, status, complaint, tmp_path):
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "bare.npz", x=np.zeros((30, 96, 96, 3), np.uint8))
    done = train(*arguments, folder=tmp_path)
    assert done.returncode == status
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert complaint in errors[0]
    assert not (tmp_path / "build").exists()


def test_a_quiet_training_as_the_command_line_says_writes_nothing_to_stderr(tmp_path):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (30, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "noise.npz", x=pictures, y=np.arange(30) % 3)
    done = train(
        *("mobilenet", "--data", "noise.npz", "--set", "size=32", "--epochs", "1", "-q"),
        *("--learning-rate", "1e-4", "--batch-size", "15", "--out", "run"),
        folder=tmp_path,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "edgekit export mobilenet --data noise.npz --set size=32" in done.stdout
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    recipe = history["recipe"]
    assert (recipe["learning_rate"], recipe["batch_size"]) == (1e-4, 15)
    assert sum(stage["epochs"] for stage in recipe["stages"]) == len(history["history"]) == 1
