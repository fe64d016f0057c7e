"""`edgekit compare` on the command line."""

from __future__ import annotations

import json

import pytest

from edgekit.cli import main


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


def test_a_verdict_stands_with_interval_clock_placement_and_what_could_have_been_seen(
    make_artifact, capsys
):
    path = str(make_artifact().path)
    make_artifact("onnx")
    assert main(["compare", path, "build/tiny/onnx-fp32", "--budget", "1s", "-q"]) == 0
    printed = capsys.readouterr().out
    title, *facts = printed.splitlines()
    assert title.startswith("tiny onnx-fp32 (B) against tiny tflite-fp32 (A) on local-cpu: ")
    told = dict(line.strip().split(maxsplit=1) for line in facts)
    assert told["verdict"].startswith("B is ")
    assert "(95 %) by CPU time" in printed
    assert "(95 %) by wall time" in printed
    assert "XNNPACK 3/3" in told["A"]
    assert "9 times in 10" in printed
    assert "10 rounds of fresh processes" in told["from"]
    assert main(["compare", "run:1/1", "run:1/2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] in ("faster", "slower", "indistinguishable", "inconclusive")
    assert document["ci95"][0] <= document["ratio"] <= document["ci95"][1]


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["none", "none"], 1, "error: none: no such artifact"),
        (["none"], 2, "error: missing argument 'B'"),
        (["a@speed=3", "b"], 2, "error: a@speed=3: 'speed=3' is no setting"),
        (["run:7/1", "run:7/2"], 1, "error: "),
        (["run:7/1", "build"], 1, "error: "),
        (["a", "b", "--budget", "soon"], 2, "error: "),
        (["a", "b", "--margin", "0"], 2, "error: "),
        (["a", "b", "--budget", "0s"], 2, "error: invalid value for '--budget': '0s': at least 1s"),
    ],
)
def test_what_is_wrong_is_one_error_line(capsys, arguments, status, complaint):
    assert main(["compare", "-q", *arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith(complaint)
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1
