from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import SPLITS, open_dataset
from edgekit.datasets.intents import read_clinc, take_tenth
from edgekit.datasets.text import Text
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("tokens", "int32", (12,), "tokens", range=(0, 256), tokenizer="bytes")
ROWS = [(f"how are you, number {n}?", "greeting") for n in range(60)]
ROWS += [(f"bye {n}", "farewell") for n in range(60)]


def write_csv(path, rows, header=("text", "label")):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def texts_of(dataset, split):
    return [dataset.original(split, index) for index in range(dataset.size(split))]


def test_a_lone_csv_is_split_by_each_texts_digest_and_no_text_is_in_two_splits(tmp_path):
    dataset = open_dataset(str(write_csv(tmp_path / "mine.csv", ROWS * 2)))
    parts = {split: texts_of(dataset, split) for split in SPLITS}
    assert sum(map(len, parts.values())) == 240
    train, validation, test = (set(parts[split]) for split in SPLITS)
    assert not train & validation
    assert not (train | validation) & test
    assert len(parts["train"]) > len(parts["test"]) > 0 < len(parts["validation"])
    assert dataset.classes == ("farewell", "greeting")
    assert dataset.task == "text-classification"


def test_another_text_moves_no_text_to_another_split(tmp_path):
    before = open_dataset(write_csv(tmp_path / "a.csv", ROWS))
    after = open_dataset(write_csv(tmp_path / "b.csv", [("new", "farewell"), *ROWS]))
    for split in SPLITS:
        assert set(texts_of(after, split)) - {"new"} == set(texts_of(before, split))
    assert before.fingerprint() != after.fingerprint()


def test_columns_stand_in_any_order_among_others_and_a_byte_order_mark_does_not_count(tmp_path):
    path = tmp_path / "mine.csv"
    rows = "\n".join(f"{n},{label},{text}" for n, (text, label) in enumerate(ROWS[60:] * 2))
    path.write_text(
        f'number,label,text\n{rows}\n1,greeting,"hello,\nyou"\n2,greeting,hi\n3,greeting,yo',
        encoding="utf-8-sig",
    )
    dataset = open_dataset(path)
    assert "hello,\nyou" in [t for split in SPLITS for t in texts_of(dataset, split)]


def test_a_folder_of_split_files_keeps_its_splits(tmp_path):
    write_csv(tmp_path / "train.csv", ROWS)
    write_csv(tmp_path / "test.csv", ROWS[:7])
    write_csv(tmp_path / "val.csv", ROWS[:3])
    dataset = open_dataset(tmp_path)
    assert [dataset.size(split) for split in SPLITS] == [120, 3, 7]
    assert dataset.name == tmp_path.name


def test_without_validation_some_training_texts_become_it(tmp_path):
    write_csv(tmp_path / "train.csv", ROWS)
    dataset = open_dataset(tmp_path)
    assert dataset.size("train") + dataset.size("validation") == 120
    assert dataset.size("validation") > 0 == dataset.size("test")


@pytest.mark.parametrize(
    "document",
    [
        [list(row) for row in ROWS],
        [{"text": text, "label": label, "id": 3} for text, label in ROWS],
        {"train": [list(row) for row in ROWS], "val": [["x", "farewell"]], "test": []},
    ],
)
def test_json_is_read_in_each_of_its_forms(tmp_path, document):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document))
    dataset = open_dataset(path)
    assert dataset.classes == ("farewell", "greeting")
    assert sum(map(dataset.size, SPLITS)) == 120 + isinstance(document, dict)


def test_samples_are_tokens_of_the_models_length_with_their_labels(tmp_path):
    dataset = open_dataset(write_csv(tmp_path / "mine.csv", ROWS))
    samples = dataset.read("train", [3, 0, 3], SPEC)
    assert samples.inputs.shape == (3, 12)
    assert samples.inputs.dtype == np.int32
    text = texts_of(dataset, "train")[3]
    assert bytes(int(v) - 1 for v in samples.inputs[0] if v) == text.encode()[:12]
    labels = dataset.labels("train")
    assert samples.labels.tolist() == [labels[3], labels[0], labels[3]]
    assert dataset.sample_name("train", 3).startswith(str(tmp_path / "mine.csv, line "))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,kind\na,b\n", r"line 1: the header has no column 'label'"),
        ("", r"line 1: the header has no column 'text'"),
        ("text,label\na,b\nc\n", r"line 3: 1 columns; the header has 2"),
        ("text,label\na,b\nhi, you,greeting\n", r"line 3: 3 columns"),
        ("text,label\na,b\n ,c\n", r"line 3: an empty text"),
        ("text,label\na,\n", r"line 2: an empty label"),
        ('text,label\na,b\n"c,d\n', r"not CSV"),
        ('text,label\n"a"b,c\n', r"line 2: not CSV"),
        (f"text,label\n{'a' * 100_001},b\n", r"line 2: 100,001 characters"),
        (f"text,label\n{'a' * 200_000},b\n", r"line \d+: not CSV: field larger"),
    ],
)
def test_a_bad_csv_line_is_named(tmp_path, content, complaint):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=complaint) as caught:
        open_dataset(path)
    assert "bad.csv" in caught.value.message


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"training": []}', "no texts in a form"),
        (b"3", "no texts in a form"),
        (b'[["a", "b"], ["c"]]', "entry 1: neither"),
        (b'[["a", "b"], [1, "c"]]', "entry 1: text and label are text"),
        (b'{"train": {"a": 1}}', "train: expected a list"),
        (b'{"validation": [], "val": []}', "both validation and val"),
        (b"[]", "no training texts"),
        (b'{"train": [["a", "b"]], "val": [["c", "d"]]}', "no training text has the label 'd'"),
    ],
)
def test_a_bad_json_entry_is_named(tmp_path, content, complaint):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        open_dataset(path)
    assert "bad.json" in caught.value.message


def test_a_missing_file_and_one_that_is_not_utf8_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: .*No such file"):
        open_dataset(str(tmp_path / "none.csv"))
    path = tmp_path / "latin.csv"
    path.write_bytes("text,label\nZürich,city\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.csv: not UTF-8"):
        open_dataset(path)


def test_an_input_that_takes_no_text_is_refused(tmp_path):
    dataset = open_dataset(write_csv(tmp_path / "mine.csv", ROWS))
    with pytest.raises(DataError, match="not text"):
        dataset.read("train", [0], InputSpec("image", "uint8", (8, 8, 3), "HWC"))
    small = InputSpec("tokens", "int32", (12,), "tokens", range=(0, 99), tokenizer="bytes")
    with pytest.raises(DataError, match="257 different numbers"):
        dataset.read("train", [0], small)
    none = InputSpec("tokens", "int32", (12,), "tokens")
    with pytest.raises(DataError, match="no tokenizer"):
        dataset.read("train", [0], none)


def test_clinc_splits_take_their_own_out_of_scope_texts(tmp_path):
    path = tmp_path / "data.json"
    keys = ("train", "val", "test", "oos_train", "oos_val", "oos_test")
    path.write_text(json.dumps({key: [[f"{key} text", "oos"]] for key in keys}))
    texts = read_clinc(path)
    assert [entry.text for entry in texts["validation"]] == ["val text", "oos_val text"]
    assert texts["test"][1].where.endswith("data.json, oos_test, entry 0")
    path.write_text(json.dumps({"train": []}))
    with pytest.raises(DataError, match="oos_train"):
        read_clinc(path)


@given(
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=4), st.sampled_from("xy")), max_size=80)
)
def test_a_tenth_of_each_class_is_taken_whole_texts_at_a_time_in_any_order(pairs):
    texts = [Text(text, label, "") for text, label in pairs]
    kept, taken = take_tenth(texts)
    assert sorted((*kept, *taken), key=str) == sorted(texts, key=str)
    pair = {(entry.text, entry.label) for entry in taken}
    assert not pair & {(entry.text, entry.label) for entry in kept}
    for label in "xy":
        different = {text for text, own in pairs if own == label}
        assert len({t for t, own in pair if own == label}) == round(len(different) / 10)
    again = take_tenth(texts[::-1])[1]
    assert {(entry.text, entry.label) for entry in again} == pair


def test_registered_names_win_over_files_and_paths_end_in_csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(Path("mine.csv"), ROWS)
    assert open_dataset("mine.csv").name == "mine"
