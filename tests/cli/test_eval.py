from __future__ import annotations

import json

import pytest

from edgekit.cli import main


def test_the_metric_is_printed_with_its_interval(make_artifact, dataset, capsys):
    artifact = make_artifact()
    assert main(["eval", str(artifact.path), "--data", str(dataset), "-q"]) == 0
    printed = capsys.readouterr().out
    assert "% (95 %: " in printed
    assert "40 of pictures, test split" in printed
    assert "litert on local-cpu" in printed


def test_json_is_one_document(make_artifact, dataset, capsys):
    artifact = make_artifact()
    arguments = ["eval", str(artifact.path), "--data", str(dataset), "--samples", "8", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["artifact"], document["device"]) == (str(artifact.path), "local-cpu")
    assert document["metric"]["samples"] == 8


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--dataset", "glyphs", "--data", "x.npz"], 2, "error: --dataset and --data both"),
        ([], 2, "made without a data set"),
        (["--data", "none.npz"], 1, "none.npz"),
        (["--dataset", "glyhps"], 1, "unknown data set 'glyhps'"),
        (["--samples", "0"], 2, "error: "),
    ],
)
def test_what_is_wrong_is_one_error_line(make_artifact, capsys, arguments, status, complaint):
    artifact = make_artifact()
    assert main(["eval", str(artifact.path), "-q", *arguments]) == status
    error = capsys.readouterr().err
    assert complaint in error
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1
