"""`edgekit export` of a network whose plain int8 files miss the gate, as a person runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from edgekit.artifact import Artifact

TARGETS = ("tflite", "onnx", "openvino")
each_target = pytest.mark.parametrize("target", TARGETS)


@pytest.fixture
def copy(rescued, tmp_path):
    """A copy of the export to go on with."""
    shutil.copytree(rescued / "build", tmp_path / "build")
    return tmp_path


def opened(folder, target):
    return Artifact.open(folder / "build" / "network" / f"{target}-int8")


@each_target
def test_the_written_file_keeps_its_gate_with_few_layers_in_float(rescued, target):
    manifest = opened(rescued, target).manifest
    assert manifest.gate == {"max_drop": 1.0, "met": True}
    assert manifest.metric["drop"] <= 1.0
    assert 1 <= len(manifest.kept) <= 3
    assert any("project" in layer["name"] for layer in manifest.kept)
    assert {layer["dtype"] for layer in manifest.kept} == {"float32"}
    assert {"int8", "uint8"} & set(manifest.dtypes)


@each_target
def test_the_manifest_says_how_layers_were_found_and_by_what(rescued, target):
    manifest = opened(rescued, target).manifest
    assert 2 <= manifest.search["attempts"] <= 4
    assert manifest.search["candidates"] >= 1
    assert manifest.search["layers"] > len(manifest.kept)
    digests = {
        manifest.search["samples"]["digest"],
        manifest.calibration["digest"],
        manifest.evaluation["digest"],
    }
    assert len(digests) == 3
    assert "seconds" not in json.dumps(manifest.to_json())


@each_target
def test_what_kept_layers_cost_is_measured_side_by_side(rescued, target):
    document = json.loads((rescued / "out.json").read_text())
    found = document["mixed"][f"{target}-int8"]
    cost = found["cost"]
    assert cost["extra_ci95_ms"][0] <= cost["extra_ms"] <= cost["extra_ci95_ms"][1]
    assert cost["ratio_ci95"][0] <= cost["ratio"] <= cost["ratio_ci95"][1]
    assert min(cost["mixed_ms"], cost["int8_ms"]) > 0
    assert cost["rounds"] >= 3
    artifact = next(a for a in document["artifacts"] if a["target"] == target)
    assert artifact["kept"] == found["kept"] != []


@each_target
def test_every_candidate_has_a_line_with_its_drop(rescued, target):
    said = (rescued / "err.txt").read_text()
    tried = re.findall(rf"{target}-int8: \d+ of \d+ layers in float .* drop about \d+\.\d\d", said)
    assert len(tried) == opened(rescued, target).manifest.search["candidates"]


def test_the_same_command_finds_everything_made(copy, run):
    document = json.loads(run(cwd=copy).stdout)
    assert document["cached"]
    assert all(artifact["kept"] for artifact in document["artifacts"])


def test_without_time_the_refusal_says_so_and_the_artifact_from_before_stays(copy, run, contents):
    before = contents(copy / "build")
    said = run("-t", "tflite", "--max-drop", "2", "--budget", "1s", cwd=copy, status=1).stderr
    assert "network tflite-int8 loses" in said
    assert "no time was left to search layers to keep in float" in said
    assert re.search(r"of the budget of 1 s the export itself took \d+ s", said)
    assert "try:   a longer --budget" in said
    assert contents(copy / "build") == before


def test_an_allowed_loss_is_kept_and_the_manifest_and_a_warning_say_so(copy, run):
    done = run("-t", "tflite", "--max-drop", "2", "--allow-drop", cwd=copy)
    manifest = opened(copy, "tflite").manifest
    assert manifest.gate == {"max_drop": 2.0, "met": False}
    assert (manifest.kept, manifest.search) == ((), None)
    assert manifest.metric["drop"] > 2.0
    warned = [line for line in done.stderr.splitlines() if line.startswith("warning: tflite-int8")]
    assert len(warned) == 1
    assert "more than the limit of 2.00; --allow-drop kept it" in warned[0]
    refused = run("-t", "tflite", "--no-search", cwd=copy, status=1)
    assert "tflite-int8 loses" in refused.stderr


@pytest.mark.slow
def test_a_search_that_is_killed_leaves_the_artifact_from_before(copy, command, contents):
    before = contents(copy / "build")
    with subprocess.Popen(
        [*command, "-t", "onnx", "--max-drop", "2"],
        cwd=copy, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        for line in process.stderr:
            if "ranking" in line and "done" in line:
                os.killpg(process.pid, signal.SIGKILL)
                break
    after = contents(copy / "build")
    assert {path: after[path] for path in before} == before
