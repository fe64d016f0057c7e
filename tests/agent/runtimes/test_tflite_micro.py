from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.agent.bundle import write_bundle
from edgekit.agent.runtimes.tflite_micro import ARENA_VARIABLE, TfliteMicro, arena_of
from edgekit.agent.runtimes.tflite_micro_arena import smallest
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.job import Job

pytest.importorskip("tflite_micro", reason="pip install -e '.[microcontroller]'")


@pytest.fixture
def load(tiny_models):
    def loaded(name, **options):
        path = tiny_models / f"{name}.tflite"
        return TfliteMicro().load(path, **{"threads": 1, "delegate": None, **options})

    return loaded


def test_tensors_are_described_with_their_grid(load):
    (taken,) = load("int8").inputs
    assert (taken.dtype, taken.shape, taken.zero_point) == ("int8", (1, 8, 8, 3), -128)
    assert taken.scale == pytest.approx(1 / 255, rel=0.05)
    (given_,) = load("float").outputs
    assert (given_.dtype, given_.shape, given_.scale) == ("float32", (1, 4), None)


def test_several_inputs_and_outputs_keep_their_order(load):
    model = load("pair")
    left, right = np.full((1, 5), 2.0, np.float32), np.full((1, 5), 3.0, np.float32)
    total, product = model([left, right])
    assert (total == 5).all()
    assert (product == 6).all()


def test_outputs_are_the_callers_own(load):
    model = load("pair")
    ones = [np.ones((1, 5), np.float32)] * 2
    (first, _), (second, _) = model(ones), model([np.zeros((1, 5), np.float32)] * 2)
    assert (first == 2).all()
    assert (second == 0).all()


def test_its_arena_is_told_and_adds_up(load):
    facts = load("int8").facts
    assert facts["arena_total_bytes"] == (
        facts["arena_tensor_bytes"] + facts["arena_persistent_bytes"]
    )
    assert facts["arena_tensor_bytes"] > 0


def test_an_allocator_that_prints_something_else_is_a_fault():
    class Silent:
        def print_allocations(self):
            pass

    with pytest.raises(RuntimeFault, match="in another form"):
        arena_of(Silent())


def test_it_has_neither_delegates_nor_threads(load):
    with pytest.raises(DeviceError, match="delegate 'xnnpack' is not present"):
        load("int8", delegate="xnnpack")
    with pytest.raises(DeviceError, match="one thread"):
        load("int8", threads=2)
    assert load("int8", delegate="reference").placement().delegated == 0


@given(st.integers(1, 10**6), st.integers(0, 10**5))
def test_the_smallest_arena_is_found_without_asking_far_below(total, more):
    asked = []

    def loads(size):
        asked.append(size)
        return size >= total + more

    found = smallest(total, loads)
    assert found % 16 == 0
    assert found - 16 < total + more <= found
    assert min(asked) >= total
    assert len(asked) < 40


def test_a_file_that_fits_nowhere_ends_the_search():
    with pytest.raises(RuntimeFault, match="no arena up to"):
        smallest(1000, lambda size: False)


@pytest.mark.parametrize("arena", ["", "1000"])
def test_the_zipapp_runs_it_too_though_stderr_is_a_pipe(tmp_path, tiny_models, arena):
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8, 3), np.int8))
    job = Job(
        "run",
        runtime="tflite-micro",
        model=str(tiny_models / "int8.tflite"),
        inputs=str(tmp_path / "x.npy"),
        outputs=str(tmp_path / "y.npy"),
    )
    agent = write_bundle(tmp_path / "agent.pyz")
    done = subprocess.run(
        [sys.executable, agent],
        input=json.dumps(job.to_json()),
        env={ARENA_VARIABLE: arena},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["ok"] is not bool(arena)
    if arena:
        assert "cannot load int8.tflite" in answer["error"]["message"]
