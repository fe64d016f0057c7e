from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import Drawn, draw, open_dataset
from edgekit.errors import DataError
from edgekit.quantization.calibration import check_apart, classes_shown, concerns
from edgekit.spec import InputSpec

GOOD = {
    "method": "minmax", "tensors": 9, "clipped": 0.0, "clipped_unseen": 0.001, "unstable": 0.1,
}  # fmt: skip


@pytest.fixture
def drawn(tmp_path):
    def make(name, values, labels=None) -> Drawn:
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "inputs.npy", np.asarray(values, np.float32))
        if labels is not None:
            np.save(folder / "labels.npy", np.asarray(labels))
        return Drawn(folder, len(values), "0")

    return make


def test_samples_of_both_splits_are_refused_with_their_number(drawn):
    rows = np.random.default_rng(0).normal(size=(20, 6))
    check_apart(drawn("a", rows[:10]), drawn("b", rows[10:]))
    with pytest.raises(DataError, match="3 of 10 calibration samples are evaluation samples"):
        check_apart(drawn("c", rows[:10]), drawn("d", rows[7:]))


def test_the_same_picture_in_two_splits_of_an_npz_is_found(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    values[33] = values[2]
    np.savez(
        tmp_path / "own.npz", x_train=values[:30], y_train=np.arange(30) % 3,
        x_validation=values[:1], y_validation=np.zeros(1, int),
        x_test=values[30:], y_test=np.arange(10) % 3,
    )  # fmt: skip
    dataset = open_dataset(tmp_path / "own.npz")
    spec = InputSpec("x", "float32", (4,))
    train, test = (draw(dataset, split, 100, [spec]) for split in ("train", "test"))
    with pytest.raises(DataError, match="1 of 30"):
        check_apart(train, test)


def test_classes_shown_counts_labels_and_the_classes_of_boxes(drawn):
    rows = np.zeros((3, 2))
    assert classes_shown(drawn("plain", rows)) is None
    assert classes_shown(drawn("labels", rows, [4, 4, 1])) == 2
    boxes = np.full((3, 2, 5), -1.0, np.float32)
    boxes[0, 0, 0], boxes[1, :, 0] = 2, 0
    assert classes_shown(drawn("boxes", rows, boxes)) == 2


def test_classes_shown_counts_those_of_steps_and_none_of_values_to_be_given(drawn):
    rows = [[1.0], [2.0]]
    assert classes_shown(drawn("steps", rows, np.array([[0, 3, -1], [0, 4, 4]]))) == 3
    assert classes_shown(drawn("values", rows, np.zeros((2, 4, 4, 3), np.float32))) is None


def test_a_sound_calibration_raises_no_concern():
    assert concerns({"onnx-int8": {"count": 128, "classes": 4, "ranges": GOOD}}, 4) == ()
    assert concerns({"onnx-int8": {"count": 128}}, 0) == ()


def test_concerns_that_targets_share_are_one_line():
    entry = {"count": 12, "classes": 3, "ranges": {**GOOD, "unstable": 0.5}}
    few, classes, unstable = concerns({"onnx-int8": entry, "tflite-int8": entry}, 4)
    assert few.startswith("calibration of onnx-int8, tflite-int8: 12 samples")
    assert "3 of the 4 classes" in classes
    assert "50% of the ranges grow" in unstable


def test_clipping_that_was_meant_is_no_concern():
    meant = {**GOOD, "method": "mse", "clipped": 0.03, "clipped_unseen": 0.031}
    assert concerns({"onnx-int8": {"count": 99, "ranges": meant}}, 0) == ()
    more = {**meant, "clipped_unseen": 0.08}
    (line,) = concerns({"onnx-int8": {"count": 99, "ranges": more}}, 0)
    assert "clip 8.0% of the values of the other half, 3.0% were meant" in line
