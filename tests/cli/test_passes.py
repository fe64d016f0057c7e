from __future__ import annotations

import json

from edgekit.cli import main
from edgekit.cli.passes import pass_tables
from edgekit.passes import OpTimes, ops_document
from edgekit.run import Run

OPS = ops_document(
    {f"model/layer_{i}": OpTimes("Conv", 9, [2.0**-i]) for i in range(12)},
    calls=9,
    call_ms=2.5,
    resolution_ms=0.001,
    evidence="a profile",
)
NONE = {"unavailable": "no counter: no RAPL; no amd_energy; no battery"}


def test_the_longest_ops_have_bars_and_the_rest_is_one_row():
    (table,) = pass_tables({"a": {"ops": OPS}}, top=3)
    assert [row[0] for row in table.rows] == [
        "model/layer_0", "model/layer_1", "model/layer_2", "9 more",
    ]  # fmt: skip
    assert [len(row[4]) for row in table.rows] == [20, 10, 5, 0]
    shares = [float(row[3]) for row in table.rows]
    assert abs(sum(shares) - 100) < 0.3
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.notes[-1] == "read from: a profile"


def test_what_nobody_has_is_said_once_and_what_one_lacks_by_name():
    (alike,) = pass_tables({"a": {"energy": NONE}, "b": {"energy": NONE}})
    assert alike.rows == ()
    assert alike.notes == (f"unavailable: {NONE['unavailable']}",)
    (first, second) = pass_tables({"a": {"ops": OPS}, "b": {"ops": NONE}})
    assert first.rows
    assert second.rows == ()
    assert second.notes == (f"unavailable: {NONE['unavailable']}",)


def test_memory_that_is_not_told_is_no_zero():
    step = dict.fromkeys(
        ("rss_bytes", "peak_rss_bytes", "anonymous_bytes", "file_bytes", "shared_bytes")
    )
    steps = [{"step": name, **step} for name in ("start", "import", "load", "first", "calls")]
    document = {"steps": steps, "calls": 50, "model_bytes": 2_500_000, "evidence": "silence"}
    (table,) = pass_tables({"a": {"memory": document}})
    assert table.rows == (("a", *[None] * 8, "2.5"),)
    assert len(table.columns) == 10


def test_energy_is_shown_in_millijoules_with_its_interval():
    document = {
        "counter": "RAPL (package-0)",
        "joules": {"median": 0.0123, "ci95": [0.011, 0.0135]},
        "idle_watts": 5.0,
        "active_watts": 11.25,
        "calls": 100,
        "repetitions": 8,
        "temperature_c": {"before": None, "after": 50.0},
        "evidence": "in turn",
    }
    (table,) = pass_tables({"a": {"energy": document}})
    assert table.rows == (("a", "12.3 [11, 13.5]", "5.00", "11.25", None, "50.0"),)
    assert table.notes == ("counter: RAPL (package-0)", "in turn")


def test_a_profile_prints_the_passes_that_were_asked_for(make_artifact, capsys, tmp_path):
    path = make_artifact("onnx").path
    run = tmp_path / "run.json"
    told = ["profile", str(path), "--rounds", "1", "--seconds", "0.01", "--quiet"]
    assert main([*told, "--passes", "memory,energy", "--out", str(run), "--fresh"]) == 0
    printed = capsys.readouterr().out
    assert "resident memory in MB after each step" in printed
    assert "energy\n" in printed
    assert "ops" not in printed.partition("resident memory")[2]
    (documents,) = Run.from_json(json.loads(run.read_text())).passes.values()
    assert set(documents) == {"memory", "energy"}


def test_without_the_option_memory_and_ops_are_kept_and_not_printed(make_artifact, capsys):
    path = make_artifact("onnx").path
    told = ["profile", str(path), "--rounds", "1", "--seconds", "0.01", "--fresh"]
    assert main([*told, "--json"]) == 0
    (documents,) = json.loads(capsys.readouterr().out)["passes"].values()
    assert set(documents) == {"memory", "ops"}


def test_an_unknown_pass_is_refused_before_anything_is_measured(make_artifact, capsys):
    assert main(["profile", str(make_artifact().path), "--passes", "memoy"]) == 2
    assert "'memoy' is no pass" in capsys.readouterr().err
