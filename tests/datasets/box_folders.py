"""The same pictures with the same boxes, as each layout of folders has them."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

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
