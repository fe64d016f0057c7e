"""A search never judges by what it is later judged by, nor by what set the ranges."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import draw, open_dataset
from edgekit.progress import silent
from edgekit.quantization.calibration import draw_calibration
from edgekit.quantization.mixed.drawing import draw_search
from edgekit.spec import InputSpec

SPEC = InputSpec("image", "float32", (8, 8, 3), "HWC", range=(0.0, 1.0))


@pytest.fixture
def pictures(tmp_path):
    """An `.npz` with pictures of which no two are alike."""

    def make(**sizes):
        random, arrays = np.random.default_rng(1), {}
        for split, size in sizes.items():
            arrays[f"x_{split}"] = random.random((size, 8, 8, 3), np.float32)
            arrays[f"y_{split}"] = np.arange(size) % 4
        np.savez(tmp_path / "pictures.npz", **arrays)
        return open_dataset(tmp_path / "pictures.npz")

    return make


def rows(drawn):
    return {row.tobytes() for row in np.load(drawn.folder / "inputs.npy")}


@pytest.mark.parametrize("calibrated", [12, 100, 131])
def test_training_samples_of_a_search_are_not_those_of_the_calibration(pictures, calibrated):
    dataset = pictures(train=140, validation=2, test=40)
    found = draw_search(dataset, calibrated, [SPEC], silent)
    assert found.split == "train"
    assert found.drawn.count == 140 - calibrated
    others = (
        draw_calibration(dataset, calibrated, [SPEC], silent),
        draw(dataset, "test", 40, [SPEC]),
    )
    assert not rows(found.drawn) & set.union(*map(rows, others))


def test_where_the_calibration_took_all_few_validation_samples_have_to_do(pictures):
    found = draw_search(pictures(train=20, validation=9, test=40), 128, [SPEC], silent)
    assert (found.split, found.drawn.count) == ("validation", 9)


def test_enough_validation_samples_come_first(pictures):
    found = draw_search(pictures(train=900, validation=200, test=40), 128, [SPEC], silent)
    assert (found.split, found.drawn.count) == ("validation", 200)


def test_few_validation_samples_do_not(pictures):
    found = draw_search(pictures(train=900, validation=20, test=40), 128, [SPEC], silent)
    assert (found.split, found.drawn.count) == ("train", 772)
