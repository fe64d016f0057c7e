from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import open_dataset
from edgekit.datasets.boxes import Box, keep_box
from edgekit.datasets.readers import Readers, create_arrays
from edgekit.spec import InputSpec
from tests.datasets.box_folders import (
    FORMATS,
    make_yolo,
)

RGB = InputSpec("image", "uint8", (40, 40, 3), "HWC", resize="letterbox")
STRETCHED = InputSpec("image", "uint8", (40, 40, 3), "HWC", resize="bilinear")


@pytest.fixture(params=FORMATS)
def folder(request, tmp_path):
    return FORMATS[request.param](tmp_path / request.param)


def test_a_folder_is_known_by_its_layout_and_all_formats_say_the_same(folder):
    dataset = open_dataset(folder)
    assert dataset.task == "object-detection"
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [1, 1, 1]
    names = dataset.classes
    assert sorted(names) == ["cat", "dog"]
    assert dataset.label_shape == (2, 5)
    kept = {(names[int(c)], *edges) for c, *edges in dataset.boxes("train", 0).round(9).tolist()}
    assert kept == {("dog", 0.1, 0.1, 0.5, 0.5), ("cat", 0.75, 0.75, 1.0, 1.0)}
    assert dataset.class_counts("train") == (1, 1)
    assert sum(dataset.class_counts("test")) == 0
    assert dataset.sample_name("train", 0).endswith("one.jpg")
    assert dataset.original("train", 0)[:2] == b"\xff\xd8"


def test_a_folder_that_holds_nothing_but_such_a_folder_is_that(folder):
    (folder.parent / ".git").mkdir()
    outer = open_dataset(folder.parent)
    assert outer.fingerprint() == open_dataset(folder).fingerprint()
    assert outer.reference == str(folder)


def test_labels_are_in_parts_of_what_is_read_and_rows_without_a_box_have_no_class(folder):
    dataset = open_dataset(folder)
    dog = dataset.classes.index("dog")
    samples = dataset.read("train", [0], RGB)
    assert samples.labels.dtype == np.float32
    assert samples.labels.shape == (1, 2, 5)
    of = {int(row[0]): row[1:] for row in samples.labels[0]}
    # 80 × 40 in 40 × 40: 20 high, from 10 on.
    assert np.allclose(of[dog], [0.1, 0.3, 0.5, 0.5], atol=1e-6)
    assert np.allclose(of[1 - dog], [0.75, 0.625, 1.0, 0.75], atol=1e-6)
    stretched = {int(r[0]): r[1:] for r in dataset.read("train", [0], STRETCHED).labels[0]}
    assert np.allclose(stretched[dog], [0.1, 0.1, 0.5, 0.5], atol=1e-6)
    assert (dataset.read("test", [0], RGB).labels[0] == [[-1, 0, 0, 0, 0]] * 2).all()


DEGENERATE = {
    "one": [
        ("dog", 8, 4, 8, 20),  # no width
        ("dog", 8, 20, 40, 4),  # upside down
        ("cat", 90, 4, 99, 20),  # beyond the right edge
        ("cat", -8, 20, 40, 60),  # to be clipped
    ],
    "two": [("cat", 0, 0, 80, 40)],
    "three": [],
}


@pytest.mark.parametrize("name", ["voc", "coco"])
def test_boxes_without_area_are_left_out_and_reported_and_others_are_clipped(name, tmp_path):
    dataset = open_dataset(FORMATS[name](tmp_path, DEGENERATE))
    cat = dataset.classes.index("cat")
    assert dataset.boxes("train", 0).tolist() == [[cat, 0, 0.5, 0.5, 1]]
    issues = dataset.issues()
    assert [issue.kind for issue in issues] == ["degenerate box"] * 3
    assert [issue.problem for issue in issues] == [
        "zero width: left out",
        "negative height: left out",
        "wholly outside its picture: left out",
    ]
    assert all("one" in issue.where for issue in issues)
    assert [issue.where.rpartition(", ")[2] for issue in issues] == [
        "box 1 (dog)", "box 2 (dog)", "box 3 (cat)",
    ]  # fmt: skip
    assert "3 left out" in dataset.facts()["boxes"]


@given(st.lists(st.floats(-2, 3), min_size=4, max_size=4))
def test_every_box_that_is_kept_has_area_inside_its_picture(edges):
    row, reason = keep_box(Box(0, *edges))
    assert (row is None) == bool(reason)
    if row is not None:
        assert 0 <= row[1] < row[3] <= 1
        assert 0 <= row[2] < row[4] <= 1


def test_the_fingerprint_changes_with_a_box_and_with_nothing_else(folder):
    before = open_dataset(folder).fingerprint()
    assert open_dataset(folder).fingerprint() == before
    for path in [*folder.rglob("*.xml"), *folder.rglob("*train*/*.txt"), *folder.rglob("*.json"),
                 *folder.rglob("train/labels/*.txt")]:  # fmt: skip
        text = path.read_text()
        for old, new in (("<xmax>40<", "<xmax>41<"), ("0.3 0.3 ", "0.31 0.3 "), ("32", "33")):
            text = text.replace(old, new)
        path.write_text(text)
    assert open_dataset(folder).fingerprint() != before


def test_reading_in_other_processes_gives_the_same_labels(tmp_path):
    dataset = open_dataset(make_yolo(tmp_path / "pets"))
    for place in (tmp_path / "here", tmp_path / "there"):
        place.mkdir()
        create_arrays(place, 1, [RGB], dataset, labelled=True)
        with Readers(dataset, [RGB], int(place.name == "there")) as readers:
            readers.read_into(place, 0, "train", [0])
    here, there = (np.load(tmp_path / n / "labels.npy") for n in ("here", "there"))
    assert np.array_equal(here, there)
    assert here[0, 0, 0] == 1
