from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from edgekit.progress import silent
from edgekit.quantization.calibration import MIN_SAMPLES, draw_calibration
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "float32", (4,))


@pytest.fixture
def data(tmp_path):
    def make(train, test=5):
        path = tmp_path / f"{train}.npz"
        values = np.arange((train + test) * 4, dtype=np.float32).reshape(-1, 4)
        labels = np.arange(train + test) % 4
        np.savez(
            path, x_train=values[:train], y_train=labels[:train],
            x_validation=values[:1], y_validation=labels[:1],
            x_test=values[train:], y_test=labels[train:],
        )  # fmt: skip
        return open_dataset(path)

    return make


def test_samples_come_from_the_training_split_and_none_from_the_test(data):
    drawn = draw_calibration(data(40), 20, [SPEC], silent)
    values = np.load(drawn.folder / "inputs.npy")
    assert drawn.count == len(values) == 20
    assert values.max() < 160  # where the test split begins


def test_classes_are_balanced(data):
    drawn = draw_calibration(data(40), 20, [SPEC], silent)
    assert np.bincount(np.load(drawn.folder / "labels.npy")).tolist() == [5, 5, 5, 5]


def test_the_same_question_has_the_same_digest_and_another_count_another(data):
    dataset = data(40)
    first, again = (draw_calibration(dataset, 20, [SPEC], silent) for _ in range(2))
    assert first.digest == again.digest
    assert draw_calibration(dataset, 24, [SPEC], silent).digest != first.digest


def test_fewer_than_ten_are_refused_whether_asked_for_or_there(data):
    with pytest.raises(DataError, match="split 'train': 9 were asked for") as caught:
        draw_calibration(data(40), 9, [SPEC], silent)
    assert caught.value.limit == f"at least {MIN_SAMPLES} samples"
    with pytest.raises(DataError, match="split 'train': 6 are there"):
        draw_calibration(data(6), 128, [SPEC], silent)


def test_samples_that_are_all_equal_are_refused(tmp_path):
    rows = np.zeros((20, 4), np.float32)
    np.savez(
        tmp_path / "still.npz", x_train=rows, y_train=np.arange(20) % 4,
        x_validation=rows[:1], y_validation=np.zeros(1, int), x_test=rows[:1], y_test=[0],
    )  # fmt: skip
    with pytest.raises(DataError, match="all 20 calibration samples are equal"):
        draw_calibration(open_dataset(tmp_path / "still.npz"), 20, [SPEC], silent)
