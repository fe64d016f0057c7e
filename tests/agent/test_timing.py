from __future__ import annotations

import gc

import numpy as np
import pytest

from edgekit.agent import timing
from edgekit.agent.timing import random_inputs, time_calls
from edgekit.errors import DataError
from edgekit.job import Timing
from edgekit.tensor import TensorInfo


class Recorder:
    """A model that does nothing but remember what was asked of it, and when."""

    def __init__(self):
        self.steps = []
        self.collecting = []

    def set_inputs(self, arrays):
        self.steps.append("set")

    def invoke(self):
        self.steps.append("invoke")
        self.collecting.append(gc.isenabled())

    def get_outputs(self):
        self.steps.append("get")
        return []


class Clock:
    """Time that passes only where a model says so, in ns."""

    def __init__(self, monkeypatch, set_ns, invoke_ns, get_ns):
        self.now = 0
        self.costs = {"set": set_ns, "invoke": invoke_ns, "get": get_ns}
        monkeypatch.setattr(timing.time, "perf_counter_ns", lambda: self.now)
        monkeypatch.setattr(timing.time, "process_time_ns", lambda: self.now)

    def set_inputs(self, arrays):
        self.now += self.costs["set"]

    def invoke(self):
        self.now += self.costs["invoke"]

    def get_outputs(self):
        self.now += self.costs["get"]
        return []


def test_every_call_sets_invokes_and_reads_in_that_order():
    model = Recorder()
    time_calls(model, [], Timing(warmup_calls=3, seconds=0.0, min_calls=5))
    assert model.steps == ["set", "invoke", "get"] * (1 + 3 + 5)


def test_first_call_warm_up_and_timed_calls_are_kept_apart():
    series = time_calls(Recorder(), [], Timing(warmup_calls=4, seconds=0.0, min_calls=6))
    assert (len(series.warmup_ns), len(series.samples_ns)) == (4, 6)
    assert len(series.call_ns) == len(series.cpu_ns) == 6
    assert series.first_ns > 0


def test_invoke_alone_and_the_whole_call_are_timed_apart(monkeypatch):
    clock = Clock(monkeypatch, set_ns=100, invoke_ns=1000, get_ns=10)
    series = time_calls(clock, [], Timing(warmup_calls=2, seconds=0.0, min_calls=3))
    assert series.samples_ns == (1000, 1000, 1000)
    assert series.call_ns == (1110, 1110, 1110)
    assert series.cpu_ns == (1000, 1000, 1000)
    assert series.first_ns == 1110
    assert series.warmup_ns == (1000, 1000)


def test_calls_go_on_until_the_time_is_over(monkeypatch):
    clock = Clock(monkeypatch, set_ns=0, invoke_ns=1_000_000, get_ns=0)
    series = time_calls(clock, [], Timing(warmup_calls=1, seconds=0.05, min_calls=3))
    assert len(series.samples_ns) == 50


def test_a_slow_model_still_makes_the_least_number_of_calls(monkeypatch):
    clock = Clock(monkeypatch, set_ns=0, invoke_ns=10**9, get_ns=0)
    series = time_calls(clock, [], Timing(warmup_calls=1, seconds=0.3, min_calls=30))
    assert len(series.samples_ns) == 30


def test_calls_are_bounded_however_fast_they_are(monkeypatch):
    monkeypatch.setattr(timing, "MOST_CALLS", 500)
    series = time_calls(Recorder(), [], Timing(warmup_calls=1, seconds=3600.0, min_calls=1))
    assert len(series.samples_ns) == 500


def test_the_garbage_collector_rests_during_timed_calls_and_is_restored():
    model = Recorder()
    time_calls(model, [], Timing(warmup_calls=1, seconds=0.0, min_calls=4))
    assert model.collecting[-4:] == [False] * 4
    assert gc.isenabled()


def test_the_garbage_collector_is_restored_after_a_failure_too():
    class Failing(Recorder):
        def invoke(self):
            super().invoke()
            if not gc.isenabled():
                raise RuntimeError

    with pytest.raises(RuntimeError):
        time_calls(Failing(), [], Timing(warmup_calls=1, seconds=0.0, min_calls=4))
    assert gc.isenabled()


def test_what_frames_the_timed_calls_lies_outside_warm_up():
    model = Recorder()
    marks = []
    time_calls(
        model,
        [],
        Timing(warmup_calls=2, seconds=0.0, min_calls=3),
        before_timed=lambda: marks.append(len(model.steps)),
        after_timed=lambda: marks.append(len(model.steps)),
    )
    assert marks == [3 * 3, 3 * 6]


def test_random_inputs_have_a_batch_of_one_and_the_inputs_dtype():
    tensors = [
        TensorInfo("a", "uint8", (-1, 4)),
        TensorInfo("b", "int8", (1, 64)),
        TensorInfo("c", "float32", (1, 3)),
        TensorInfo("d", "int64", (1, 9)),
    ]
    arrays = random_inputs(tensors)
    assert [array.dtype.name for array in arrays] == ["uint8", "int8", "float32", "int64"]
    assert [array.shape for array in arrays] == [(1, 4), (1, 64), (1, 3), (1, 9)]
    assert arrays[1].min() < -64
    assert arrays[1].max() > 64
    assert 0 <= arrays[2].min() <= arrays[2].max() < 1
    assert set(np.unique(arrays[3])) <= {0, 1}


def test_an_open_size_needs_real_samples():
    with pytest.raises(DataError, match=r"input a has open sizes \(1, -1\)"):
        random_inputs([TensorInfo("a", "float32", (1, -1))])
