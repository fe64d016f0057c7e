from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.store import synthetic_run, synthetic_turn
from edgekit.cli import main
from edgekit.run import Run
from edgekit.store import KeptEvaluation, Store


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A store of its own with two finished runs and an unfinished one."""
    import random

    place = tmp_path / "measurements.sqlite"
    monkeypatch.setenv("EDGEKIT_STORE", str(place))
    chance = random.Random(2)
    with Store.open(place) as store:
        for day, name in ((20, "mobilenet"), (21, "yolo"), (22, "mobilenet")):
            run = replace(synthetic_run(name), started=f"2026-11-{day}T08:00:00Z", key=f"{day}")
            number = store.begin(run)
            for at in range(6):
                turns = [synthetic_turn(chance, who, at, blocks=2, calls=70) for who in (0, 1)]
                store.add_round(number, turns)
            if day != 22:
                store.finish(number)
    return place


@pytest.fixture
def history(capsys):
    """Run one `edgekit history` and give its status, output and errors."""

    def call(*words):
        status = main(["history", *map(str, words)])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def test_without_a_verb_runs_are_listed_newest_first(place, history):
    status, out, err = history()
    assert (status, err) == (0, "")
    rows = [line.split()[0] for line in out.splitlines()[2:]]
    assert rows == ["3", "2", "1"]
    assert "unfinished" in out.splitlines()[2]
    assert out.count("unfinished") == 1
    assert history("list")[1] == out


def test_filters_choose_runs_with_and_without_the_verb(place, history):
    def numbers(*words):
        return [run["number"] for run in json.loads(history(*words, "--json")[1])["runs"]]

    assert numbers("list", "--model", "mobilenet") == [3, 1]
    assert numbers("--model", "mobilenet", "--finished") == [1]
    assert numbers("--unfinished") == [3]
    assert numbers("--since", "2026-11-21") == [3, 2]
    assert numbers("--since", "2026-11-21T09:00:00+01:00", "--limit", "1") == [3]
    assert numbers("--precision", "int8", "--target", "tflite", "--command", "profile") == [3, 2, 1]
    assert numbers("--sha256", "00") == [3, 2, 1]
    assert numbers("--device", "pi") == []


def test_a_name_that_no_run_has_is_told_with_what_may_be_meant(place, history):
    status, out, err = history("--model", "mobilnet")
    assert (status, out) == (0, "no run fits, of 3\n")
    assert "no run has the model 'mobilnet'; did you mean mobilenet?" in err


def test_an_empty_store_says_so(tmp_path, monkeypatch, history):
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "none.sqlite"))
    assert history() == (0, f"no runs in {tmp_path / 'none.sqlite'}\n", "")


def test_evaluations_are_listed_newest_first(place, history):
    metric = {"name": "top1", "value": 91.234, "ci95": [90.1, 92.2]}
    one = KeptEvaluation(
        sha256="ab" * 32, model="mobilenet", target="onnx", precision="int8", dataset="glyphs",
        split="test", samples=2016, sample_digest="c" * 64, metric=metric, device="local-cpu",
        runtime="onnxruntime", started="2026-11-21T09:00:00Z", hits=None,
    )  # fmt: skip
    with Store.open(place) as store:
        store.add_evaluation(one)
        store.add_evaluation(replace(one, model="vit", started="2026-11-21T10:00:00Z"))
    status, out, _ = history("evaluations")
    rows = out.splitlines()[2:]
    assert status == 0
    assert ["vit" in row for row in rows] == [True, False]
    assert "mobilenet onnx-int8" in rows[1]
    assert [row.split()[0] for row in rows] == ["2", "1"]
    listed = json.loads(history("evaluations", "--json")[1])["evaluations"]
    assert [(one["number"], one["model"]) for one in listed] == [(2, "vit"), (1, "mobilenet")]
    assert "top1 91.23 [90.10, 92.20]" in rows[1]
    (found,) = json.loads(history("evaluations", "--model", "vit", "--json")[1])["evaluations"]
    assert (found["model"], found["metric"]["value"], found["hits"]) == ("vit", 91.234, None)
    assert history("evaluations", "--dataset", "nix")[1] == "no evaluation fits\n"


def test_a_run_is_shown_with_intervals_rules_and_environment(place, history):
    status, out, _ = history("show", 1)
    assert status == 0
    assert out.splitlines()[0] == "run 1: profile on local-cpu, 2026-11-20T08:00:00Z"
    assert "times 95 %" in out
    assert "synthetic" in out
    assert "being measured" not in out
    assert history("show", 3)[1].splitlines()[0].endswith("unfinished")


def test_a_shown_run_is_whole_and_can_be_imported_elsewhere(place, history, tmp_path, monkeypatch):
    out = history("show", 2, "--json")[1]
    file = tmp_path / "run.json"
    file.write_text(out)
    assert history("import", file)[1] == f"run 2 was here already: {file}\n"
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "elsewhere.sqlite"))
    assert history("import", file)[1] == f"run 1: {file}\n"
    document = json.loads(out)
    assert document.pop("number") == 2
    assert document.pop("finished")
    with Store.open(tmp_path / "elsewhere.sqlite") as store:
        assert store.load(1) == Run.from_json(document)
        assert store.stored(1).finished


def test_rounds_that_were_missing_are_added_by_a_fuller_copy(place, history, tmp_path, monkeypatch):
    full, cut = tmp_path / "full.json", tmp_path / "cut.json"
    full.write_text(history("show", 2, "--json")[1])
    document = json.loads(full.read_text())
    cut.write_text(json.dumps({**document, "turns": document["turns"][4:7]}))
    with Store.open(place) as store:
        whole = store.load(2)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "elsewhere.sqlite"))
    assert history("import", cut)[1] == f"run 1: {cut}\n"
    assert history("import", full)[1] == (
        f"run 1 was here already, without 5 rounds of {full}: added\n"
    )
    (told,) = json.loads(history("import", cut, full, "--json")[1])["runs"][1:]
    assert told == {"path": str(full), "number": 1, "is_new": False, "rounds_added": 0}
    with Store.open() as store:
        assert store.load(1) == whole


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: run["turns"][2]["measurement"].update(load_ns=1), "measurement of .* round 1"),
        (lambda run: run["contenders"][0].update(path="elsewhere"), "other contenders"),
        (lambda run: run["rules"].update(rounds=1), "other rules"),
        (lambda run: run.update(device="pi"), "another device"),
    ],
)
def test_a_copy_that_contradicts_the_run_is_refused(place, history, tmp_path, change, told):
    before = history("show", 2, "--json")[1]
    document = json.loads(before)
    document["turns"] += [{**document["turns"][0], "round": 9}]  # nor is what is new kept
    change(document)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    status, out, err = history("import", file)
    assert (status, out) == (1, "")
    assert re.search(f"error: run 2 is this run with .*{told}", err)
    assert history("show", 2, "--json")[1] == before


METRIC = {
    "name": "top1", "samples": 100, "value": 98.0, "ci95": [97.0, 99.0],
    "reference": 98.5, "drop": 0.5, "drop_ci95": [0.1, 0.9],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda run: run["contenders"][0].update(metric={**METRIC, "value": 500}), "value"),
        (lambda run: run["contenders"][0].update(metric={**METRIC, "ci95": [1, 2]}), "hold 98"),
        (lambda run: run["contenders"][0].update(parity={"max_abs": -1}), "parity: max_abs"),
        (lambda run: run.update(started="yesterday"), "started: 'yesterday' is no moment"),
        (lambda run: run.update(started="9999-01-01T00:00:00Z"), "has not come yet"),
        (lambda run: run.update(passes={"nobody": {}}), "'nobody' is no contender"),
        (lambda run: run.update(turns=run["turns"] + run["turns"][:1]), "has 2 turns in round 0"),
        (
            lambda run: run.update(passes={run["contenders"][0]["name"]: {"memory": {"x": 1}}}),
            "memory",
        ),
        (
            lambda run: run["turns"][0]["measurement"].update(samples_ns=[0] * 70),
            "every timed call took 0 ns",
        ),
    ],
)  # fmt: skip
def test_a_run_that_no_report_could_read_is_not_imported(place, history, tmp_path, change, told):
    document = json.loads(history("show", 2, "--json")[1])
    document["key"] = "other"
    change(document)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    status, out, err = history("import", file)
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {file}: ")
    assert told in err
    assert len(json.loads(history("--json")[1])["runs"]) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', "[" * 100_000])
def test_what_is_no_run_is_not_imported(place, history, tmp_path, content):
    file = tmp_path / "run.json"
    file.write_text(content)
    status, _, err = history("import", file)
    assert status == 1
    assert err.startswith(f"error: {file}")
    assert len(json.loads(history("--json")[1])["runs"]) == 3


def test_measurements_are_exported_as_a_table(place, history, tmp_path):
    file = tmp_path / "runs.csv"
    status, out, _ = history("export", "-o", file, "--model", "mobilenet", "-q")
    assert (status, out) == (0, f"24 rows of 2 runs in {file}\n")
    with file.open(newline="") as stream:
        assert {row["model"] for row in csv.DictReader(stream)} == {"mobilenet"}
    assert history("export", "-o", file, "--samples", "-q")[1].startswith("2,520 rows of 3 runs")
    assert history("export", "-o", tmp_path / "runs.txt")[0] == 2


def test_deleting_asks_and_nobody_to_ask_is_a_usage_error(place, history, monkeypatch):
    status, _, err = history("delete", 1)
    assert status == 2
    assert "--yes" in err
    assert history("delete", 1, 2, "--yes")[1] == "deleted 2 runs\n"
    assert history("delete", 1, "--yes")[0] == 1
    assert [run["number"] for run in json.loads(history("--json")[1])["runs"]] == [3]


@pytest.mark.parametrize(("answer", "left"), [("n\n", [3, 2, 1]), ("y\n", [3, 2])])
def test_the_answer_decides(place, history, monkeypatch, answer, left):
    typed = io.StringIO(answer)
    typed.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", typed)
    assert history("delete", 1)[0] == (answer == "n\n")
    assert [run["number"] for run in json.loads(history("--json")[1])["runs"]] == left


def test_one_damaged_run_hides_no_other(place, history, tmp_path):
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE run SET facts = '{bad' WHERE number = 1")
        database.execute("UPDATE turn SET samples = x'00' WHERE run = 2")
    status, out, err = history("-q")
    assert (status, [line.split()[0] for line in out.splitlines()[2:]]) == (0, ["3", "2", "1"])
    assert out.splitlines()[-1].endswith("damaged")
    assert err.startswith("warning: run 1: damaged: ")
    assert "edgekit history delete 1" in err
    listed = json.loads(history("--json")[1])
    assert [one["number"] for one in listed["runs"]] == [3, 2]
    assert [one["number"] for one in listed["damaged"]] == [1]
    status, out, err = history("export", "-o", tmp_path / "runs.csv", "-q")
    assert (status, out.split(" in ")[0]) == (0, "12 rows of 1 runs")
    assert [line.split(": ")[2] for line in err.splitlines()] == [
        "run 1",
        "run 2, round 0, contender 0",
    ]
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE run SET started = '2026-11-20T08:00:00Z' WHERE number < 3")
    assert history("prune", "--keep", 2, "--yes")[1] == "deleted run 1\n"
    assert history("delete", 2, "--yes")[0] == 0
    assert history()[0::2] == (0, "")


def test_a_damaged_run_takes_no_place_of_those_that_are_kept(place, history):
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE run SET facts = '{bad' WHERE number = 3")
    assert history("prune", "--keep", 1, "--yes")[1] == "deleted run 1\n"
    listed = json.loads(history("--json")[1])
    assert [one["number"] for one in (*listed["runs"], *listed["damaged"])] == [2, 3]
    assert history("prune", "--older-than", 0, "--yes")[0] == 0


def test_old_runs_are_pruned_by_number_or_age(place, history):
    for words in ([], ["--keep", 1, "--older-than", 3]):
        assert history("prune", *words)[0] == 2
    assert history("prune", "--older-than", 36_500, "--yes")[1] == "nothing to delete\n"
    assert history("prune", "--keep", 2, "--yes")[1] == "deleted run 1\n"
    assert history("prune", "--keep", 0, "--yes")[1] == "deleted 2 runs\n"


def test_the_path_is_that_of_the_store(place, history):
    assert history("path")[1] == f"{place}\n"


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["lst"], 2, "did you mean list?"),
        (["nonsense"], 2, "edgekit history --help"),
        (["show", "9"], 1, "no run 9"),
        (["show", "nine"], 2, "nine"),
        (["--since", "yesterday"], 2, "a date like 2026-11-21"),
        (["--command", "profil"], 2, "profil"),
    ],
)
def test_what_is_wrong_is_one_error_line(place, history, words, status, told):
    found, out, err = history(*words)
    assert (found, out) == (status, "")
    assert err.startswith("error: ")
    assert told in err


def test_numbers_and_names_complete_from_the_store(place):
    def complete(*words):
        environment = {
            **os.environ,
            "_EDGEKIT_COMPLETE": "zsh_complete",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "edgekit"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()[1::3]

    assert complete("edgekit", "history", "show", "") == ["3", "2", "1"]
    assert complete("edgekit", "history", "list", "--model", "mo") == ["mobilenet"]


def test_completion_makes_no_store(tmp_path, monkeypatch):
    from edgekit.verbs.history import known_names

    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "none.sqlite"))
    assert known_names("run") == []
    assert not Path(tmp_path / "none.sqlite").exists()
