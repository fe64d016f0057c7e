from __future__ import annotations

import json
import re

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
        (["--against", "eval:1", "--pairs"], 2, "--against and --pairs both"),
        (["--margin", "0"], 2, "error: "),
    ],
)
def test_what_is_wrong_is_one_error_line(make_artifact, capsys, arguments, status, complaint):
    artifact = make_artifact()
    assert main(["eval", str(artifact.path), "-q", *arguments]) == status
    error = capsys.readouterr().err
    assert complaint in error
    assert sum(line.startswith("error:") for line in error.splitlines()) == 1


@pytest.fixture
def folder(make_artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_STORE", str(tmp_path / "measurements.sqlite"))
    return make_artifact("onnx").path.parent


def test_several_artifacts_are_a_table_and_their_differences_another(
    make_artifact, folder, dataset, capsys
):
    make_artifact("tflite", precision="int8").model_path.write_bytes(b"")
    again = f"{folder}/onnx-fp32@threads=2"
    arguments = ["eval", str(folder), again, "--data", str(dataset), "-q", "--margin", "12"]
    assert main(arguments) == 1
    printed, error = capsys.readouterr()
    assert "40 samples of pictures, test split, on local-cpu" in printed
    assert "against tiny onnx-fp32 1 thread" in printed
    named = "tiny onnx-fp32 2 threads"
    rows = [line.split()[4:] for line in printed.splitlines() if line.startswith(named)]
    assert rows[0][-2:] == ["onnxruntime", "eval:2"]
    # Nothing differs: 2 / 42 of pseudo-pairs, 7.9 of 40 samples.
    assert " ".join(rows[1]) == "+0.00 [-6.60, +6.60] 1.00 0 0 19.75 indistinguishable"
    assert "interval: Wilson" in printed
    assert "p: McNemar's exact test\n" in printed
    assert error.startswith("error: ")
    assert "sha256 differs" in error


def test_every_two_are_adjusted_for_each_other_and_the_document_has_rows_and_pairs(
    make_artifact, folder, dataset, capsys
):
    make_artifact("tflite")
    make_artifact("tflite", precision="int8")
    arguments = ["eval", str(folder), "--data", str(dataset), "--pairs"]
    assert main([*arguments, "-q"]) == 0
    printed = capsys.readouterr().out
    assert "every two: B against A" in printed
    assert "for 3 differences by Holm" in printed
    assert re.search(r"a difference of ±1 is seen with about \d+,000 samples", printed)
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in document["rows"]] == [
        "tiny onnx-fp32",
        "tiny tflite-fp32",
        "tiny tflite-int8",
    ]
    for pair in document["pairs"]:
        assert {"a", "b", "difference", "ci95", "p", "lost", "won", "samples"} <= set(pair)


def test_an_evaluation_prints_the_number_by_which_a_later_one_is_compared(folder, dataset, capsys):
    arguments = ["eval", str(folder), "--data", str(dataset), "-q"]
    assert main(arguments) == 0
    assert "kept as        eval:1" in capsys.readouterr().out.replace(
        "kept as    ", "kept as        "
    )
    assert main([*arguments, "--against", "eval:1"]) == 0
    assert "against eval:1" in capsys.readouterr().out
