"""`edgekit explain --device`, with real runtimes, a real browser and the real Vela."""

from __future__ import annotations

import json
import shutil

import pytest

from edgekit.cli import main
from edgekit.transports.web.chromium import NAMES
from edgekit.transports.web.files import RUNTIMES, VERSIONS


@pytest.fixture
def explained(capsys):
    def explain(artifact, *words):
        assert main(["explain", str(artifact), "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return explain


@pytest.mark.parametrize("target", ["tflite", "onnx", "openvino"])
def test_a_file_that_its_runtime_takes_whole_has_nothing_to_explain(
    make_artifact, explained, target
):
    found = explained(make_artifact(target).path, "--device", "local-cpu")
    assert found["taken"] == found["ops"] > 0
    assert (found["blockers"], found["first_blocking"]) == ([], None)
    assert found["kind"] == "run"


def test_without_a_delegate_the_kernels_are_what_was_wanted(make_artifact, explained):
    artifact = make_artifact(precision="int8").path
    found = explained(f"{artifact}@delegate=none", "--device", "local-cpu")
    assert (found["wanted"], found["delegate"]) == ("kernels", "none")
    assert found["taken"] == found["ops"]


def test_what_goes_elsewhere_is_printed_with_transfers_and_the_rewrite(
    make_artifact, tiny_models, capsys, monkeypatch
):
    artifact = make_artifact()
    shutil.copy(tiny_models / "islands.tflite", artifact.model_path)
    monkeypatch.setattr("edgekit.artifact.Artifact.open", lambda path: artifact)
    assert main(["explain", str(artifact.path), "--device", "local-cpu", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "in 2 pieces" in printed.splitlines()[0]
    assert "(CUMSUM)" in printed
    assert "XNNPACK has no CUMSUM" in printed
    assert "transfers in one call: 2, 1,536 bytes" in printed


def test_an_npu_that_is_not_there_is_explained_by_its_compiler(make_artifact, explained):
    pytest.importorskip("ethosu", reason="Vela is not installed: pip install -e '.[ethos-u]'")
    found = explained(make_artifact(precision="int8").path, "--device", "ethos-u55-128")
    assert found["kind"] == "estimate"
    assert found["wanted"] == "ethos-u55-128"
    assert found["taken"] == found["ops"] > 0
    assert "nothing ran" in found["evidence"]


@pytest.mark.browser
def test_webgpu_of_a_browser_says_what_it_leaves_to_wasm(checkout, explained):
    if not (RUNTIMES / VERSIONS).is_file() or not any(map(shutil.which, NAMES)):
        pytest.skip("needs Chromium and make web: apt-get install chromium npm; make web")
    artifact = checkout / "devices" / "known" / "onnx-int8"
    found = explained(artifact, "--device", "chromium-webgpu")
    assert found["wanted"] == "WebGPU"
    assert found["taken"] < found["ops"]
    assert "QuantizeLinear" in [one["kind"] for one in found["blockers"]]
    assert found["blockers"][0]["executor"] == "wasm"


def test_a_runtime_that_does_not_say_is_one_error_line(make_artifact, capsys):
    pytest.importorskip("tflite_micro", reason="pip install -e '.[microcontroller]'")
    path = str(make_artifact(precision="int8").path)
    assert main(["explain", path, "--device", "microcontroller"]) == 1
    error = capsys.readouterr().err
    assert "error: nothing says which op of the file runs where" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "local-cpu", "--samples", "4"], "--samples compares layers"),
        (["--device", "local-cpu", "--set", "a=1"], "--set compares layers"),
        (["--runtime", "litert"], "--runtime goes with --device"),
        (["--device", "local-cup"], "local-cpu"),
    ],
)
def test_options_that_do_not_go_together_are_refused(make_artifact, capsys, words, said):
    assert main(["explain", str(make_artifact().path), *words]) == 2
    assert said in capsys.readouterr().err
