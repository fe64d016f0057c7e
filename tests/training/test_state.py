from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.training.state import TrainingState


@pytest.fixture
def state():
    arrays = {
        "variables": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(4, np.uint32)],
        "average": [],
    }
    return TrainingState({"seed": 1, "recipe": {"ema": 0.9}}, 3, [{"epoch": 1}], arrays)


def test_a_state_is_read_as_it_was_written(state, tmp_path):
    state.write(tmp_path / "state.npz")
    read = TrainingState.read(tmp_path / "state.npz")
    assert (read.identity, read.epoch, read.history) == (state.identity, 3, [{"epoch": 1}])
    assert read.arrays["average"] == []
    for a, b in zip(read.arrays["variables"], state.arrays["variables"], strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)


def test_no_file_is_no_state(tmp_path):
    assert TrainingState.read(tmp_path / "state.npz") is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_damaged_state_is_refused_with_the_way_out(state, tmp_path, share):
    path = tmp_path / "state.npz"
    state.write(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match="cannot be resumed from") as caught:
        TrainingState.read(path)
    assert caught.value.hint == "--no-resume starts over"


def test_what_differs_is_told_key_by_key(state):
    other = {"seed": 2, "recipe": {"ema": 0.9}}
    assert state.differences(other) == ["seed: was 1, now 2"]
    assert state.differences(dict(state.identity)) == []


def test_what_differs_is_named_down_to_the_key(state):
    now = {"seed": 1, "recipe": {"ema": 0.5, "stages": [{"epochs": 3}]}, "start": None}
    assert state.differences(now) == [
        "recipe.ema: was 0.9, now 0.5",
        'recipe.stages: was null, now [{"epochs": 3}]',
    ]
    assert state.differences(state.identity) == []
