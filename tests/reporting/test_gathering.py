from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import ArtifactError, DeviceError, FileError, StoreError, UsageError
from edgekit.moments import moment_before
from edgekit.reporting.gathering import gather
from edgekit.store import Store


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    """A folder to stand in, and a store of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


def keep(run, *, finish=True):
    with Store.open() as store:
        number = store.begin(replace(run, turns=()))
        for round_ in range(run.rounds):
            store.add_round(number, [turn for turn in run.turns if turn.round == round_])
        if finish:
            store.finish(number)
        return number


def numbers(sources):
    return [one.number for one in gather(sources)[1]]


def test_a_runs_file_and_its_number_give_the_same_run(usual):
    Path("run.json").write_text(json.dumps(usual.to_json()))
    number = keep(usual)
    from_file, from_store = gather(["run.json"])[1][0], gather([f"run:{number}"])[1][0]
    assert from_file.run == usual
    assert from_store.run.turns == usual.turns
    assert (from_file.number, from_store.number) == (None, number)


def test_a_run_that_was_ended_is_known_to_be_unfinished(usual):
    ended = keep(usual, finish=False)
    assert not gather([f"run:{ended}"])[1][0].finished
    with Store.open() as store:
        store.finish(ended)
    assert gather([f"run:{ended}"])[1][0].finished


def test_a_query_finds_the_newest_finished_run_of_each_command_and_device(make):
    def kept(started, **fields):
        run = make.run([(make.contender(), 0.3)], rounds=1)
        return keep(replace(run, started=started, key=started.ljust(64, "0"), **fields))

    kept("2026-11-01T00:00:00Z")
    newer = kept("2026-11-02T00:00:00Z")
    elsewhere = kept("2026-11-01T12:00:00Z", device="pi5")
    longer = kept("2026-11-01T13:00:00Z", command="sustained")
    assert sorted(numbers(["model=mobilenet"])) == sorted([newer, elsewhere, longer])
    assert numbers(["model=mobilenet,device=pi5"]) == [elsewhere]
    assert numbers(["command=sustained"]) == [longer]
    with pytest.raises(UsageError, match="no finished run in the store fits"):
        gather(["model=other"])


def test_a_query_takes_an_age_or_a_date_for_since(make):
    ages = [1 / 24, 2, 9]
    first, second, third = (
        keep(
            make.run(
                [(make.contender(), 0.3)],
                rounds=1,
                started=moment_before(days=age),
                key=f"{age}",
                device=f"pi{age:.0f}",
            )
        )
        for age in ages
    )
    assert numbers(["since=5h"]) == [first]
    assert sorted(numbers(["since=7d"])) == [first, second]
    assert sorted(numbers([f"since={moment_before(days=8)[:10]}"])) == [first, second]
    assert sorted(numbers(["model=mobilenet,since=2020-01-01T00:00"])) == [first, second, third]


def test_a_query_shows_only_the_contenders_that_fit(usual):
    keep(usual)
    (one,) = gather(["model=mobilenet,target=onnx"])[1]
    assert one.only == {usual.contenders[1].sha256}
    sha256 = usual.contenders[2].sha256
    assert gather([f"sha256={sha256[:10]}"])[1][0].only == {sha256}


def test_a_folder_finds_the_runs_of_its_artifacts(make, make_artifact):
    artifact = make_artifact("onnx")
    artifacts, runs, _ = gather(["build"])
    assert [one.sha256 for one in artifacts] == [artifact.sha256]
    assert runs == []
    mine = make.contender(sha256=artifact.sha256)
    number = keep(make.run([(mine, 0.3), (make.contender("onnx-int8"), 0.5)], rounds=1))
    keep(make.run([(make.contender("onnx-int8"), 0.5)], rounds=1, key="1" * 64))
    (one,) = gather(["build"])[1]
    assert (one.number, one.only) == (number, {artifact.sha256})
    assert numbers(["build", f"run:{number}"]) == [number]


def test_a_damaged_run_is_left_out_with_a_warning(make, make_artifact):
    mine = make.contender(sha256=make_artifact("onnx").sha256)
    for day in (1, 2, 3):
        run = make.run([(mine, 0.3)], rounds=1, started=f"2026-11-0{day}T00:00:00Z", key=f"{day}")
        keep(run)
    with closing(sqlite3.connect("store.sqlite")) as database, database:
        database.execute("UPDATE run SET facts = '{bad' WHERE number = 3")
        database.execute("UPDATE turn SET samples = x'00' WHERE run = 2")
    for source in ("model=mobilenet", "build"):
        _, (one,), warnings = gather([source])
        assert one.number == 1
        assert [told.split(": ")[1] for told in warnings] == [
            "run 3",
            "run 2, round 0, contender 0",
        ]


def test_a_run_that_was_named_twice_is_shown_once_and_whole(usual):
    number = keep(usual)
    (one,) = gather(["target=onnx", f"run:{number}", "target=tflite"])[1]
    assert one.only is None
    (both,) = gather(["target=onnx", "target=tflite"])[1]
    assert both.only == {one.sha256 for one in usual.contenders[:2]}


@pytest.mark.parametrize(
    ("source", "error", "complaint"),
    [
        ("nothing", UsageError, "no such file or folder"),
        ("run:x", UsageError, "names no run"),
        ("run:" + "9" * 5000, UsageError, "names no run"),
        ("run:77", StoreError, "77"),
        ("colour=red", UsageError, "'colour=red' is no query"),
        ("model=", UsageError, "'model=' is no query"),
        ("since=banana", UsageError, "'banana': expected a date like 2026-11-21, or an age"),
        ("command=race", UsageError, "a command is one of profile"),
        ("empty", ArtifactError, "holds no artifact"),
        ("broken.json", DeviceError, "not valid JSON"),
        ("deep.json", DeviceError, "not valid JSON"),
        ("other.json", DeviceError, "format"),
    ],
)
def test_a_source_of_no_kind_is_refused(source, error, complaint):
    Path("empty").mkdir()
    Path("broken.json").write_bytes(b"\xff{")
    Path("deep.json").write_text("[" * 200_000)
    Path("other.json").write_text('{"format": 1}')
    with pytest.raises(error, match=complaint):
        gather([source])


def test_a_file_of_any_size_is_not_read(monkeypatch):
    monkeypatch.setattr("edgekit.run.MOST_BYTES", 10)
    Path("run.json").write_text('{"format": 2, "key": ""}')
    with pytest.raises(FileError, match="24 bytes"):
        gather(["run.json"])
