from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgekit.cli import main
from edgekit.datasets import Dataset, Samples, open_dataset, require_classes
from edgekit.datasets.tfrecord_example import Sample, serialize
from edgekit.datasets.tfrecord_writing import write_tfrecords
from edgekit.errors import DataError, FileError
from edgekit.files import sha256_tree
from edgekit.spec import InputSpec

RGB8 = InputSpec("image", "uint8", (8, 8, 3), "HWC", resize="bilinear")
BOXED = InputSpec("image", "uint8", (16, 12, 3), "HWC", resize="letterbox")
TOKENS = InputSpec("text", "int32", (12,), "tokens", (0.0, 256.0), tokenizer="bytes")
WAVEFORM = InputSpec("sound", "float32", (40,), "waveform", (-1.0, 1.0), rate_hz=8000)
SPLITS = ("train", "validation", "test")


class Boxed(Dataset):
    """Pictures with the boxes it is given, in train alone."""

    name = reference = "boxed"
    task = "object-detection"
    classes = ("hole", "scratch")

    def __init__(self, pictures):
        self._pictures = pictures
        self.label_shape = (max(1, *(len(boxes) for _, boxes in pictures)), 5)

    def fingerprint(self):
        return "0"

    def size(self, split):
        return len(self._pictures) if split == "train" else 0

    def labels(self, split):
        return None

    def class_counts(self, split):
        return (1, 1)

    def original(self, split, index):
        return self._pictures[index][0]

    def read(self, split, indices, spec):
        from edgekit.datasets.images import decode

        labels = np.zeros((len(indices), *self.label_shape), np.float32)
        labels[..., 0] = -1
        inputs = []
        for row, index in enumerate(indices):
            content, boxes = self._pictures[index]
            pixels, fit = decode(content, *spec.shape[:2], resize=spec.resize)
            inputs.append(pixels)
            if boxes:
                labels[row, : len(boxes)] = boxes
                labels[row, : len(boxes), 1:] = fit.to_input(np.array(boxes)[:, 1:])
        return Samples(np.stack(inputs), labels)


def noise(random, size, form):
    stored = io.BytesIO()
    pixels = random.integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(stored, form)
    return stored.getvalue()


def fill_pictures(folder, count=12, form="JPEG", size=(20, 14)):
    random = np.random.default_rng(count)
    for split in SPLITS:
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                path = folder / split / name / f"{number:03d}.{form.lower()}"
                path.write_bytes(noise(random, size, form))
    return folder


@pytest.fixture
def pictures(tmp_path):
    return open_dataset(fill_pictures(tmp_path / "pets"))


def assert_same(one, other, spec):
    assert other.classes == one.classes
    assert other.label_shape == one.label_shape
    assert other.task == one.task
    for split in SPLITS:
        assert other.size(split) == one.size(split)
        if not one.size(split):
            continue
        indices = range(one.size(split))
        mine, theirs = one.read(split, indices, spec), other.read(split, indices, spec)
        assert np.array_equal(mine.inputs, theirs.inputs)
        assert np.allclose(mine.labels, theirs.labels, atol=1e-6)


@settings(max_examples=15)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    form=st.sampled_from(["PNG", "JPEG", "BMP"]),
    shards=st.integers(1, 5),
    compress=st.booleans(),
)
def test_pictures_come_back_pixel_for_pixel(tmp_path_factory, sizes, form, shards, compress):
    folder = tmp_path_factory.mktemp("round")
    random = np.random.default_rng(len(sizes))
    for split in ("train", "test"):
        for number, size in enumerate(sizes):
            path = folder / "pets" / split / f"class{number % 2}" / f"{number}.{form.lower()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(noise(random, (size, 41 - size), form))
    dataset = open_dataset(folder / "pets")
    if any(count == 0 for count in dataset.class_counts("train")):
        return  # the digests of two names put both into validation
    written = write_tfrecords(dataset, folder / "out", shards=shards, compress=compress)
    suffix = ".tfrecord.gz" if compress else ".tfrecord"
    assert len(list((folder / "out").glob(f"*{suffix}"))) == written.files
    assert_same(dataset, open_dataset(folder / "out"), RGB8)


edges = st.tuples(*[st.floats(0, 0.4375, width=32)] * 2, *[st.floats(0.5625, 1, width=32)] * 2)
boxes = st.lists(st.tuples(st.integers(0, 1), edges), max_size=4)


@settings(max_examples=15)
@given(labels=st.lists(boxes, min_size=2, max_size=5), compress=st.booleans())
def test_boxes_come_back_where_they_were(tmp_path_factory, labels, compress):
    random = np.random.default_rng(0)
    dataset = Boxed(
        [
            (noise(random, (9 + 4 * n, 12), "PNG"), [(label, *sides) for label, sides in found])
            for n, found in enumerate(labels)
        ]
    )
    out = tmp_path_factory.mktemp("boxed") / "out"
    write_tfrecords(dataset, out, compress=compress, shards=2)
    assert_same(dataset, open_dataset(out), BOXED)


@settings(max_examples=15)
@given(texts=st.lists(st.text(min_size=1, max_size=30).filter(str.strip), min_size=4, max_size=9))
def test_texts_come_back_letter_for_letter(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("texts")
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    entries = [[text, f"l{number % 2}"] for number, text in enumerate(texts)]
    (folder / "texts.json").write_text(json.dumps({"train": entries, "val": entries}))
    dataset = open_dataset(folder / "texts.json")
    write_tfrecords(dataset, folder / "out", compress=True)
    found = open_dataset(folder / "out")
    assert [found.original("train", n) for n in range(len(texts))] == texts
    assert_same(dataset, found, TOKENS)


def test_sounds_come_back_sample_for_sample(tmp_path):
    random = np.random.default_rng(1)
    for name in ("no", "yes"):
        (tmp_path / "words" / name).mkdir(parents=True)
        for number in range(20):
            with wave.open(str(tmp_path / "words" / name / f"{number}.wav"), "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(8000)
                sound.writeframes(random.integers(-9999, 9999, 30 + number, "<i2").tobytes())
    dataset = open_dataset(tmp_path / "words")
    write_tfrecords(dataset, tmp_path / "out")
    assert_same(dataset, open_dataset(tmp_path / "out"), WAVEFORM)


def test_picture_files_keep_their_bytes(pictures, tmp_path):
    write_tfrecords(pictures, tmp_path / "out")
    found = open_dataset(tmp_path / "out")
    assert found.original("test", 13) == pictures.original("test", 13)


@pytest.mark.parametrize("compress", [False, True])
def test_the_same_data_give_the_same_bytes(pictures, tmp_path, compress):
    for name in ("one", "two"):
        write_tfrecords(pictures, tmp_path / name, shards=3, compress=compress)
    assert sha256_tree(tmp_path / "one") == sha256_tree(tmp_path / "two")


def test_a_size_shrinks_the_shorter_side_and_enlarges_nothing(tmp_path):
    random = np.random.default_rng(2)
    for split in SPLITS:
        for name, size in (("large", (60, 40)), ("small", (9, 30))):
            path = tmp_path / "pets" / split / name / "x.jpeg"
            path.parent.mkdir(parents=True)
            path.write_bytes(noise(random, size, "JPEG"))
    dataset = open_dataset(tmp_path / "pets")
    write_tfrecords(dataset, tmp_path / "out", pixels=20)
    found = open_dataset(tmp_path / "out")
    with Image.open(io.BytesIO(found.original("test", 0))) as image:
        assert image.size == (30, 20)
        assert image.format == "JPEG"
    assert found.original("test", 1) == dataset.original("test", 1)


def test_what_is_drawn_on_demand_is_drawn_at_the_size_asked_for(tmp_path):
    glyphs = open_dataset("glyphs")
    write_tfrecords(glyphs, tmp_path / "out", pixels=8, samples=36)
    found = open_dataset(tmp_path / "out")
    assert [found.size(split) for split in SPLITS] == [36, 36, 36]
    mine, theirs = (d.read("test", range(36), RGB8) for d in (glyphs, found))
    assert np.array_equal(mine.inputs, theirs.inputs)
    assert np.array_equal(mine.labels, theirs.labels)


def test_without_a_size_what_is_drawn_on_demand_is_refused(tmp_path):
    with pytest.raises(DataError, match="glyphs: its samples are no picture files") as caught:
        write_tfrecords(open_dataset("glyphs"), tmp_path / "out")
    assert "--size" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_class_with_no_sample_is_refused_before_anything_is_written(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 4, 4, 3), np.uint8), y=[0, 0, 0, 2, 2, 2])
    dataset = open_dataset(tmp_path / "a.npz")
    with pytest.raises(DataError, match="1 of 3 classes have no sample in train: '1'"):
        write_tfrecords(dataset, tmp_path / "out", pixels=8)
    assert not (tmp_path / "out").exists()


def test_a_class_with_no_sample_in_train_is_named_after_conversion_too(pictures, tmp_path):
    write_tfrecords(pictures, tmp_path / "out")
    path = tmp_path / "out" / "dataset.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"classes": ["cat", "dog", "owl"]}))
    with pytest.raises(DataError, match="1 of 3 classes have no sample in train: 'owl'"):
        require_classes(open_dataset(tmp_path / "out"))


def test_an_unreadable_picture_is_named_and_nothing_is_left(pictures, tmp_path):
    path = pictures.paths("train")[5]
    path.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=f"{path.name}: ") as caught:
        write_tfrecords(pictures, tmp_path / "out")
    assert "data check" in caught.value.hint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pets"]


def test_tfrecords_in_the_folder_are_replaced_as_a_whole(pictures, tmp_path):
    write_tfrecords(pictures, tmp_path / "out", shards=4)
    write_tfrecords(pictures, tmp_path / "out", compress=True)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["dataset.json", *(f"{s}.tfrecord.gz" for s in sorted(SPLITS))]


def test_a_folder_with_other_files_is_left_alone(pictures, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("the only copy")
    with pytest.raises(FileError, match=r"holds files that are no TFRecords: thesis\.txt"):
        write_tfrecords(pictures, tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "the only copy"


def test_a_killed_conversion_leaves_no_folder_and_the_next_one_cleans_up(tmp_path):
    out = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from edgekit.datasets import open_dataset;"
        "from edgekit.datasets.tfrecord_writing import write_tfrecords;"
        "write_tfrecords(open_dataset('glyphs'), Path(sys.argv[1]), pixels=8)"
    )
    with subprocess.Popen([sys.executable, "-c", code, out]) as child:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".edgekit-*/*/train.tfrecord")):
            assert time.monotonic() < deadline
            assert child.poll() is None
            os.sched_yield()
        child.send_signal(signal.SIGKILL)
    assert not out.exists()
    write_tfrecords(open_dataset("glyphs"), out, pixels=8, samples=36)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_command_says_what_it_wrote_and_the_result_opens(pictures, tmp_path, capsys):
    root = str(pictures.reference)
    out = tmp_path / "out"
    arguments = ["data", "convert", root, "-o", str(out), "--gzip", "--shards", "2", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["samples"] == {"train": 24, "validation": 24, "test": 24}
    assert document["files"] == 6
    assert Path(document["folder"]) == out
    assert sum(document["bytes"].values()) == sum(p.stat().st_size for p in out.glob("*.gz"))
    assert main(["data", "info", str(out)]) == 0
    assert "train 24" in capsys.readouterr().out


def test_the_data_set_itself_is_no_place_to_write(pictures, capsys):
    assert main(["data", "convert", pictures.reference, "-o", pictures.reference]) == 2
    assert "the data set itself" in capsys.readouterr().err


@pytest.mark.slow
def test_tensorflow_reads_what_is_written():
    code = (
        "import sys, tensorflow as tf; e = tf.train.Example.FromString(sys.stdin.buffer.read());"
        "f = e.features.feature; print(f['image/object/class/label'].int64_list.value[0],"
        "f['image/object/bbox/xmin'].float_list.value[0], f['image/width'].int64_list.value[0],"
        "f['image/object/class/text'].bytes_list.value[0].decode())"
    )
    picture = io.BytesIO()
    Image.new("RGB", (20, 10)).save(picture, "PNG")
    boxes = np.array([[1, 0.5, 0.25, 1, 1]], np.float32)
    data = serialize(
        Sample("object-detection", picture.getvalue(), boxes=boxes), ("hole", "scratch")
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["2", "0.5", "20", "scratch"]


def test_samples_of_several_arrays_have_no_form_in_records(tmp_path):
    arrays = {"x.left": np.ones((20, 3), np.float32), "x.right": np.ones((20, 3), np.float32)}
    np.savez(tmp_path / "pairs.npz", **arrays, y=np.arange(20) % 2)
    dataset = open_dataset(tmp_path / "pairs.npz")
    with pytest.raises(DataError, match="pairs: a sample is 2 arrays, which records have no form"):
        write_tfrecords(dataset, tmp_path / "records")
    assert not (tmp_path / "records").exists()
