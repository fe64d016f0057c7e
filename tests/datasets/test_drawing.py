from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.datasets import Dataset, Samples, draw
from edgekit.datasets.glyphs import Glyphs
from edgekit.errors import DataError, FileError
from edgekit.files import cache_folder, digest_json
from edgekit.spec import InputSpec

RGB32 = InputSpec("image", "uint8", (32, 32, 3), "HWC")
PAIR = InputSpec("pair", "float32", (2,))


class Counting(Dataset):
    """Sample i is (i, label); remembers what was read."""

    name = "counting"
    reference = "counting"
    costly = False

    def __init__(self, labels, key="a"):
        self._labels = np.array(labels, np.int64)
        self.classes = ("a", "b", "c")
        self.read_indices = []
        self._key = key

    def fingerprint(self):
        return self._key

    def size(self, split):
        return len(self._labels) if split == "train" else 0

    def labels(self, split):
        return self._labels

    def read(self, split, indices, spec):
        self.read_indices += list(indices)
        labels = self._labels[list(indices)]
        return Samples(np.stack([np.array(indices), labels], axis=1).astype(np.float32), labels)


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def test_drawn_samples_are_those_that_reading_gives_and_their_digest_repeats(fresh_cache, tmp_path):
    drawn = draw(Glyphs(), "test", 72, [RGB32])
    inputs = np.load(drawn.folder / "inputs.npy", mmap_mode="r")
    labels = np.load(drawn.folder / "labels.npy")
    wanted = Glyphs().read("test", range(72), RGB32)
    assert np.array_equal(inputs, wanted.inputs)
    assert np.array_equal(labels, wanted.labels)
    assert drawn.count == 72


def test_many_samples_drawn_by_several_processes_are_the_same_bytes(fresh_cache, monkeypatch):
    spread = draw(Glyphs(), "test", 648, [RGB32])
    monkeypatch.setattr("edgekit.datasets.drawing.useful_processes", lambda dataset, count: 0)
    monkeypatch.setenv("EDGEKIT_CACHE", str(cache_folder() / "other"))
    assert draw(Glyphs(), "test", 648, [RGB32]).digest == spread.digest


def test_a_second_draw_reads_nothing(fresh_cache):
    dataset = Counting([0, 1, 2] * 5)
    first = draw(dataset, "train", 9, [PAIR])
    read = len(dataset.read_indices)
    assert draw(dataset, "train", 9, [PAIR]) == first
    assert len(dataset.read_indices) == read


def test_another_content_count_or_input_is_drawn_apart(fresh_cache):
    dataset = Counting([0, 1, 2] * 5)
    folders = {
        draw(dataset, "train", 9, [PAIR]).folder,
        draw(dataset, "train", 10, [PAIR]).folder,
        draw(Counting([0, 1, 2] * 5, key="b"), "train", 9, [PAIR]).folder,
        draw(dataset, "train", 9, [InputSpec("two", "float32", (2,), range=(0.0, 1.0))]).folder,
    }
    assert len(folders) == 4


def test_a_damaged_cache_entry_is_drawn_anew(fresh_cache):
    drawn = draw(Counting([0, 1, 2] * 5), "train", 9, [PAIR])
    (drawn.folder / "drawn.json").write_text("{")
    assert draw(Counting([0, 1, 2] * 5), "train", 9, [PAIR]) == drawn


def test_a_split_with_fewer_samples_gives_all_it_has(fresh_cache):
    drawn = draw(Counting([0, 1, 1]), "train", 100, [PAIR])
    assert drawn.count == 3


def test_an_absent_split_is_refused_with_what_there_is(fresh_cache):
    with pytest.raises(DataError, match="the split 'test' has no samples") as caught:
        draw(Counting([0, 1, 2]), "test", 10, [PAIR])
    assert caught.value.details == ("it has: train 3",)


def test_samples_of_another_shape_than_promised_are_refused_and_leave_nothing(fresh_cache):
    wide = InputSpec("wide", "float32", (5,))
    with pytest.raises(DataError, match=r"counting gave float32 \[3, 2\]; .* takes float32"):
        draw(Counting([0, 1, 2]), "train", 3, [wide])
    assert list((cache_folder() / "samples").iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_nothing(fresh_cache, monkeypatch):
    import errno

    def full(path, row, values):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("edgekit.datasets.readers._write_rows", full)
    with pytest.raises(FileError, match=r"the cache folder .*: No space left on device"):
        draw(Counting([0, 1, 2]), "train", 3, [PAIR])
    assert list((cache_folder() / "samples").iterdir()) == []


def test_an_error_in_a_reading_process_keeps_its_words(fresh_cache, tmp_path):
    from PIL import Image

    folder = tmp_path / "pictures"
    for name in ("cat", "dog"):
        (folder / "train" / name).mkdir(parents=True)
        for number in range(400):
            Image.new("RGB", (4, 4)).save(folder / "train" / name / f"{number}.png")
    (folder / "train" / "dog" / "123.png").write_bytes(b"no picture")
    from edgekit.datasets import open_dataset

    dataset = open_dataset(folder)
    with pytest.raises(DataError, match=r"123\.png: not a readable picture; 1 bad of"):
        draw(dataset, "train", 10_000, [RGB32])


@given(
    labels=st.lists(st.integers(0, 2), min_size=1, max_size=60),
    count=st.integers(1, 70),
)
def test_chosen_samples_are_distinct_and_as_balanced_as_the_split_allows(labels, count):
    chosen = list(Counting(labels).choose("train", count))
    assert len(set(chosen)) == len(chosen) == min(count, len(labels))
    have = np.bincount(labels, minlength=3)
    got = np.bincount(np.array(labels)[chosen], minlength=3)
    # A class falls behind another only when it has no more to give.
    for a in range(3):
        for b in range(3):
            assert got[a] >= got[b] - 1 or got[a] == have[a]


def test_drawn_folder_is_below_the_cache(fresh_cache):
    drawn = draw(Counting([0, 1, 2]), "train", 3, [PAIR])
    assert drawn.folder.parent == Path(cache_folder()) / "samples"


def test_a_cache_that_cannot_be_made_is_called_one_and_no_space_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(FileError, match=r"^the cache folder .*cache cannot be written: ") as caught:
        draw(Counting([0, 1, 2] * 5), "train", 9, [PAIR])
    assert caught.value.hint == "set EDGEKIT_CACHE to a folder that can be written"


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "the cache folder",
            "free some space",
        ),
        (OSError("64 requested and 0 written"), "the cache folder", "free some space"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x/a.png"), "/x/a.png: No such", ""),
    ],
)
def test_the_system_refusals_that_are_the_caches_are_told_from_the_data_sets(
    fresh_cache, monkeypatch, error, message, hint
):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr("edgekit.datasets.drawing._fill", refuse)
    with pytest.raises(FileError) as caught:
        draw(Counting([0, 1, 2] * 5), "train", 9, [PAIR])
    assert caught.value.message.startswith(message)
    assert (caught.value.hint or "").startswith(hint)


class Two(Counting):
    """The same, an array for each of two inputs; labels only with the first."""

    input_names = ("pair", "number")

    def read(self, split, indices, spec):
        found = super().read(split, indices, PAIR)
        if spec.name == "pair":
            return found
        return Samples(-np.array(indices, np.float32), None)


def test_of_several_inputs_each_has_a_file_and_the_digest_is_of_all(fresh_cache):
    specs = [PAIR, InputSpec("number", "float32", ())]
    drawn = draw(Two([0, 1, 2] * 5), "train", 9, specs)
    assert sorted(path.name for path in drawn.inputs.iterdir()) == ["number.npy", "pair.npy"]
    found = drawn.read(specs)
    assert np.array_equal(found["number"], -found["pair"][:, 0])
    assert np.array_equal(np.load(drawn.folder / "labels.npy"), found["pair"][:, 1])
    assert draw(Two([0, 1, 2] * 5), "train", 9, specs) == drawn
    pairs = draw(Two([0, 1, 2] * 5), "train", 9, specs[:1])
    assert pairs.inputs.name == "inputs.npy"
    assert pairs.digest != drawn.digest


def test_the_key_of_a_draw_for_one_input_is_that_of_its_spec_alone(fresh_cache):
    what = {
        "format": 1, "dataset": "a", "split": "train", "count": 9, "spec": PAIR.to_json(),
    }  # fmt: skip
    drawn = draw(Counting([0, 1, 2] * 5), "train", 9, [PAIR])
    assert drawn.folder.name == digest_json(what)


def test_a_data_set_that_feeds_one_input_draws_for_no_other(fresh_cache):
    with pytest.raises(DataError, match="counting feeds one input; the model has 2: pair, other"):
        draw(Counting([0, 1, 2]), "train", 3, [PAIR, InputSpec("other", "float32", (2,))])
