from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DataError
from edgekit.tokenizing import (
    encode,
    has_file,
    keep,
    tokenizer_file,
    train_wordpiece,
    vocabulary_of,
)

TEXTS = [
    "Where is my card?",
    "my card has not arrived",
    "Please transfer money to my savings account",
    "transferring 20 € to Zürich — is it free?",
    "what's the weather like in Wien",
] * 3


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(train_wordpiece(TEXTS, 120))
    return keep(path)


def changed(tmp_path, edit):
    document = json.loads(train_wordpiece(TEXTS, 120))
    edit(document)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    return path


@given(st.text(), st.integers(1, 40))
def test_bytes_are_the_utf8_bytes_plus_one_cut_and_filled_up_with_zero(text, length):
    (row,) = encode("bytes", [text], length)
    data = text.encode("utf-8", errors="replace")[:length]
    assert row.dtype == np.int32
    assert row.tolist() == [byte + 1 for byte in data] + [0] * (length - len(data))


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5), st.integers(1, 20))
def test_wordpiece_gives_numbers_of_its_vocabulary_and_zero_only_behind_the_text(texts, length):
    reference = keep_default()
    tokens = encode(reference, texts, length)
    assert tokens.shape == (len(texts), length)
    assert tokens.dtype == np.int32
    assert (tokens >= 0).all()
    assert (tokens < vocabulary_of(reference)).all()
    filled = tokens == 0
    assert (np.sort(filled, axis=1) == filled).all()


def keep_default():
    data = train_wordpiece(TEXTS, 120)
    reference = f"wordpiece:{hashlib.sha256(data).hexdigest()}"
    place = tokenizer_file(reference)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return reference


def test_the_same_texts_in_any_order_and_process_give_the_same_bytes():
    shuffled = random.Random(4).sample(TEXTS, len(TEXTS))
    here = train_wordpiece(shuffled, 120)
    code = (
        "import json, sys, hashlib; from edgekit.tokenizing import train_wordpiece; "
        "print(hashlib.sha256(train_wordpiece(json.load(sys.stdin), 120)).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(TEXTS), text=True, check=True,
        capture_output=True,
    )  # fmt: skip
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_a_trained_tokenizer_has_at_most_the_pieces_asked_for_and_fixed_first_numbers():
    document = json.loads(train_wordpiece(TEXTS, 60))
    pieces = document["model"]["vocab"]
    assert len(pieces) <= 60
    assert (pieces["[PAD]"], pieces["[UNK]"]) == (0, 1)
    assert all(piece == piece.lower() for piece in pieces if not piece.startswith("["))


def test_case_does_not_count_and_what_was_never_seen_is_unknown(kept):
    upper, lower, strange = encode(kept, ["MY CARD", "my card", "的"], 4)
    assert upper.tolist() == lower.tolist()
    assert strange.tolist() == [1, 0, 0, 0]


def test_a_reference_is_the_digest_of_its_file_which_lies_in_the_cache(tmp_path, kept):
    assert has_file(kept)
    assert not has_file("bytes")
    data = tokenizer_file(kept).read_bytes()
    assert kept == f"wordpiece:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda d: d["model"].update(type="BPE"), "not WordPiece"),
        (
            lambda d: d.update(
                pre_tokenizer={
                    "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated",
                    "invert": False,
                }
            ),
            "its pre_tokenizer is Split",
        ),
        (lambda d: d["normalizer"].update(pattern="(a+)+$"), "unknown key 'pattern'"),
        (lambda d: d["model"]["vocab"].update(new=99_999), "without gaps"),
        (lambda d: d["model"]["vocab"].update({"[PAD]": 1, "[UNK]": 0}), "not number 0"),
        (lambda d: d["model"].update(unk_token="[?]"), "unk_token"),
        (lambda d: d["model"].update(max_input_chars_per_word=10**9), "max_input_chars_per_word"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_plain_wordpiece_tokenizer_is_refused(tmp_path, edit, complaint):
    with pytest.raises(DataError, match=complaint):
        keep(changed(tmp_path, edit))


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model": 1}', "[" * 100_000])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"bad\.json"):
        keep(path)


def test_a_file_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as stream:
        stream.truncate(17 * 1024**2)
    with pytest.raises(DataError, match="17,825,792 bytes"):
        keep(path)


@pytest.mark.parametrize(
    "reference", ["", "wordpiece", "wordpiece:../../etc/passwd", f"wordpiece:{'A' * 64}", "words"]
)
def test_what_is_no_reference_is_refused(reference):
    with pytest.raises(DataError, match="no tokenizer"):
        encode(reference, ["a"], 4)


def test_a_reference_whose_file_is_missing_or_changed_is_refused(kept):
    with pytest.raises(DataError, match="not there"):
        encode(f"wordpiece:{'0' * 64}", ["a"], 4)
    other = f"wordpiece:{'1' * 64}"
    tokenizer_file(other).write_bytes(tokenizer_file(kept).read_bytes())
    with pytest.raises(DataError, match="sha256 differs"):
        encode(other, ["a"], 4)


def test_texts_without_a_word_make_no_tokenizer():
    with pytest.raises(DataError, match="no text holds a word"):
        train_wordpiece([" ", ""], 100)
