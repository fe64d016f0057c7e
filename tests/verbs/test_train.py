"""What `train` refuses before it has cost anything."""

from __future__ import annotations

import os

import numpy as np
import pytest

from edgekit.errors import DataError, FileError, UsageError
from edgekit.files import write_atomic
from edgekit.verbs.train import train_model

MODEL_TOML = """
name = "tiny"
task = "image-classification"
output = "logits"

[parameters]
size = 16

[[inputs]]
name = "image"
dtype = "uint8"
shape = ["size", "size", 3]
layout = "HWC"
"""


@pytest.fixture
def model(tmp_path):
    write_atomic(tmp_path / "tiny" / "model.toml", MODEL_TOML)
    write_atomic(tmp_path / "tiny" / "model.py", "def build(classes, size):\n    raise SystemExit")
    return tmp_path / "tiny"


@pytest.fixture
def data(tmp_path):
    pictures = np.zeros((60, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "grey.npz", x=pictures, y=np.arange(60) % 3)
    return tmp_path / "grey.npz"


def test_weights_that_cannot_be_installed_are_not_trained(model, data, tmp_path, monkeypatch):
    asked = {"data": data, "install": True, "out": tmp_path / "run"}
    with pytest.raises(UsageError, match=r"weights for another size than model\.toml says"):
        train_model(str(model), **asked, parameters={"size": 8})
    monkeypatch.setattr(os, "access", lambda path, _: path != model)
    with pytest.raises(FileError, match=r"tiny: no permission to write there") as caught:
        train_model(str(model), **asked)
    assert "stay in the run folder" in caught.value.hint
    (model / "grey.weights.h5").mkdir()
    with pytest.raises(FileError, match=r"grey\.weights\.h5: a folder"):
        train_model(str(model), **asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_learning_rate_that_is_no_number_above_nought_is_refused(rate, model, data, tmp_path):
    with pytest.raises(UsageError, match="--learning-rate"):
        train_model(str(model), data=data, learning_rate=rate, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_frozen_epochs_than_there_are_is_a_mistake(model, data, tmp_path):
    weights = tmp_path / "any.weights.h5"
    weights.touch()
    with pytest.raises(UsageError, match="--freeze 5: the training has 4 epochs") as caught:
        train_model(str(model), data=data, epochs=4, freeze=5, begin=str(weights))
    assert "--head-only" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "dataset", "complaint"),
    [
        ("yolo", "glyphs", "glyphs is a data set for image-classification; yolo is for object-det"),
        ("mobilenet", "language-names", "language-names is a data set for text-classification; mo"),
        ("text-transformer", "glyphs", "glyphs holds no texts"),
    ],
)
def test_data_for_another_task_are_refused(name, dataset, complaint, tmp_path):
    with pytest.raises(DataError, match=complaint):
        train_model(name, dataset=dataset, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_fewer_samples_than_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match="35 training samples of glyphs: fewer than its 36 classes"):
        train_model("lenet", dataset="glyphs", train_samples=35, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_where_logs_should_go_is_refused(model, data, tmp_path):
    for board in (data, data / "logs"):
        with pytest.raises(FileError, match=r"grey\.npz: a file") as caught:
            train_model(str(model), data=data, board=board, out=tmp_path / "run")
        assert caught.value.hint.startswith("--tensorboard")
    assert not (tmp_path / "run").exists()
