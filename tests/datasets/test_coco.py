"""COCO: what only its folders have."""

from __future__ import annotations

import json

import pytest

from edgekit.datasets import open_dataset
from edgekit.errors import DataError
from tests.datasets.box_folders import coco, make_coco, picture


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
        (lambda d: d["images"].append(d["images"][0]), "another image has the same id"),
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
    assert dataset.facts()["boxes"].endswith("1 left out")


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
