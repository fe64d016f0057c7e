from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgekit.datasets import inspection, open_dataset
from edgekit.datasets.inspection import NEAR_BITS, difference_hash, inspect
from edgekit.datasets.splitting import split_of


def noise(seed, size=(64, 64)):
    """A picture like no other: a few soft random spots."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(tmp_path):
    """Folders with a hundred different pictures; `save` adds one."""

    def save(split, label, name, image, **options):
        path = tmp_path / split / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
        return path

    seed = iter(range(1000))
    for split, count in (("train", 30), ("validation", 10), ("test", 10)):
        for label in ("cat", "dog"):
            for number in range(count):
                save(split, label, f"{number}.png", noise(next(seed)))
    return tmp_path, save


def kinds(found):
    return [(issue.kind, issue.is_error) for issue in found.issues]


def test_nothing_is_wrong_with_different_pictures_in_even_classes(pictures):
    root, _ = pictures
    found = inspect(open_dataset(root))
    assert found.issues == ()
    assert found.samples == {"train": 60, "validation": 20, "test": 20}


def test_the_same_file_in_two_splits_is_an_error_that_names_both(pictures):
    root, save = pictures
    save("train", "cat", "same.png", noise(5000))
    save("test", "cat", "again.png", noise(5000))
    found = inspect(open_dataset(root))
    assert kinds(found) == [("leak", True)]
    assert found.issues[0].where == "train/cat/same.png; test/cat/again.png"
    assert found.issues[0].problem == "the same content in train and test"
    assert found.errors == 1


def test_the_same_file_with_two_labels_is_a_contradiction_and_twice_is_a_duplicate(pictures):
    root, save = pictures
    save("train", "cat", "same.png", noise(5000))
    save("train", "dog", "again.png", noise(5000))
    found = inspect(open_dataset(root))
    assert kinds(found) == [("duplicate", False), ("contradiction", False)]
    assert "is labelled cat and dog" in found.issues[1].problem


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.resize((50, 50), Image.Resampling.BILINEAR),
        lambda image: image.point(lambda level: level // 2 + 30),
        lambda image: image.crop((0, 0, 64, 63)),
    ],
    ids=["smaller", "paler", "cropped by a line"],
)
def test_a_copy_that_was_worked_on_is_a_near_duplicate(pictures, change):
    root, save = pictures
    save("train", "cat", "same.png", noise(5000))
    save("validation", "cat", "again.jpg", change(noise(5000)), quality=80)
    found = inspect(open_dataset(root))
    assert kinds(found) == [("near duplicate", False)]
    assert found.issues[0].where == "train/cat/same.png; validation/cat/again.jpg"


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), other=st.integers(0, 10**6), quality=st.integers(50, 95))
def test_looks_stay_near_through_compression_and_apart_for_other_pictures(seed, other, quality):
    def stored(image, kind):
        stream = io.BytesIO()
        image.save(stream, kind, quality=quality)
        return stream.getvalue()

    look = difference_hash(stored(noise(seed, (200, 200)), "PNG"))
    assert look.shape == (256,)
    assert (look != difference_hash(stored(noise(seed, (200, 200)), "JPEG"))).sum() <= 2 * NEAR_BITS
    if seed != other:
        assert (
            look != difference_hash(stored(noise(other, (200, 200)), "PNG"))
        ).sum() > 3 * NEAR_BITS


def test_every_unreadable_file_is_an_error_with_its_reason(pictures):
    root, save = pictures
    cut = save("train", "cat", "cut.png", noise(1, (300, 300)))
    cut.write_bytes(cut.read_bytes()[:2000])
    (root / "test" / "dog" / "empty.jpg").write_bytes(b"")
    (root / "test" / "dog" / "text.jpg").write_text("not a picture")
    found = inspect(open_dataset(root))
    assert {issue.where: issue.problem for issue in found.issues if issue.is_error} == {
        "train/cat/cut.png": "image file is truncated",
        "test/dog/empty.jpg": "an empty file",
        "test/dog/text.jpg": "not a picture of any format that Pillow reads",
    }


def test_a_split_without_samples_is_an_error_in_train_and_else_a_warning(pictures, tmp_path):
    root, save = pictures
    shutil.rmtree(root / "test")
    found = inspect(open_dataset(root))
    assert [(issue.where, issue.is_error) for issue in found.issues] == [("split test", False)]
    for label in ("cat", "dog"):
        names = (f"{number}.png" for number in range(1000))
        name = next(name for name in names if split_of(f"{label}/{name}") == "test")
        save("../alone", label, name, noise(5))
    found = inspect(open_dataset(tmp_path.parent / "alone"))
    assert [(issue.where, issue.is_error) for issue in found.issues if "split" in issue.where] == [
        ("split train", True),
        ("split validation", False),
    ]


def test_a_class_that_a_split_lacks_is_an_error_in_train_and_else_a_warning(tmp_path):
    np.savez(
        tmp_path / "x.npz",
        x_train=np.zeros((6, 2)),
        y_train=[0, 0, 0, 2, 2, 3],
        x_validation=np.zeros((4, 2)),
        y_validation=[0, 1, 2, 3],
        x_test=np.zeros((3, 2)),
        y_test=[0, 1, 2],
    )
    found = inspect(open_dataset(tmp_path / "x.npz"))
    assert [(issue.where, issue.problem, issue.is_error) for issue in found.issues] == [
        ("class 1", "no sample of this class in train", True),
        ("class 3", "no sample of this class in test", False),
    ]
    assert found.samples == {}
    assert "only their classes were looked at" in found.notes[0]


def test_a_class_with_less_than_a_tenth_of_the_largest_is_reported(pictures):
    root, save = pictures
    for number in range(271):
        save("train", "cat", f"more-{number}.png", noise(2000 + number))
    found = inspect(open_dataset(root))
    assert kinds(found) == [("imbalance", False)]
    assert found.issues[0].problem == "301 against 30 in train, 10.0 times as many"


def test_texts_are_compared_too_whatever_characters_they_hold(tmp_path):
    texts = [["yes", "a"], ["no", "b"], ["\ud800", "a"], ["maybe", "b"]]
    data = {
        "train": texts,
        "val": [["sure", "a"], ["never", "b"]],
        "test": [["no", "b"], ["!", "a"]],
    }
    (tmp_path / "texts.json").write_text(json.dumps(data))
    found = inspect(open_dataset(tmp_path / "texts.json"))
    assert kinds(found) == [("leak", True)]
    assert found.issues[0].problem == "the same content in train and test"


def test_more_pictures_than_can_be_compared_are_said_to_be_so(pictures, monkeypatch):
    root, _ = pictures
    monkeypatch.setattr(inspection, "MOST_COMPARED", 99)
    found = inspect(open_dataset(root))
    assert found.notes == (
        "near duplicates were not looked for: 100 pictures; at most 99 are compared",
    )
