from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgekit.cli import main


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "store.sqlite"))


def test_what_profile_measured_is_on_the_page(make_artifact, capsys):
    make_artifact("onnx")
    assert main(["profile", "build", "--rounds", "2", "--seconds", "0.01", "-q"]) == 0
    capsys.readouterr()
    assert main(["report", "build", "-o", "tiny.html", "-q"]) == 0
    printed = capsys.readouterr()
    assert re.fullmatch(r"tiny\.html  \d+ kB\n", printed.out)
    assert printed.err == ""
    page = Path("tiny.html").read_text(encoding="utf-8")
    assert "2 rounds of fresh processes" in page
    assert "tiny on local-cpu" in page
    assert "unavailable" in page

    assert main(["report", "run:1", "--format", "json", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == "report.json"
    (row,) = json.loads(Path("report.json").read_text())["runs"][0]["contenders"]
    assert row["processes"] == 2
    assert row["latency_ms"]["wall"]["covers_95"] is False


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["nothing"], 2, "error: 'nothing': no such file or folder"),
        (["run:5"], 1, "error: "),
        (["nothing", "--format", "pdf"], 2, "error: invalid value for '--format'"),
        ([], 2, "error: missing argument"),
    ],
)
def test_what_cannot_be_shown_is_one_error_line(arguments, status, complaint, capsys):
    assert main(["report", *arguments]) == status
    lines = capsys.readouterr().err.splitlines()
    assert next(line for line in lines if line.startswith("error: ")).startswith(complaint)
    assert not Path("report.html").exists()
