from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.cli import main

METRIC = {
    "name": "top1",
    "samples": 40,
    "value": 97.5,
    "ci95": [96.7, 98.1],
    "reference": 98.0,
    "drop": 0.5,
    "drop_ci95": [-0.2, 1.2],
}


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


def profile(*arguments):
    return main(["profile", "--rounds", "1", "--seconds", "0.01", *arguments])


def test_one_table_shows_every_artifact_with_its_figures(make_artifact, capsys):
    make_artifact(metric=METRIC)
    make_artifact("onnx")
    assert profile("build/tiny", "-q") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0].startswith("tiny on local-cpu: ")
    onnx, tflite = lines[3:5]
    assert tflite.startswith("tflite-fp32")
    assert "97.50 [96.70, 98.10]" in tflite
    assert "run 1: edgekit report run:1" in lines[-1]
    assert max(map(len, lines[:5])) <= 120
    assert "0.50" in tflite
    assert "XNNPACK 3/3" in tflite
    assert "—" in onnx


def test_json_is_one_document_that_names_the_run(make_artifact, capsys):
    make_artifact(metric=METRIC)
    assert profile("build/tiny/tflite-fp32", "--json", "--out", "run.json") == 0
    document = json.loads(capsys.readouterr().out)
    (row,) = document["rows"]
    assert row["metric"] == METRIC
    kept = json.loads(Path("run.json").read_text())
    assert kept["turns"][0]["measurement"]["samples_ns"] == row["samples_ns"]
    assert document["run"] == 1


def test_a_sweep_over_threads_has_a_row_for_each(make_artifact, capsys):
    make_artifact()
    assert profile("build/tiny", "--threads", "1,2", "-q") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("tflite-fp32 1 thread ")
    assert lines[4].startswith("tflite-fp32 2 threads ")


def test_a_sustained_run_prints_the_drift(make_artifact, capsys):
    make_artifact()
    assert main(["profile", "build/tiny", "--sustained", "1s", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "1 s without a pause" in printed
    assert "last / first" in printed


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["none"], 1, "error: none: no such artifact"),
        (["--threads", "0", "none"], 2, "error: "),
        (["--sustained", "0s", "none"], 2, "error: invalid value for '--sustained': "),
        ([], 2, "error: "),
        (["build/tiny", "--device", "locl-cpu"], 2, "error: unknown device 'locl-cpu'"),
        (["build/tiny", "--runtime", "openvino"], 1, "error: openvino cannot run tflite"),
        (["build/tiny", "--device", "none.toml"], 1, "error: none.toml: no such device profile"),
    ],
)
def test_what_is_wrong_is_one_error_line(make_artifact, capsys, arguments, status, complaint):
    make_artifact()
    assert profile("-q", *arguments) == status
    error = capsys.readouterr().err
    assert error.startswith(complaint)
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1


def test_a_delegate_that_is_not_there_is_an_error_not_a_measurement(
    make_artifact, tmp_path, capsys
):
    make_artifact("onnx")
    board = tmp_path / "gpu.toml"
    board.write_text('transport = "local"\n[runtime]\ndelegate = "cuda"\n')
    assert profile("build/tiny", "--device", str(board), "-q") == 1
    assert "delegate 'cuda' is not present on this device" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.json"))


def test_too_few_processes_for_an_interval_are_called_a_range(make_artifact, capsys):
    make_artifact()
    profile("build/tiny", "-q")
    assert "median range only: too few processes" in capsys.readouterr().out
