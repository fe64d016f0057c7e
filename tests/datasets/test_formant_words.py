from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.datasets.formant_words import WORDS, sounds_of
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("sound", "float32", (8000,), "waveform", range=(-1, 1), rate_hz=8000)


def test_a_word_is_its_sounds():
    assert sounds_of("shiau") == ("sh", "i", "a", "u")
    assert sounds_of("tasi") == ("t", "a", "s", "i")
    assert len({sounds_of(word) for word in WORDS}) == len(WORDS) == 10


def test_a_sound_follows_from_split_and_index_alone():
    words = open_dataset("formant-words")
    found = words.read("train", [3, 14], SPEC)
    assert found.inputs.shape == (2, 8000)
    assert found.inputs.dtype == np.float32
    assert found.labels.tolist() == [3, 4]
    assert 0.02 < np.abs(found.inputs).max() <= 1
    assert np.array_equal(words.read("train", [14], SPEC).inputs[0], found.inputs[1])
    assert not np.array_equal(words.read("test", [14], SPEC).inputs[0], found.inputs[1])


def test_a_hiss_is_high_and_a_vowel_low():
    words = open_dataset("formant-words")
    spectra = {}
    for word in ("asa", "oua"):
        indices = [WORDS.index(word) + 10 * n for n in range(20)]
        power = np.abs(np.fft.rfft(words.read("train", indices, SPEC).inputs)) ** 2
        spectra[word] = power.mean(axis=0)
    share = {word: power[2900:].sum() / power.sum() for word, power in spectra.items()}
    assert share["asa"] > 5 * share["oua"]


def test_another_rate_is_refused_with_what_would_do():
    words = open_dataset("formant-words")
    other = InputSpec("sound", "float32", (16000,), "waveform", range=(-1, 1), rate_hz=16000)
    with pytest.raises(DataError, match="at 16,000 Hz") as caught:
        words.read("train", [0], other)
    assert "rate_hz = 8000" in caught.value.hint
    with pytest.raises(DataError, match="test has no 10000"):
        words.sound("test", 10_000, 8000)
