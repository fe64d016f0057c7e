from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.store import synthetic_run, synthetic_turn
from edgekit.errors import DeviceError
from edgekit.run import Run, read_run


@pytest.fixture
def run():
    """Two contenders, three rounds."""
    import random

    chance = random.Random(3)
    turns = [
        synthetic_turn(chance, who, at, blocks=1, calls=9) for at in range(3) for who in (0, 1)
    ]
    return replace(synthetic_run("mobilenet"), turns=tuple(turns))


def test_a_file_holds_a_run_with_and_without_what_a_store_told_of_it(run, tmp_path):
    file = tmp_path / "run.json"
    for told in ({}, {"number": 12, "finished": "2026-11-21T23:17:28Z"}, {"finished": None}):
        file.write_text(json.dumps({**told, **run.to_json()}))
        assert read_run(file) == Run.from_json(run.to_json())


def test_what_is_wrong_in_a_file_is_told_with_its_name(run, tmp_path):
    file = tmp_path / "run.json"
    document = run.to_json()
    document["contenders"][1]["threads"] = 2000
    file.write_text(json.dumps(document))
    with pytest.raises(
        DeviceError, match=r"run\.json: contender: threads: 2000 is outside"
    ) as caught:
        read_run(file)
    assert caught.value.message.count("run.json") == 1


def test_a_contender_has_one_turn_a_round(run):
    document = run.to_json()
    Run.from_json(document)
    document["turns"].append({**document["turns"][0], "position": 1})
    with pytest.raises(DeviceError, match=r"run: .* has 2 turns in round 0"):
        Run.from_json(document)


def test_a_clock_that_never_moved_is_no_measurement(run):
    document = run.to_json()
    samples = document["turns"][0]["measurement"]["samples_ns"]
    samples[1:] = [0] * (len(samples) - 1)
    Run.from_json(document)
    samples[0] = 0
    with pytest.raises(DeviceError, match="every timed call took 0 ns"):
        Run.from_json(document)
