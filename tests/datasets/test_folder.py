from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgekit.datasets import open_dataset
from edgekit.datasets.folder import ImageFolder
from edgekit.errors import DataError
from edgekit.spec import InputSpec

RGB8 = InputSpec("image", "uint8", (8, 8, 3), "HWC", resize="bilinear")


def picture(path, colour=(200, 30, 30), size=(10, 10), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


@pytest.fixture
def pets(tmp_path):
    for name, colour in (("dog", (0, 0, 255)), ("cat", (255, 0, 0))):
        for number in range(60):
            picture(tmp_path / "pets" / name / f"{number}.png", colour)
    return tmp_path / "pets"


def names_by_split(folder):
    opened = ImageFolder(folder)
    return {
        split: {path.relative_to(folder).as_posix() for path, _ in opened._files[split]}
        for split in ("train", "validation", "test")
    }


def test_classes_are_the_sorted_folder_names_and_give_the_labels(pets):
    dataset = open_dataset(pets)
    assert dataset.classes == ("cat", "dog")
    samples = dataset.read("train", range(dataset.size("train")), RGB8)
    blue = samples.inputs[..., 2].mean(axis=(1, 2)) > 200
    assert np.array_equal(samples.labels, blue.astype(int))


def test_without_split_folders_about_7_1_2_tenths_fall_to_each_and_none_to_two(pets):
    split = names_by_split(pets)
    sizes = [len(split[name]) for name in ("train", "validation", "test")]
    assert sum(sizes) == len(set.union(*split.values())) == 120
    assert 70 <= sizes[0] <= 98
    assert 4 <= sizes[1] <= 22
    assert 12 <= sizes[2] <= 36


def test_added_files_move_no_other_file_to_another_split(pets):
    before = names_by_split(pets)
    for number in range(60, 90):
        picture(pets / "cat" / f"{number}.png")
    after = names_by_split(pets)
    for split, names in before.items():
        assert names <= after[split]


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_split_folders_are_taken_as_they_are(tmp_path, validation):
    for split, count in (("train", 4), (validation, 3), ("test", 2)):
        for number in range(count):
            picture(tmp_path / split / "a" / f"{number}.png")
            picture(tmp_path / split / "b" / f"{number}.png")
    dataset = open_dataset(tmp_path)
    assert [dataset.size(s) for s in ("train", "validation", "test")] == [8, 6, 4]


def test_without_a_validation_folder_some_of_train_serve(tmp_path):
    for number in range(100):
        picture(tmp_path / "train" / "a" / f"{number}.png")
        picture(tmp_path / "train" / "b" / f"{number}.png")
    dataset = open_dataset(tmp_path)
    assert dataset.size("train") + dataset.size("validation") == 200
    assert 10 <= dataset.size("validation") <= 45
    assert dataset.size("test") == 0


def test_a_picture_turned_by_exif_is_read_upright(tmp_path):
    image = Image.new("RGB", (16, 16), "black")
    image.paste((255, 255, 255), (0, 0, 16, 8))  # white on top as stored
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
        image.save(tmp_path / "train" / name / "x.jpg", exif=exif, quality=95)
    dataset = ImageFolder(tmp_path)
    split = "train" if dataset.size("train") else "validation"
    upright = dataset.read(split, [0], RGB8).inputs[0]
    assert upright[0].mean() < 30
    assert upright[-1].mean() > 225


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_common_kind_of_pixel_becomes_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9), "white").convert(mode).save(tmp_path / name / f"x.{suffix}")
    dataset = ImageFolder(tmp_path)
    split = next(s for s in ("train", "validation", "test") if dataset.size(s))
    assert dataset.read(split, [0], RGB8).inputs.min() > 240


@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 300), height=st.integers(1, 300), level=st.integers(0, 255))
def test_resizing_keeps_a_plain_picture_plain(tmp_path_factory, width, height, level):
    folder = tmp_path_factory.mktemp("plain")
    for name in ("a", "b"):
        picture(folder / "train" / name / "x.png", (level, level, level), (width, height))
        picture(folder / "val" / name / "x.png", (level, level, level), (width, height))
    inputs = ImageFolder(folder).read("train", [0, 1], RGB8).inputs
    assert (inputs == level).all()


def test_shrinking_averages_what_it_leaves_out(tmp_path):
    lines = np.zeros((80, 80, 3), np.uint8)
    lines[::2] = 255
    for name in ("a", "b"):
        for split in ("train", "val"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(lines).save(tmp_path / split / name / "x.png")
    inputs = ImageFolder(tmp_path).read("train", [0], RGB8).inputs
    assert np.abs(inputs.astype(int) - 127).max() <= 8


def test_unreadable_pictures_make_one_complaint_that_counts_them(pets):
    (pets / "train").mkdir()
    (pets / "cat").rename(pets / "train" / "cat")
    (pets / "dog").rename(pets / "train" / "dog")
    dog = pets / "train" / "dog"
    # A PNG cut in half, a text by the name of a picture, an empty file.
    noisy = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    noisy.save(dog / "0.png")
    (dog / "0.png").write_bytes((dog / "0.png").read_bytes()[:3000])
    (dog / "1.png").write_text("not a picture")
    (dog / "10.png").write_bytes(b"")
    dataset = ImageFolder(pets)
    bad = [
        index
        for index, (path, _) in enumerate(dataset._files["train"])
        if path.parent.name == "dog" and path.name in ("0.png", "1.png", "10.png")
    ]
    with pytest.raises(DataError) as caught:
        dataset.read("train", range(dataset.size("train")), RGB8)
    assert str(dataset._files["train"][bad[0]][0]) in caught.value.message
    assert f"{len(bad)} bad of" in caught.value.message
    assert len(caught.value.details) == len(bad)
    assert any(
        d.endswith("not a picture of any format that Pillow reads") for d in caught.value.details
    )
    assert any(d.endswith(": an empty file") for d in caught.value.details)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    import struct
    import zlib

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    for split in ("train", "val"):
        for name in ("a", "b"):
            picture(tmp_path / split / name / "fine.png")
    (tmp_path / "train" / "a" / "bomb.png").write_bytes(bomb)
    dataset = ImageFolder(tmp_path)
    with pytest.raises(DataError, match=r"bomb\.png: not a readable picture") as caught:
        dataset.read("train", range(dataset.size("train")), RGB8)
    assert "decompression bomb" in caught.value.details[0]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="no class folders in it"):
        open_dataset(tmp_path)


def test_loose_pictures_are_counted_in_the_complaint(tmp_path):
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match="no class folders in it, only 1 loose pictures"):
        open_dataset(tmp_path)


def test_a_class_without_pictures_is_named(pets):
    (pets / "bird").mkdir()
    (pets / "bird" / "notes.txt").write_text("to do")
    with pytest.raises(DataError, match=r"bird: a class without pictures"):
        open_dataset(pets)


def test_a_class_that_only_the_test_split_has_is_refused(tmp_path):
    for split, name in (("train", "a"), ("train", "b"), ("test", "c")):
        picture(tmp_path / split / name / "x.png")
    with pytest.raises(DataError, match="the class 'c' has no folder in train"):
        open_dataset(tmp_path)


def test_hidden_files_and_folders_do_not_count(pets):
    picture(pets / ".trash" / "x.png")
    (pets / "cat" / "._1.png").write_bytes(b"left by a Mac")
    dataset = open_dataset(pets)
    assert dataset.classes == ("cat", "dog")
    assert sum(dataset.size(s) for s in ("train", "validation", "test")) == 120


def test_fingerprint_changes_with_a_file_and_with_nothing_else(pets):
    before = open_dataset(pets).fingerprint()
    assert open_dataset(pets).fingerprint() == before
    picture(pets / "cat" / "0.png", (1, 2, 3))
    assert open_dataset(pets).fingerprint() != before
