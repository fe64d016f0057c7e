"""Names as texts to be written: what comes next, what was hidden, another language's."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import SPLITS, open_dataset
from edgekit.datasets.name_pairs import INTO, pairs_by_split
from edgekit.datasets.name_texts import BYTES as CLASSES
from edgekit.datasets.name_texts import MASK, texts_by_split
from edgekit.errors import DataError
from edgekit.spec import InputSpec
from edgekit.tokenizing import BYTES, decode

TOKENS = InputSpec("tokens", "int32", (32,), "tokens", range=(0, 257), tokenizer="bytes")
SOURCE, TARGET = (
    InputSpec(name, "int32", (32,), "tokens", range=(0, 256), tokenizer="bytes")
    for name in ("source", "target")
)
SOME = range(0, 1200, 60)


@pytest.mark.parametrize("name", ["next-bytes", "masked-bytes", "name-pairs"])
def test_no_text_of_the_test_is_trained_or_validated_on(name):
    dataset = open_dataset(name)
    known = [
        {dataset.original(split, i).split("\n")[0].casefold() for i in range(dataset.size(split))}
        for split in SPLITS
    ]
    assert not (known[0] | known[1]) & known[2]
    assert not known[0] & known[1]
    assert [len(one) > 1000 for one in known] == [True] * 3


def test_the_label_of_each_step_is_the_next_byte_and_the_language_is_not_guessed():
    dataset = open_dataset("next-bytes")
    read = dataset.read("test", SOME, TOKENS)
    for index, tokens, labels in zip(SOME, read.inputs, read.labels, strict=True):
        text = dataset.original("test", index).encode()[:32]
        assert (tokens[: len(text)] - 1).tolist() == list(text)
        assert (labels[2 : len(text) - 1] - 1).tolist() == list(text[3:])
        assert (labels[:2] == -1).all()
        assert (labels[len(text) - 1 :] == -1).all()
    assert {CLASSES[label] for label in read.labels[read.labels >= 0]} >= {"a", "e", "n", "0x0a"}


def test_a_seventh_of_the_bytes_is_hidden_and_is_the_label_there_alone():
    dataset = open_dataset("masked-bytes")
    whole = open_dataset("next-bytes").read("train", range(2000), TOKENS).inputs
    read = dataset.read("train", range(2000), TOKENS)
    hidden = read.labels >= 0
    assert np.array_equal(read.labels[hidden], whole[hidden])
    assert np.array_equal(read.inputs[~hidden], whole[~hidden])
    assert hidden.any(axis=1).all()
    assert not hidden[:, :3].any()
    share = hidden.sum() / (whole[:, 3:] > 0).sum()
    assert 0.14 < share < 0.19  # at least one of a short name
    shown = read.inputs[hidden]
    assert (shown == MASK).mean() == pytest.approx(0.8, abs=0.02)
    left = shown == whole[hidden]
    assert left.mean() == pytest.approx(0.1, abs=0.02)
    wrong = shown[~left & (shown != MASK)]
    assert len(set(wrong.tolist())) > 50


def test_what_is_hidden_is_the_same_on_every_reading():
    dataset = open_dataset("masked-bytes")
    first = dataset.read("test", [5, 900], TOKENS)
    second = dataset.read("test", [900, 5], TOKENS)
    assert np.array_equal(first.inputs, second.inputs[::-1])
    assert np.array_equal(first.labels, second.labels[::-1])


def test_a_model_with_fewer_numbers_than_there_are_bytes_is_refused():
    small = InputSpec("tokens", "int32", (32,), "tokens", range=(0, 255), tokenizer="bytes")
    with pytest.raises(DataError, match="257 different numbers"):
        open_dataset("next-bytes").read("test", [0], small)
    with pytest.raises(DataError, match=r"what is hidden is token 257; .* takes 0…256"):
        open_dataset("masked-bytes").read("test", [0], SOURCE)


def test_a_pair_is_a_source_and_what_is_written_so_far_with_the_next_byte_as_label():
    dataset = open_dataset("name-pairs")
    sources, targets = (dataset.read("train", SOME, spec) for spec in (SOURCE, TARGET))
    assert np.array_equal(sources.labels, targets.labels)
    for row, index in enumerate(SOME):
        source, target = dataset.pair("train", index)
        assert decode(BYTES, sources.inputs[row]) == source
        assert decode(BYTES, targets.inputs[row]) == "\n" + target
        counted = sources.labels[row][sources.labels[row] >= 0]
        assert decode(BYTES, counted) == target + "\n"
        # At the step of a byte its label is the byte of the step behind it.
        assert np.array_equal(counted[:-1], targets.inputs[row, 1 : len(counted)])


def test_pairs_are_translations_into_eight_languages():
    found = {pair for pairs in pairs_by_split().values() for pair in pairs}
    assert ("de Germany\n", "Deutschland") in found
    assert ("fr Germany\n", "Allemagne") in found
    assert {source[:2] for source, _ in found} == set(INTO)


def test_a_sample_that_is_not_there_is_refused():
    for name in ("next-bytes", "name-pairs"):
        dataset = open_dataset(name)
        with pytest.raises(DataError, match=f"{name}: test has no sample {dataset.size('test')}"):
            dataset.original("test", dataset.size("test"))


def test_texts_are_a_language_a_name_and_the_end_of_a_line():
    for texts in texts_by_split().values():
        assert all(text[2] == " " and text.endswith("\n") and len(text) > 5 for text in texts)
