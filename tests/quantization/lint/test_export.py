"""What an export says of the model's graph, and that it does not depend on saying it."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit import pipeline
from edgekit.cli import export as command
from edgekit.verbs.export import ExportRequest, export


@pytest.fixture
def int8(keras_models, tmp_path):
    """Export a small Keras model to ONNX in int8; the result, and what was reported."""

    def run(name):
        random = np.random.default_rng(4)
        values = random.integers(0, 256, (60, 16, 16, 3)).astype(np.uint8)
        np.savez(tmp_path / "noise.npz", x=values, y=np.arange(60) % 4)
        heard = []
        request = ExportRequest(
            str(keras_models / f"{name}.keras"),
            targets=("onnx",),
            precisions=("int8",),
            data=tmp_path / "noise.npz",
            max_drop=100.0,
            out=tmp_path / "build",
        )
        return export(request, report=heard.append), heard

    return run


def test_findings_are_in_the_result_and_printed_as_warnings(int8, capsys):
    result, _ = int8("excite")
    assert not result.failures
    (finding,) = [f for f in result.to_json()["findings"] if f["rule"] == "hard-swish"]
    assert finding["targets"] == ["tflite"]
    command.output.print_warnings(result.findings)
    assert "warning: hard-swish: " in capsys.readouterr().err


def test_a_linter_that_fails_takes_no_artifact_with_it_and_says_so(int8, tmp_path, monkeypatch):
    missing = {"do": "lint", "source": str(tmp_path / "nothing"), "samples": None}
    monkeypatch.setattr(pipeline, "lint_request", lambda *_: missing)
    result, heard = int8("pixels")
    assert not result.failures
    assert [artifact.label for artifact in result.artifacts] == ["onnx-int8"]
    assert result.findings == ()
    assert next(p.note for p in heard if p.task == "linter").startswith("failed: ")
