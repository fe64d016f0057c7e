from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets import open_dataset, require_classes, require_inputs, require_split
from edgekit.datasets.splitting import split_of
from edgekit.errors import DataError
from edgekit.spec import InputSpec


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 9), (200, 30, 30)).save(path)


def arrays(folder):
    train = {"x_train": np.zeros((8, 4, 4, 3), np.float32), "y_train": np.arange(8) % 2 * 2}
    test = {"x_test": np.zeros((3, 4, 4, 3), np.float32), "y_test": np.arange(3)}
    np.savez(folder / "a.npz", **train, **test)
    return folder / "a.npz", "'1'", "sample"


def class_folders(folder):
    for number in range(20):
        picture(folder / "cat" / f"{number}.png")
    # The only picture of its class, and its name puts it into the test.
    name = next(n for n in map(str, range(99)) if split_of(f"owl/{n}.png") == "test")
    picture(folder / "owl" / f"{name}.png")
    return folder, "'owl'", "sample"


def coco(folder):
    for split in ("train", "val"):
        for number in range(3):
            picture(folder / "images" / split / f"{number}.png")
        document = {
            "images": [
                {"id": n, "file_name": f"{n}.png", "width": 9, "height": 9} for n in range(3)
            ],
            "categories": [{"id": 1, "name": "hole"}, {"id": 2, "name": "scratch"}],
            "annotations": [
                # Scratches in the validation split alone.
                {"id": n, "image_id": n, "category_id": 1 + (split == "val"), "bbox": [1, 1, 4, 4]}
                for n in range(3)
            ],
        }
        path = folder / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document))
    return folder, "'scratch'", "box"


def yolo(folder):
    for split, label in (("train", 0), ("val", 1)):
        for number in range(3):
            picture(folder / "images" / split / f"{number}.png")
            path = folder / "labels" / split / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{label} 0.5 0.5 0.2 0.2\n")
    (folder / "classes.txt").write_text("hole\nscratch\n")
    return folder, "'scratch'", "box"


@pytest.mark.parametrize("make", [arrays, class_folders, coco, yolo])
def test_a_class_that_training_never_shows_is_named_whatever_the_layout(tmp_path, make):
    path, name, what = make(tmp_path)
    dataset = open_dataset(path)
    with pytest.raises(DataError) as caught:
        require_classes(dataset)
    assert f"of {len(dataset.classes)} classes have no {what} in train: {name}" in str(caught.value)
    assert "learned" in caught.value.hint


def test_a_class_that_only_the_test_lacks_can_be_learned(tmp_path):
    values = {"x_train": np.zeros((8, 4, 4, 3), np.float32), "y_train": np.arange(8) % 2}
    test = {"x_test": np.zeros((3, 4, 4, 3), np.float32), "y_test": np.zeros(3, int)}
    np.savez(tmp_path / "a.npz", **values, **test)
    dataset = open_dataset(tmp_path / "a.npz")
    require_classes(dataset)
    assert dataset.class_counts("test") == (3, 0)


def test_samples_without_labels_have_no_classes_to_lack(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((8, 4, 4, 3), np.float32))
    require_classes(open_dataset(tmp_path / "a.npz"))


def test_a_split_that_is_absent_is_said_to_be_and_what_there_is(tmp_path):
    values = {"x_train": np.zeros((8, 4, 4, 3), np.float32), "y_train": np.arange(8) % 2}
    np.savez(tmp_path / "a.npz", **values)
    with pytest.raises(DataError, match="the split 'test' has no samples") as caught:
        require_split(open_dataset(tmp_path / "a.npz"), "test")
    assert "train 8" in caught.value.details[0]


class Feeds:
    """What `require_inputs` asks of a data set."""

    name = "crops"

    def __init__(self, *names):
        self.input_names = names


@pytest.mark.parametrize(
    ("feeds", "wanted"),
    [((), ["image"]), (("left", "right"), ["right", "left"]), (("left", "right"), ["right"])],
)
def test_inputs_that_a_data_set_feeds_are_taken(feeds, wanted):
    require_inputs(Feeds(*feeds), [InputSpec(name, "uint8", (4,)) for name in wanted])


@pytest.mark.parametrize(
    ("feeds", "wanted", "reason"),
    [
        ((), ["left", "right"], "crops feeds one input; the model has 2: left, right"),
        (("left",), ["image"], "crops feeds the inputs left; the model has 'image'"),
        (("left", "right"), ["left", "time"], "left, right; the model has 2: left, time"),
    ],
)
def test_inputs_that_it_does_not_feed_are_refused(feeds, wanted, reason):
    with pytest.raises(DataError, match=reason):
        require_inputs(Feeds(*feeds), [InputSpec(name, "uint8", (4,)) for name in wanted])
