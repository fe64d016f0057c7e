"""YOLO's text files: what only its folders have."""

from __future__ import annotations

import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from tests.datasets.box_folders import make_yolo


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
