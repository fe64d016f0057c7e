"""Vowels as levels."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets import open_dataset
from edgekit.datasets.tones import RATE_HZ
from edgekit.errors import DataError
from edgekit.generating.mulaw import compress
from edgekit.spec import InputSpec

SPEC = InputSpec("sound", "int32", (400,), range=(0, 255), rate_hz=RATE_HZ)


def test_a_label_is_the_level_of_the_next_instant():
    tones = open_dataset("tones")
    found = tones.read("train", [7, 2], SPEC)
    assert found.inputs.dtype == np.int32
    assert np.array_equal(found.inputs[:, 1:], found.labels[:, :-1])
    assert np.array_equal(found.inputs[1], compress(tones.sound("train", 2, 401))[:-1])


def test_sounds_are_periodic_with_the_pitch_of_a_voice():
    tones = open_dataset("tones")
    for index in range(12):
        sound = tones.sound("test", index, 2048)
        assert 0.15 < np.abs(sound).max() <= 1
        same = np.correlate(sound, sound, "full")[2047:] / (sound @ sound)
        # 90–240 Hz, and a little more by glide and tremor.
        assert same[RATE_HZ // 260 : RATE_HZ // 80].max() > 0.6


def test_samples_are_their_own_and_splits_too():
    tones = open_dataset("tones")
    assert np.array_equal(tones.sound("train", 3, 100), tones.sound("train", 3, 100))
    assert not np.array_equal(tones.sound("train", 3, 100), tones.sound("train", 4, 100))
    assert not np.array_equal(tones.sound("train", 3, 100), tones.sound("validation", 3, 100))


def test_another_rate_and_a_sample_that_there_is_not_are_refused():
    tones = open_dataset("tones")
    with pytest.raises(DataError, match="16,000 Hz"):
        tones.read("train", [0], InputSpec("sound", "int32", (400,), rate_hz=16_000))
    with pytest.raises(DataError, match="no sample 10000"):
        tones.sound("test", 10_000, 8)
