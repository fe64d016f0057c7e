from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit.training.strategy import Workers, read_workers


@pytest.mark.slow
@pytest.mark.parametrize("clip", [[], ["clip"]])
def test_copies_and_workers_with_half_a_batch_take_the_steps_of_one_model_with_all_of_it(
    clip, tests_folder, tmp_path
):
    script = tests_folder / "training" / "strategy_child.py"
    configs = two_workers()
    asked = {"none": ["none", None], "mirrored": ["mirrored", None]}
    asked |= {f"worker{n}": ["multiworker", configs[n]] for n in range(2)}
    processes = {
        name: start([sys.executable, script, strategy, tmp_path / f"{name}.npz", *clip], config)
        for name, (strategy, config) in asked.items()
    }
    found = {}
    for name, process in processes.items():
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
        with np.load(tmp_path / f"{name}.npz") as arrays:
            found[name] = {key: arrays[key] for key in arrays.files}
    one = found.pop("none")
    for name, other in found.items():
        assert one.keys() == other.keys()
        for key in one:
            assert np.allclose(one[key], other[key], rtol=1e-4, atol=1e-6), (name, key)
    for key in one:  # to the last bit: workers may not drift apart
        assert np.array_equal(found["worker0"][key], found["worker1"][key]), key
    assert one["figures"][0, 0] != pytest.approx(one["figures"][-1, 0], rel=1e-3)


@pytest.mark.slow
def test_two_workers_train_one_model_and_the_first_one_writes_it(tiny, colours, tmp_path):
    out = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "edgekit", "train", str(tiny), "--data", str(colours)),
        *("--epochs", "4", "--out", str(out), "--strategy", "multiworker", "--json"),
    ]
    processes = [start(command, config) for config in two_workers()]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    results = [json.loads(stdout) for stdout, _ in said]
    # Each measured its own weights: the first those in the file, the other those in its memory.
    assert results[0]["validation"] == results[1]["validation"]
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["test"]["value"] > 50  # chance is 33
    history = json.loads((out / "history.json").read_text())["history"]
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < history[0]["loss"]


def start(command, config):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    if config:
        environment["TF_CONFIG"] = json.dumps(config)
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def two_workers():
    cluster = {"worker": [f"127.0.0.1:{_free_port()}" for _ in range(2)]}
    return [{"cluster": cluster, "task": {"type": "worker", "index": n}} for n in range(2)]


def _free_port():
    with socket.socket() as open_socket:
        open_socket.bind(("127.0.0.1", 0))
        return open_socket.getsockname()[1]


def test_a_worker_knows_its_number_from_the_environment(monkeypatch):
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert read_workers("multiworker") == Workers(1, 2)
    assert read_workers("mirrored") == Workers(0, 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "TF_CONFIG is not set"),
        ("{", "TF_CONFIG: not JSON"),
        ('{"cluster": {"worker": []}, "task": {}}', "worker: 0 entries"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "type: 'ps'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "index: 1"),
    ],
)
def test_a_worker_that_does_not_know_its_place_says_what_is_missing(text, complaint, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match=complaint):
        read_workers("multiworker")
