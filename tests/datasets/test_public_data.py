"""The public data sets themselves, where EDGEKIT_DATA names a folder that holds them."""

from __future__ import annotations

import os
from itertools import combinations

import numpy as np
import pytest

from edgekit import registry
from edgekit.datasets import open_dataset
from edgekit.datasets.inspection import inspect
from edgekit.datasets.sources import locate, open_archive
from edgekit.spec import InputSpec

SPLITS = ("train", "validation", "test")
RGB = InputSpec("image", "uint8", (64, 64, 3), "HWC", resize="letterbox")


def real(name):
    archive = registry.load(registry.DATASETS, name).archive
    if not os.environ.get("EDGEKIT_DATA") or locate(archive) is None:
        pytest.skip(
            f"EDGEKIT_DATA names no folder with {archive.folder} or {name}.tar.xz: "
            f"`edgekit data fetch {name}` gets it from github.com/{archive.repository}"
        )
    return open_dataset(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sign-digits", "bccd", "deeppcb"])
def test_it_has_the_samples_that_it_is_listed_with_and_its_splits_share_none(name):
    dataset = real(name)
    assert {split: dataset.size(split) for split in SPLITS} == dataset.counts
    for a, b in combinations(SPLITS, 2):
        assert not set(dataset.paths(a)) & set(dataset.paths(b))
    assert inspect(dataset).errors == 0
    samples = dataset.read("test", [0, dataset.size("test") - 1], RGB)
    assert samples.inputs.std() > 5
    assert open_archive(dataset.archive).is_dir()


def test_sign_digits_are_split_between_people_and_in_the_order_of_their_files():
    dataset = real("sign-digits")
    numbers = {s: [int(path.stem[4:]) for path in dataset.paths(s)] for s in SPLITS}
    assert max(numbers["train"]) < min(numbers["validation"])
    assert max(numbers["validation"]) < min(numbers["test"])
    for split in ("validation", "test"):  # a person signs 0 first
        assert dataset.labels(split)[0] == 0
    shares = np.array([dataset.size(split) for split in SPLITS]) / 2062
    assert np.abs(shares - [0.7, 0.1, 0.2]).max() < 0.01


def test_bccd_reports_its_two_degenerate_boxes_and_keeps_all_others():
    dataset = real("bccd")
    assert {issue.where for issue in dataset.issues()} == {
        "Annotations/BloodImage_00338.xml, box 13 (RBC)",
        "Annotations/BloodImage_00343.xml, box 4 (RBC)",
    }
    counts = np.sum([dataset.class_counts(split) for split in SPLITS], axis=0)
    assert dict(zip(dataset.classes, counts.tolist(), strict=True)) == {
        "RBC": 4153,
        "WBC": 372,
        "Platelets": 361,
    }


def test_deeppcb_keeps_its_test_list_and_the_end_of_each_group_for_validation():
    dataset = real("deeppcb")
    counts = np.sum([dataset.class_counts(split) for split in SPLITS], axis=0)
    assert counts.tolist() == [1942, 1506, 1965, 1625, 1474, 1501]
    groups = {path.parts[-3] for path in dataset.paths("train")}
    assert {path.parts[-3] for path in dataset.paths("validation")} == groups
    for group in groups:
        kept, taken = (
            [path.name for path in dataset.paths(split) if path.parts[-3] == group]
            for split in ("train", "validation")
        )
        assert max(kept) < min(taken)
    left, top, right, bottom = dataset.boxes("test", 0)[0, 1:] * 640
    assert float(left).is_integer()
    assert 3 < right - left < 200
    assert 3 < bottom - top < 200


def test_a_box_of_bccd_lies_on_its_cell():
    dataset = real("bccd")
    spec = InputSpec("image", "uint8", (320, 320, 3), "HWC", resize="letterbox")
    samples = dataset.read("train", range(20), spec)
    white = dataset.classes.index("WBC")
    inside, outside = [], []
    for pixels, rows in zip(samples.inputs.astype(int), samples.labels, strict=True):
        for _, left, top, right, bottom in rows[rows[:, 0] == white] * 320:
            # White cells are dyed violet: little green.
            inside.append(pixels[int(top) : int(bottom), int(left) : int(right), 1].mean())
            outside.append(pixels[40:280, :, 1].mean())
    assert len(inside) >= 15
    assert np.mean(np.array(inside) < np.array(outside)) > 0.9
