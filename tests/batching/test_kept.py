from __future__ import annotations

import os
import time

import numpy as np
import pytest

from edgekit.batching.kept import Answers, Batch, KeptAnswers
from edgekit.files import cache_folder

SAMPLES = {"x": np.arange(40, dtype=np.float32).reshape(20, 2)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


def answers(count, value=0.5):
    return Answers([np.full((count, 3), value, np.float32)], {"nodename": "pi"})


def files():
    return sorted(path.name for path in cache_folder().rglob("*.npz"))


def keep(kept, start, count, value=0.5, samples=SAMPLES):
    batch = Batch.of(samples, start, count)
    assert kept.keep(batch, answers(count, value))
    return batch


def test_what_was_kept_comes_back_as_it_was():
    kept = KeptAnswers({"sha256": "a"})
    batch = keep(kept, 4, 6, 0.25)
    assert kept.batches(SAMPLES) == [batch]
    found = kept.load(batch)
    assert np.array_equal(found.outputs[0], np.full((6, 3), 0.25, np.float32))
    assert found.facts == {"nodename": "pi"}


def test_another_file_runtime_or_device_finds_nothing():
    keep(KeptAnswers({"sha256": "a", "runtime": ["litert", {"version": "2.3"}]}), 0, 4)
    for other in ({"sha256": "b"}, {"sha256": "a", "runtime": ["litert", {"version": "2.4"}]}):
        assert KeptAnswers(other).batches(SAMPLES) == []


def test_a_batch_is_found_by_what_its_samples_hold():
    kept = KeptAnswers({})
    keep(kept, 0, 4)
    second = keep(kept, 4, 4)
    changed = {"x": SAMPLES["x"].copy()}
    changed["x"][2, 1] += 1
    assert kept.batches(changed) == [second]
    assert kept.batches({"x": SAMPLES["x"].astype(np.float64)}) == []
    assert kept.batches({"y": SAMPLES["x"]}) == []
    assert kept.batches({"x": SAMPLES["x"][:6]}) == [Batch.of(SAMPLES, 0, 4)]


def test_no_sample_is_answered_twice():
    kept = KeptAnswers({})
    keep(kept, 0, 4)
    wide = keep(kept, 0, 10)
    keep(kept, 8, 4)
    last = keep(kept, 12, 4)
    assert kept.batches(SAMPLES) == [wide, last]


def test_a_damaged_file_is_removed_and_not_believed():
    kept = KeptAnswers({})
    batch = keep(kept, 0, 4)
    (path,) = cache_folder().rglob("*.npz")
    whole = path.read_bytes()
    for damaged in (b"", whole[:200], whole.replace(b"\x00\x00\x00\x3f", b"\x00\x00\x80\x3f", 1)):
        path.write_bytes(damaged)
        assert kept.load(batch) is None
        assert not path.exists()


def test_a_pickled_file_is_refused():
    kept = KeptAnswers({})
    batch = keep(kept, 0, 1)
    (path,) = cache_folder().rglob("*.npz")
    np.savez(path, **{"0": np.array([{}], object), "facts": np.frombuffer(b"{}", np.uint8)})
    assert kept.load(batch) is None


def test_forgetting_is_of_one_file_on_one_device():
    one, other = KeptAnswers({"sha256": "a"}), KeptAnswers({"sha256": "b"})
    keep(one, 0, 4)
    batch = keep(other, 0, 4)
    one.forget()
    assert (one.batches(SAMPLES), other.batches(SAMPLES)) == ([], [batch])


def test_the_longest_unused_goes_first_when_there_is_too_much():
    kept = KeptAnswers({}, most_bytes=2000)
    old, used = keep(kept, 0, 4), keep(kept, 4, 4)
    for path in cache_folder().rglob("*.npz"):
        os.utime(path, (1, time.time() - (50 if path.name.startswith("0-") else 100)))
    assert kept.load(used)  # which makes it the youngest
    new = [keep(kept, start, 2) for start in range(8, 12, 2)]
    assert old not in kept.batches(SAMPLES)
    assert new[-1] in kept.batches(SAMPLES)
    assert sum(path.stat().st_size for path in cache_folder().rglob("*.npz")) <= 2000


def test_what_nobody_used_for_a_month_goes():
    kept = KeptAnswers({})
    keep(kept, 0, 4)
    (path,) = cache_folder().rglob("*.npz")
    os.utime(path, (1, time.time() - 31 * 86_400))
    kept.prune()
    assert files() == []
    assert list((cache_folder() / "answers").iterdir()) == []


def test_answers_that_would_fill_the_place_are_not_kept():
    kept = KeptAnswers({}, most_bytes=1000)
    batch = Batch.of(SAMPLES, 0, 20)
    assert not kept.keep(batch, Answers([np.zeros((20, 100), np.float32)], {}))
    assert files() == []
