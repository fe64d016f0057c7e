"""Pascal VOC: what only its folders have."""

from __future__ import annotations

import shutil

import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from tests.datasets.box_folders import make_voc, picture, voc_xml


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
