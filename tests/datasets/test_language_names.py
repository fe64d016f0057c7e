from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import SPLITS, open_dataset
from edgekit.datasets.language_names import LANGUAGES, names_by_split
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("tokens", "int32", (64,), "tokens", range=(0, 256), tokenizer="bytes")


@pytest.fixture(scope="module")
def names():
    return open_dataset("language-names")


def test_there_are_32_languages_with_hundreds_of_names_in_every_split(names):
    assert len(names.classes) == len(set(names.classes)) == 32
    for split, least in (("train", 900), ("validation", 120), ("test", 250)):
        assert all(len(entry.all) >= least for entry in names_by_split()[split].values())


def test_no_name_of_the_test_is_trained_or_validated_on():
    found = names_by_split()
    for language in LANGUAGES:
        known = [{n.casefold() for n in found[split][language].all} for split in SPLITS]
        assert not known[0] & known[1]
        assert not (known[0] | known[1]) & known[2]


def test_a_key_is_in_one_split_for_all_languages():
    found = names_by_split()
    for language, name in (("de", "Frankreich"), ("fi", "Ranska"), ("el", "Γαλλία")):
        splits = [split for split in SPLITS if name in found[split][language].all]
        assert splits == ["train"]
    for language, name in (("de", "Montag"), ("fi", "maanantaina"), ("zh", "星期一")):
        assert sum(name in found[split][language].all for split in SPLITS) == 1


def test_no_language_shows_names_in_anothers_script():
    """Babel hands out one language's months for another's, if asked in one way."""
    for split in SPLITS:
        for language, (low, high) in {
            "he": ("\u0590", "\u05ff"), "th": ("\u0e00", "\u0e7f"), "ka": ("\u10a0", "\u10ff"),
        }.items():  # fmt: skip
            for other, entry in names_by_split()[split].items():
                if other != language:
                    assert not [n for n in entry.all if any(low <= c <= high for c in n)]


@given(st.sampled_from(SPLITS), st.integers(0, 31_999))
def test_a_sample_is_some_names_of_its_language_one_of_which_is_no_other_languages(split, index):
    dataset = open_dataset("language-names")
    text = dataset.original(split, index)
    assert dataset.original(split, index) == text
    language = LANGUAGES[index % 32]
    own = names_by_split()[split][language].own
    assert any(name.lower() in text.lower() for name in own)


def test_samples_repeat_and_are_labelled_in_turn(names):
    first = names.read("test", [5, 37, 0], SPEC)
    assert first.labels.tolist() == [5, 5, 0]
    assert first.inputs.shape == (3, 64)
    assert (names.read("test", [0, 37], SPEC).inputs[::-1] == first.inputs[1:]).all()
    assert (names.read("validation", [5], SPEC).inputs != first.inputs[0]).any()
    assert np.bincount(names.labels("test")).tolist() == [1000] * 32


def test_samples_beyond_the_split_are_refused(names):
    with pytest.raises(DataError, match="no sample 32000"):
        names.original("test", 32_000)
