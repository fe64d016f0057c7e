from __future__ import annotations

import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import SPLITS, open_dataset
from edgekit.datasets.sound import spoken_split
from edgekit.datasets.wav import read_wav
from edgekit.errors import DataError
from edgekit.spec import InputSpec

SPEC = InputSpec("sound", "float32", (100,), "waveform", range=(-1.0, 1.0), rate_hz=8000)


def write_wav(path, values, *, rate=8000, channels=1, width=2):
    """`values` are integers of `width` bytes, channel by channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        signed = width > 1
        file.writeframes(b"".join(v.to_bytes(width, "little", signed=signed) for v in values))
    return path


def read_all(dataset):
    for split in SPLITS:
        dataset.read(split, range(dataset.size(split)), SPEC)


def spoken(folder, speakers=("ann", "bob")):
    for digit in range(3):
        for speaker in speakers:
            for index in range(12):
                write_wav(folder / f"{digit}_{speaker}_{index}.wav", [digit * 1000] * (50 + index))
    return folder


def test_files_named_as_fsdds_are_split_by_their_index(tmp_path):
    dataset = open_dataset(spoken(tmp_path / "digits"))
    assert dataset.task == "audio-classification"
    assert dataset.classes == ("0", "1", "2")
    assert [dataset.size(split) for split in SPLITS] == [12, 30, 30]
    for split in SPLITS:
        for index in range(dataset.size(split)):
            name = dataset.sample_name(split, index)
            assert spoken_split(tmp_path / name) == split
            assert dataset.labels(split)[index] == int(name[0])


def test_a_folder_a_class_is_read_with_its_names_as_labels(tmp_path):
    for number in range(40):
        write_wav(tmp_path / "yes" / f"{number}.wav", [1000] * 10)
        write_wav(tmp_path / "no" / f"{number}.wav", [-1000] * 10)
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("no", "yes")
    assert sum(map(dataset.size, SPLITS)) == 80
    samples = dataset.read("train", range(dataset.size("train")), SPEC)
    assert ((samples.inputs[:, 0] > 0) == samples.labels.astype(bool)).all()
    assert dataset.original("train", 0)[:4] == b"RIFF"


def test_folders_of_splits_hold_class_folders_as_those_of_pictures_do(tmp_path):
    for split, count in {"train": 9, "val": 3, "test": 2}.items():
        for label in ("no", "yes"):
            for number in range(count):
                write_wav(tmp_path / split / label / f"{number}.WAV", [1000] * 10)
    dataset = open_dataset(tmp_path)
    assert dataset.task == "audio-classification"
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [18, 6, 4]
    assert {dataset.sample_name("validation", n).split("/")[0] for n in range(6)} == {"val"}
    assert dataset.split_rule == "folders"
    (tmp_path / "train" / "maybe").mkdir()
    with pytest.raises(DataError, match=r"train/maybe: a class without WAV files") as caught:
        open_dataset(tmp_path)
    assert caught.value.hint == "remove the folder, or add files (.wav)"


@given(
    values=st.lists(st.integers(0, 255), min_size=1, max_size=40),
    length=st.integers(1, 50),
)
def test_every_width_gives_the_same_sound_in_minus_one_to_one(tmp_path_factory, values, length):
    folder = tmp_path_factory.mktemp("widths")
    levels = [value - 128 for value in values]
    wanted = np.zeros(length, np.float32)
    wanted[: len(levels)] = np.array(levels[:length], np.float32) / 128
    for width in (1, 2, 3, 4):
        stored = values if width == 1 else [v << 8 * (width - 1) for v in levels]
        path = write_wav(folder / f"{width}.wav", stored, width=width)
        np.testing.assert_allclose(read_wav(path, length, 8000), wanted, atol=1e-6)


def test_channels_are_averaged(tmp_path):
    path = write_wav(tmp_path / "two.wav", [16384, -16384, 16384, 0], channels=2)
    assert read_wav(path, 3, 8000).tolist() == [0.0, 0.25, 0.0]


def test_another_rate_is_an_error_that_names_file_and_both_rates(tmp_path):
    for number in range(10):
        write_wav(tmp_path / "a" / f"{number}.wav", [1] * 10)
        write_wav(tmp_path / "b" / f"{number}.wav", [1] * 10, rate=8000 if number else 44100)
    dataset = open_dataset(tmp_path)
    (issue,) = dataset.issues()
    assert (issue.where, issue.is_error) == ("b/0.wav", True)
    assert issue.problem == "44,100 Hz; most files have 8,000 Hz"
    with pytest.raises(DataError, match=r"b/0\.wav: 44,100 Hz; the model takes 8,000 Hz") as caught:
        read_all(dataset)
    assert "-ar 8000" in caught.value.hint


def test_a_range_other_than_one_is_met(tmp_path):
    dataset = open_dataset(spoken(tmp_path))
    spec = InputSpec("sound", "float32", (100,), "waveform", range=(0.0, 2.0), rate_hz=8000)
    plain = dataset.read("train", [0, 5], SPEC).inputs
    np.testing.assert_allclose(dataset.read("train", [0, 5], spec).inputs, plain + 1)


@pytest.mark.parametrize("keep", [0, 3, 20, 43, 60])
def test_a_damaged_file_is_named(tmp_path, keep):
    path = write_wav(tmp_path / "bad.wav", [5] * 40)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"bad\.wav"):
        read_wav(path, 100, 8000)


def test_a_header_that_promises_more_than_memory_holds_reads_no_more_than_the_model_takes(tmp_path):
    path = write_wav(tmp_path / "long.wav", [5] * 400)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(data)
    assert read_wav(path, 100, 8000).shape == (100,)
    with pytest.raises(DataError, match="cut short"):
        read_wav(path, 1000, 8000)


def test_an_input_that_takes_no_sound_is_refused(tmp_path):
    dataset = open_dataset(spoken(tmp_path))
    with pytest.raises(DataError, match="not sound"):
        dataset.read("train", [0], InputSpec("x", "int32", (100,), "tokens"))


def test_one_class_is_refused(tmp_path):
    write_wav(tmp_path / "only" / "a.wav", [1])
    with pytest.raises(DataError, match="1 WAV files of 1 classes"):
        open_dataset(tmp_path)


def test_numbers_wider_than_32_bits_are_refused(tmp_path):
    path = write_wav(tmp_path / "wide.wav", [0] * 10)
    data = bytearray(path.read_bytes())
    data[34:36] = (40).to_bytes(2, "little")  # bits of a number
    path.write_bytes(data)
    with pytest.raises(DataError, match="numbers of 40 bits"):
        read_wav(path, 2, 0)
