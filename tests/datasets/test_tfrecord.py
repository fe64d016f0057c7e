from __future__ import annotations

import io
import json
import subprocess
import sys
import wave

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets import open_dataset, tfrecord_folder
from edgekit.datasets.inspection import inspect
from edgekit.datasets.tfrecord_example import _message
from edgekit.datasets.tfrecord_file import frame
from edgekit.errors import DataError
from edgekit.spec import InputSpec

RGB8 = InputSpec("image", "uint8", (8, 8, 3), "HWC", resize="bilinear")
BOXED = InputSpec("image", "uint8", (16, 16, 3), "HWC", resize="letterbox")
TOKENS = InputSpec("text", "int32", (12,), "tokens", (0.0, 256.0), tokenizer="bytes")
WAVEFORM = InputSpec("sound", "float32", (6,), "waveform", (-1.0, 1.0), rate_hz=8000)


def picture(level=90, size=(10, 10)):
    stored = io.BytesIO()
    Image.new("RGB", size, (level, level, level)).save(stored, "PNG")
    return stored.getvalue()


def example(**features):
    """A serialized tf.train.Example; names with two underscores for a slash."""
    message = _message()()
    for name, given in features.items():
        feature = message.features.feature[name.replace("__", "/")]
        values = given if isinstance(given, list) else [given]
        if values and isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif values and isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return message.SerializeToString(deterministic=True)


def write(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(frame, records)))
    return path


def labelled(count=30, classes=3):
    return [example(image__encoded=picture(n), label=n % classes) for n in range(count)]


@pytest.fixture
def folder(tmp_path):
    """Thirty training, six validation and nine test pictures of three classes."""
    for split, count in (("train", 30), ("validation", 6), ("test", 9)):
        write(tmp_path / "data" / f"{split}.tfrecord", labelled(count))
    return tmp_path / "data"


def test_a_folder_gives_splits_classes_pictures_and_labels(folder):
    dataset = open_dataset(folder)
    assert [dataset.size(s) for s in ("train", "validation", "test")] == [30, 6, 9]
    assert dataset.classes == ("0", "1", "2")
    assert dataset.task == "image-classification"
    samples = dataset.read("train", [4, 29, 4], RGB8)
    assert samples.inputs[:, 0, 0, 0].tolist() == [4, 29, 4]
    assert samples.labels.tolist() == [1, 2, 1]
    assert dataset.labels("test").tolist() == [0, 1, 2] * 3
    assert dataset.sample_name("test", 8) == "test.tfrecord, record 8"


def test_names_of_classes_come_from_classes_txt(folder):
    (folder / "classes.txt").write_text("cat\ndog\nowl\n")
    assert open_dataset(folder).classes == ("cat", "dog", "owl")


def test_a_label_beyond_classes_txt_is_named_with_its_record(folder):
    (folder / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(
        DataError, match=r"train\.tfrecord: record 2 at byte \d+: class 2"
    ) as caught:
        open_dataset(folder).labels("train")
    assert "classes.txt" in caught.value.hint


@pytest.mark.parametrize(
    "names",
    [
        ("train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"),
        ("pets-train.tfrecord-00000-of-00002", "pets-train.tfrecord-00001-of-00002"),
        ("train-0-of-2.tfrecords", "train-1-of-2.tfrecords"),
    ],
)
def test_shards_are_read_in_their_order(tmp_path, names):
    records = labelled(40)
    write(tmp_path / names[1], records[25:])
    write(tmp_path / names[0], records[:25])
    write(tmp_path / "val.tfrecord", labelled(2))
    dataset = open_dataset(tmp_path)
    inputs = dataset.read("train", range(40), RGB8).inputs
    assert inputs[:, 0, 0, 0].tolist() == list(range(40))


def test_a_missing_shard_is_named(tmp_path):
    for shard in (0, 2, 3):
        write(tmp_path / f"train-{shard:05d}-of-00004.tfrecord.gz", labelled(3))
    with pytest.raises(DataError, match="train has 4 shards; 1 are missing, the first is 00001"):
        open_dataset(tmp_path)


def test_two_sets_of_shards_for_one_split_are_refused(tmp_path):
    write(tmp_path / "train.tfrecord", labelled(3))
    write(tmp_path / "train.tfrecord.gz", labelled(3))
    with pytest.raises(DataError, match="two sets of files for the split train"):
        open_dataset(tmp_path)


def test_files_that_name_no_split_are_explained(tmp_path):
    write(tmp_path / "pictures.tfrecord", labelled(3))
    with pytest.raises(DataError, match="no file name says which split it is: pictures") as caught:
        open_dataset(tmp_path)
    assert "train.tfrecord" in caught.value.hint


def test_a_lone_file_is_divided_and_every_record_is_in_one_split(tmp_path):
    dataset = open_dataset(write(tmp_path / "all.tfrecord", labelled(200)))
    levels = [
        dataset.read(split, range(dataset.size(split)), RGB8).inputs[:, 0, 0, 0].tolist()
        for split in ("train", "validation", "test")
    ]
    assert sorted(level for found in levels for level in found) == list(range(200))
    assert 120 < len(levels[0]) < 160
    assert 8 < len(levels[1]) < 36


def test_without_a_validation_file_some_of_train_serve(tmp_path):
    write(tmp_path / "train.tfrecord", labelled(200))
    dataset = open_dataset(tmp_path)
    assert dataset.size("train") + dataset.size("validation") == 200
    assert 8 < dataset.size("validation") < 50


def test_boxes_of_the_object_detection_api_count_classes_from_one(tmp_path):
    record = example(
        image__encoded=picture(size=(20, 10)),
        image__object__bbox__xmin=[0.0, 0.5],
        image__object__bbox__ymin=[0.2, 0.0],
        image__object__bbox__xmax=[0.25, 1.0],
        image__object__bbox__ymax=[0.4, 1.0],
        image__object__class__label=[2, 1],
    )
    empty = example(image__encoded=picture(size=(20, 10)), image__object__class__label=[])
    for split in ("train", "val"):
        write(tmp_path / f"{split}.tfrecord", [record, empty])
    (tmp_path / "classes.txt").write_text("hole\nscratch\n")
    dataset = open_dataset(tmp_path)
    assert dataset.task == "object-detection"
    assert dataset.label_shape == (2, 5)
    assert dataset.labels("train") is None
    assert dataset.is_labelled("train")
    assert dataset.class_counts("train") == (1, 1)
    boxes = dataset.read("train", [0, 1], BOXED).labels
    # Twice as wide as high: a quarter of the letterbox is grey above and below.
    assert np.allclose(boxes[0, 0], [1, 0.0, 0.35, 0.25, 0.45])
    assert np.allclose(boxes[0, 1], [0, 0.5, 0.25, 1.0, 0.75])
    assert (boxes[1, :, 0] == -1).all()


def test_pictures_without_any_box_feature_are_samples_without_boxes(tmp_path):
    edges = dict.fromkeys(("xmin", "ymin"), 0.1) | dict.fromkeys(("xmax", "ymax"), 0.9)
    boxed = example(
        image__encoded=picture(),
        image__object__class__label=1,
        **{f"image__object__bbox__{edge}": value for edge, value in edges.items()},
    )
    for split in ("train", "val"):
        write(tmp_path / f"{split}.tfrecord", [example(image__encoded=picture()), boxed])
    dataset = open_dataset(tmp_path)
    assert [len(dataset.boxes("train", index)) for index in (0, 1)] == [0, 1]


def test_boxes_of_tensorflow_datasets_count_classes_from_zero(tmp_path):
    record = example(image=picture(), objects__bbox=[0.1, 0.2, 0.3, 0.4], objects__label=[1])
    for split in ("train", "validation"):
        write(tmp_path / f"d-{split}.tfrecord-00000-of-00001", [record])
    boxes = open_dataset(tmp_path).boxes("train", 0)
    assert np.allclose(boxes, [[1, 0.2, 0.1, 0.4, 0.3]])


def test_degenerate_boxes_are_left_out_and_reported(tmp_path):
    record = example(
        image__encoded=picture(),
        image__object__bbox__xmin=[0.5, 0.1],
        image__object__bbox__ymin=[0.1, 0.1],
        image__object__bbox__xmax=[0.5, 0.9],
        image__object__bbox__ymax=[0.2, 0.9],
        image__object__class__label=[1, 1],
    )
    for split in ("train", "val"):
        write(tmp_path / f"{split}.tfrecord", [record])
    dataset = open_dataset(tmp_path)
    assert len(dataset.boxes("train", 0)) == 1
    issues = [issue for issue in inspect(dataset).issues if issue.kind == "degenerate box"]
    assert issues[0].where == "train.tfrecord, record 0, box 1"
    assert issues[0].problem == "zero width: left out"


def test_texts_are_tokenized_as_the_input_asks(tmp_path):
    for split in ("train", "test"):
        write(
            tmp_path / f"{split}.tfrecord",
            [example(text=f"text {n}é".encode(), label=n % 2) for n in range(20)],
        )
    dataset = open_dataset(tmp_path)
    assert dataset.task == "text-classification"
    row = dataset.read("test", [1], TOKENS).inputs[0]
    assert bytes(value - 1 for value in row if value).decode() == "text 1é"


def test_sound_is_a_wav_or_a_list_with_its_rate(tmp_path):
    stored = io.BytesIO()
    with wave.open(stored, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    records = [
        example(audio=stored.getvalue(), label=0),
        example(audio=[0, 16384, -32768], rate=8000, label=1),
    ]
    for split in ("train", "val"):
        write(tmp_path / f"{split}.tfrecord", records)
    inputs = open_dataset(tmp_path).read("train", [0, 1], WAVEFORM).inputs
    assert np.allclose(inputs, [[0, 0.5, -1, 0, 0, 0]] * 2)


def test_a_list_of_sound_without_a_rate_is_refused(tmp_path):
    path = write(tmp_path / "train.tfrecord", [example(audio=[1, 2], label=0)])
    with pytest.raises(DataError, match=r"record 0 at byte 0: audio is a list .* without a rate"):
        open_dataset(path)


def test_unknown_feature_names_are_listed_with_those_that_are_known(tmp_path):
    path = write(tmp_path / "a.tfrecord", [example(foto=picture(), ort=[1, 2])])
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert caught.value.message == (
        f"{path}: record 0 at byte 0: no picture, text or sound in it; "
        "it has foto (bytes), ort (int64)"
    )
    assert "image/encoded" in caught.value.hint


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (example(image__encoded=picture(), label=b"cat"), "label holds bytes values"),
        (example(image__encoded=picture(), label=[1, 2]), "label holds 2 values; expected one"),
        (example(image__encoded=[picture()] * 2, label=1), "image/encoded holds 2 values"),
        (example(text=b"\xff\xfe", label=1), "text is no UTF-8"),
        (b"\xff\xff\xff not a message", "not a tf.train.Example"),
        (
            example(
                image__encoded=picture(),
                image__object__bbox__xmin=[0.1, 0.2],
                image__object__class__label=[1],
            ),
            "1 classes of boxes and 2, 0, 0, 0 edges",
        ),
    ],
)
def test_a_record_of_another_form_says_what_is_wrong(tmp_path, record, problem):
    path = write(tmp_path / "a.tfrecord", [record])
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert caught.value.message.startswith(f"{path}: record 0 at byte 0: {problem}")


def test_a_damaged_record_in_the_middle_is_named_and_the_others_are_counted(folder):
    path = folder / "train.tfrecord"
    sizes = [len(frame(record)) for record in labelled(30)]
    data = bytearray(path.read_bytes())
    for number in (11, 20):
        data[sum(sizes[:number]) + 30] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    place = f"record 11 at byte {sum(sizes[:11]):,}"
    assert caught.value.message == f"{path}: {place}: the checksum of its bytes is wrong"
    assert caught.value.details[-1] == "2 of 30 records cannot be read"


def test_a_picture_that_cannot_be_decoded_is_named_by_record_and_byte(tmp_path):
    records = labelled(30)
    records[7] = example(image__encoded=b"no picture", label=0)
    write(tmp_path / "train.tfrecord", records)
    write(tmp_path / "val.tfrecord", records[:3])
    dataset = open_dataset(tmp_path)
    offset = len(b"".join(map(frame, records[:7])))
    with pytest.raises(DataError, match=f"record 7 at byte {offset:,}: not a readable picture"):
        dataset.read("train", range(30), RGB8)


def test_records_of_another_task_than_the_first_are_refused(tmp_path):
    write(tmp_path / "train.tfrecord", [*labelled(3), example(text=b"hello", label=0)])
    write(tmp_path / "val.tfrecord", labelled(3))
    with pytest.raises(DataError, match=r"record 3 .* made for text-classification"):
        open_dataset(tmp_path).read("train", [3], RGB8)


def test_a_record_without_a_label_among_labelled_ones_is_refused(tmp_path):
    write(tmp_path / "train.tfrecord", [*labelled(3), example(image__encoded=picture())])
    write(tmp_path / "val.tfrecord", labelled(3))
    with pytest.raises(DataError, match=r"record 3 at byte \d+: no label"):
        open_dataset(tmp_path).labels("train")


def test_records_without_labels_are_samples_without_labels(tmp_path):
    for split in ("train", "val"):
        write(tmp_path / f"{split}.tfrecord", [example(image__encoded=picture())] * 3)
    dataset = open_dataset(tmp_path)
    assert not dataset.is_labelled("train")
    assert dataset.read("train", [1], RGB8).labels is None


def test_an_empty_file_has_no_records(tmp_path):
    path = write(tmp_path / "a.tfrecord", [])
    with pytest.raises(DataError, match="no records in it"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"format": 99}, "format: 99; this edgekit reads 1"),
        ({"classes": ["a", "a", "b"]}, "the class 'a' is there twice"),
        ({"classes": ["a\n", "b\u0000", "c"]}, "class 1 has no name on one line"),
        ({"task": "poetry"}, "task: 'poetry' is not one of"),
        ({"samples": {"train": 31, "validation": 6, "test": 9}}, "dataset.json says train 31"),
        ({"colour": "red"}, "unknown key colour"),
    ],
)
def test_a_description_that_cannot_be_is_refused(folder, change, problem):
    description = tfrecord_folder.Description(
        "pets",
        "image-classification",
        ("a", "b", "c"),
        0,
        {"train": 30, "validation": 6, "test": 9},
    )
    path = folder / "dataset.json"
    path.write_text(json.dumps(description.to_json()))
    assert open_dataset(folder).classes == ("a", "b", "c")
    path.write_text(json.dumps(description.to_json() | change))
    with pytest.raises(DataError) as caught:
        open_dataset(folder)
    assert problem in caught.value.message


def test_fingerprint_changes_with_a_file_and_with_nothing_else(folder):
    before = open_dataset(folder).fingerprint()
    assert open_dataset(folder).fingerprint() == before
    write(folder / "test.tfrecord", labelled(8))
    assert open_dataset(folder).fingerprint() != before


def test_classes_are_looked_for_once(folder, monkeypatch):
    open_dataset(folder)
    monkeypatch.setattr("edgekit.datasets.tfrecord._survey", None)
    assert open_dataset(folder).labels("train").tolist() == [0, 1, 2] * 10


def test_opening_and_reading_need_no_tensorflow(folder):
    code = (
        "import sys; from pathlib import Path; from edgekit.datasets import open_dataset;"
        "from edgekit.spec import InputSpec; dataset = open_dataset(Path(sys.argv[1]));"
        "dataset.read('train', [0], InputSpec('i', 'uint8', (8, 8, 3), 'HWC'));"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, folder], check=True)
