from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from edgekit.errors import ArtifactError
from edgekit.fields import Fields
from edgekit.ranges.audit import Audit
from edgekit.ranges.observing import Observations


def rows(*values):
    return np.array(values, np.float32).reshape(len(values), -1)


def test_pieces_of_any_size_give_the_same_limits_and_audit():
    values = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32)
    found = []
    for size in (1, 3, 20):
        seen = Observations(20)
        for start in range(0, 20, size):
            seen.add("x", values[start : start + size], start)
        found.append((seen.limits("mse"), seen.audit("mse", ["x"])))
    assert found[0] == found[1] == found[2]


def test_what_a_model_takes_and_gives_is_never_clipped():
    seen = Observations(100)
    values = np.random.default_rng(0).normal(size=(100, 4000)).astype(np.float32)
    values[7, 7] = 10.0
    for name in ("inner", "logits"):
        seen.add(name, values, 0)
    found = seen.limits("mse", exact={"logits"})
    assert found["inner"][1] < 8
    assert found["logits"][1] == 10


def test_a_range_that_grows_in_the_second_half_is_unstable_and_clips_unseen_values():
    seen = Observations(4)
    for place, top in enumerate((1.0, 1.0, 1.05, 2.0)):
        seen.add("grows", rows(np.linspace(0, top, 100)), place)
        seen.add("steady", rows(np.linspace(0, 1, 100)), place)
    audit = seen.audit("minmax", ["grows", "steady", "never seen"])
    assert (audit.tensors, audit.unstable, audit.clipped) == (2, 0.5, 0.0)
    assert 0.1 < audit.clipped_unseen < 0.2


def test_one_sample_has_no_second_half():
    seen = Observations(1)
    seen.add("x", rows(1.0), 0)
    assert seen.limits("minmax") == {"x": (0.0, 1.0)}
    audit = seen.audit("minmax", ["x"])
    assert (audit.unstable, audit.clipped_unseen) == (0.0, 0.0)


def test_an_audit_survives_json_and_strict_reading():
    audit = Audit("mse", 7, 0.25, 0.5, 0.125, repaired=3, largest_repair=2.5)
    assert Audit.from_json(audit.to_json()) == audit
    assert Audit.from_fields(Fields(audit.to_json(), "ranges", ArtifactError)) == audit
    plain = Audit("minmax", 7, 0.0, 0.0, 0.0)
    assert "repaired" not in plain.to_json()
    for change in ({"method": "guess"}, {"clipped": 2.0}, {"more": 1}, {"repaired": -1}):
        with pytest.raises(ArtifactError):
            Audit.from_fields(Fields({**audit.to_json(), **change}, "ranges", ArtifactError))


def test_ten_thousand_samples_take_no_more_memory_than_a_hundred():
    random = np.random.default_rng(0)
    values = [random.normal(size=(1, 6, 6, 8)).astype(np.float32) for _ in range(10)]
    taken = []
    for samples in (100, 10_000):
        seen = Observations(samples)
        tracemalloc.start()
        for place in range(samples):
            seen.add("x", values[place % 10], place)
        taken.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert taken[1] < 1.5 * taken[0] < 1_000_000
