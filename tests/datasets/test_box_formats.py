from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgekit.datasets import open_dataset
from edgekit.datasets.boxes import Box, keep_box
from edgekit.datasets.readers import Readers, create_arrays
from edgekit.errors import DataError
from edgekit.spec import InputSpec

CLASSES = ("cat", "dog")
SIZE = (80, 40)  # width, height

# By picture: (class, left, top, right, bottom) in pixels.
BOXES = {
    "one": [("dog", 8, 4, 40, 20), ("cat", 60, 30, 80, 40)],
    "two": [("cat", 0, 0, 80, 40)],
    "three": [],
}
SPLITS = {"train": "one", "val": "two", "test": "three"}


def picture(path: Path, size: tuple[int, int] = SIZE, colour: str = "white") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def voc_xml(boxes, size=SIZE) -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in boxes
    )
    return (
        f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"{objects}</annotation>"
    )


def make_voc(root: Path, boxes=BOXES, splits=SPLITS) -> Path:
    (root / "Annotations").mkdir(parents=True)
    for name, rows in boxes.items():
        picture(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(voc_xml(rows))
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    for split, name in splits.items():
        (lists / f"{split}.txt").write_text(f"{name}\n")
    return root


def coco(names, boxes=BOXES) -> dict:
    ids = {name: number for number, name in enumerate(names, 7)}
    rows = [(name, row) for name in names for row in boxes[name]]
    return {
        "images": [
            {"id": ids[n], "file_name": f"{n}.jpg", "width": SIZE[0], "height": SIZE[1]}
            for n in names
        ],
        "categories": [{"id": 90, "name": "dog"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {
                "id": number,
                "image_id": ids[name],
                "category_id": 90 if label == "dog" else 2,
                "bbox": [left, top, right - left, bottom - top],
            }
            for number, (name, (label, left, top, right, bottom)) in enumerate(rows)
        ],
    }


def make_coco(root: Path, boxes=BOXES, splits=SPLITS) -> Path:
    (root / "annotations").mkdir(parents=True)
    for split, name in splits.items():
        picture(root / "images" / f"{split}2017" / f"{name}.jpg")
        file = root / "annotations" / f"instances_{split}2017.json"
        file.write_text(json.dumps(coco([name], boxes)))
        (root / "annotations" / f"captions_{split}2017.json").write_text("{}")
    return root


def make_exported_coco(root: Path, boxes=BOXES, splits=SPLITS) -> Path:
    for split, name in splits.items():
        folder = root / split.replace("val", "valid")
        picture(folder / f"{name}.jpg")
        (folder / "_annotations.coco.json").write_text(json.dumps(coco([name], boxes)))
    return root


def yolo_lines(rows) -> str:
    width, height = SIZE
    return "".join(
        f"{CLASSES.index(label)} {(left + right) / 2 / width} {(top + bottom) / 2 / height} "
        f"{(right - left) / width} {(bottom - top) / height}\n"
        for label, left, top, right, bottom in rows
    )


def make_yolo(root: Path, boxes=BOXES, splits=SPLITS) -> Path:
    for split, name in splits.items():
        picture(root / "images" / split / f"{name}.jpg")
        if boxes[name]:  # without a file: without boxes
            (root / "labels" / split).mkdir(parents=True, exist_ok=True)
            (root / "labels" / split / f"{name}.txt").write_text(yolo_lines(boxes[name]))
    (root / "labels").mkdir(exist_ok=True)
    (root / "data.yaml").write_text("path: /somewhere\nnames:\n  0: cat\n  1: dog\n")
    return root


def make_split_yolo(root: Path, boxes=BOXES, splits=SPLITS) -> Path:
    for split, name in splits.items():
        folder = root / split.replace("val", "valid")
        picture(folder / "images" / f"{name}.jpg")
        (folder / "labels").mkdir()
        (folder / "labels" / f"{name}.txt").write_text(yolo_lines(boxes[name]))
    (root / "classes.txt").write_text("cat\ndog\n")
    return root


FORMATS = {
    "voc": make_voc,
    "coco": make_coco,
    "exported-coco": make_exported_coco,
    "yolo": make_yolo,
    "split-yolo": make_split_yolo,
}


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
        create_arrays(place, 1, RGB, dataset, labelled=True)
        with Readers(dataset, RGB, int(place.name == "there")) as readers:
            readers.read_into(place, 0, "train", [0])
    here, there = (np.load(tmp_path / n / "labels.npy") for n in ("here", "there"))
    assert np.array_equal(here, there)
    assert here[0, 0, 0] == 1


def test_without_lists_voc_splits_by_name_and_adding_pictures_moves_none(tmp_path):
    names = [f"p{number}" for number in range(40)]
    root = make_voc(tmp_path / "voc", {name: [("cat", 0, 0, 9, 9)] for name in names[:30]}, {})
    before = open_dataset(root)
    shutil.rmtree(tmp_path / "voc")
    make_voc(tmp_path / "voc", {name: [("cat", 0, 0, 9, 9)] for name in names}, {})
    after = open_dataset(root)
    for split in ("train", "validation", "test"):
        assert before.size(split)
        assert set(before.paths(split)) <= set(after.paths(split))
    assert "digest" in after.split_rule


def test_voc_without_a_size_asks_the_picture(tmp_path):
    root = make_voc(tmp_path)
    path = root / "Annotations" / "one.xml"
    path.write_text(path.read_text().replace("<width>80</width>", "<width>0</width>"))
    boxes = open_dataset(root).boxes("train", 0)
    assert boxes[0, 1:].tolist() == [0.1, 0.1, 0.5, 0.5]


BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;">]>
<annotation><object><name>&y;</name></object></annotation>"""
LEAK = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<annotation><object><name>&x;</name></object></annotation>"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "it declares a document type or entities"),
        (LEAK, "it declares a document type or entities"),
        ("<annotation>", "not XML: no element found"),
        ("", "not XML"),
        (voc_xml([("cat", "x", 0, 1, 1)]), "could not convert"),
        (voc_xml([("cat", "nan", 0, 1, 1)]), "nan is no coordinate"),
        (voc_xml([("cat", "1e99", 0, 1, 1)]), "is no coordinate"),
        (voc_xml([("", 0, 0, 1, 1)]), "an object without a name"),
    ],
)
def test_a_bad_voc_annotation_is_named_with_its_reason(tmp_path, text, reason):
    root = make_voc(tmp_path)
    (root / "Annotations" / "one.xml").write_text(text)
    with pytest.raises(DataError, match="1 annotation cannot be read") as caught:
        open_dataset(root)
    assert caught.value.details[0].startswith("Annotations/one.xml: ")
    assert reason in caught.value.details[0]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "absent"])
def test_a_voc_list_cannot_name_files_elsewhere(tmp_path, name):
    root = make_voc(tmp_path / "voc")
    picture(tmp_path / "secret.jpg")
    (tmp_path / "secret.xml").write_text(voc_xml([]))
    (root / "ImageSets" / "Main" / "train.txt").write_text(name)
    with pytest.raises(DataError, match="1 annotation cannot be read"):
        open_dataset(root)


def change_coco(root, change):
    path = root / "annotations" / "instances_train2017.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["annotations"][0].update(category_id=5), "no category has the id 5"),
        (lambda d: d["annotations"][0].update(category_id=[1]), "no category has the id None"),
        (lambda d: d["annotations"][0].update(image_id={}), "no image has the id None"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3]), "not enough values"),
        (lambda d: d["annotations"][0].update(bbox=None), "not iterable"),
        (lambda d: d["annotations"][0].update(bbox=[10**400, 0, 1, 1]), "too large"),
        (lambda d: d["annotations"][0].pop("bbox"), "bbox is missing"),
        (lambda d: d["images"][0].update(width=0), "a picture of 0 × 40 pixels"),
        (lambda d: d["images"][0].update(file_name="../../secret.jpg"), "no name of a file below"),
        (lambda d: d["images"][0].update(file_name="/etc/passwd"), "no name of a file below"),
        (lambda d: d["images"][0].update(file_name="absent.jpg"), "no file"),
    ],
)
def test_a_bad_coco_entry_is_named_with_its_reason(tmp_path, change, reason):
    root = make_coco(tmp_path / "coco")
    picture(tmp_path / "secret.jpg")
    change_coco(root, change)
    with pytest.raises(DataError, match="cannot be read") as caught:
        open_dataset(root)
    assert "instances_train2017.json" in caught.value.details[0]
    assert reason in caught.value.details[0]


@pytest.mark.parametrize("text", ["", "[1]", '{"images": 3}', "[" * 100_000, '{"images": []}'])
def test_a_file_that_is_no_coco_is_refused(tmp_path, text):
    root = make_coco(tmp_path)
    (root / "annotations" / "instances_val2017.json").write_text(text)
    with pytest.raises(DataError, match=r"instances_val2017\.json: "):
        open_dataset(root)


def test_crowd_regions_are_left_out_and_reported(tmp_path):
    root = make_coco(tmp_path)
    change_coco(root, lambda data: data["annotations"][0].update(iscrowd=1))
    dataset = open_dataset(root)
    assert len(dataset.boxes("train", 0)) == 1
    assert [issue.kind for issue in dataset.issues()] == ["crowd region"]


def test_one_coco_file_for_all_is_split_by_name(tmp_path):
    names = [f"p{number}" for number in range(30)]
    boxes = {name: [("cat", 0, 0, 9, 9)] for name in names}
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "all.json").write_text(json.dumps(coco(names, boxes)))
    for name in names:
        picture(tmp_path / "images" / f"{name}.jpg")
    dataset = open_dataset(tmp_path)
    sizes = [dataset.size(split) for split in ("train", "validation", "test")]
    assert sum(sizes) == 30
    assert min(sizes) > 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.1", "4 numbers; a box has 5"),
        ("2 0.5 0.5 0.1 0.1", "the class 2; there are 2, numbered from 0"),
        ("0.5 0.5 0.5 0.1 0.1", "the class 0.5"),
        ("0 0.5 inf 0.1 0.1", "inf is no coordinate"),
        ("cat 0.5 0.5 0.1 0.1", "could not convert string to float"),
    ],
)
def test_a_bad_yolo_line_is_named_with_its_number_and_reason(tmp_path, line, reason):
    root = make_yolo(tmp_path)
    path = root / "labels" / "train" / "one.txt"
    path.write_text(f"{path.read_text()}\n{line}\n")
    with pytest.raises(DataError, match="1 annotation cannot be read") as caught:
        open_dataset(root)
    assert caught.value.details[0].startswith("labels/train/one.txt:4: ")
    assert reason in caught.value.details[0]


def test_the_box_of_a_yolo_outline_is_taken(tmp_path):
    root = make_yolo(tmp_path)
    (root / "labels" / "train" / "one.txt").write_text("1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5\n")
    boxes = open_dataset(root).boxes("train", 0)
    assert boxes.tolist() == [[1, 0.1, 0.1, 0.9, 0.9]]


def test_yolo_labels_without_a_picture_are_reported(tmp_path):
    root = make_yolo(tmp_path)
    (root / "labels" / "train" / "gone.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    issues = open_dataset(root).issues()
    assert [issue.where for issue in issues] == ["labels/train/gone.txt"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("names: !!python/object/apply:os.system [ls]", "not YAML"),
        ("names: {0: cat, 2: dog}", "names are not numbered 0 to 1"),
        ("names: [[cat], dog]", "a class name is no text"),
        ("names: 3", "no list of class names"),
        ("nc: 2", "no list of class names"),
        ("names: [cat", "not YAML"),
    ],
)
def test_a_bad_data_yaml_is_refused(tmp_path, text, reason):
    root = make_yolo(tmp_path)
    (root / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"data\.yaml: {reason}"):
        open_dataset(root)


def test_yolo_without_class_names_says_what_would_name_them(tmp_path):
    root = make_yolo(tmp_path)
    (root / "data.yaml").unlink()
    with pytest.raises(DataError, match="nothing names the classes") as caught:
        open_dataset(root)
    assert "classes.txt" in caught.value.hint
