"""What a manifest says of its gate and of layers kept in float."""

from __future__ import annotations

import json

import pytest

from edgekit.artifact import Artifact
from edgekit.errors import ArtifactError

KEPT = {"name": "block/conv", "op": "CONV_2D", "ops": 2, "share": 0.25, "dtype": "float32"}
SEARCH = {
    "layers": 9,
    "candidates": 4,
    "attempts": 2,
    "samples": {"dataset": "glyphs", "split": "validation", "count": 64, "digest": "d" * 64},
}
GATE = {"max_drop": 0.2, "met": True}


def test_gate_and_kept_layers_are_read_as_they_were_written(make_artifact):
    manifest = make_artifact(precision="int8", kept=[KEPT], search=SEARCH, gate=GATE).manifest
    assert (manifest.kept, manifest.search, manifest.gate) == ((KEPT,), SEARCH, GATE)
    assert manifest.shown_precision == "int8, 1 layer float32"


def test_a_manifest_without_them_is_one_of_a_plain_file(make_artifact):
    artifact = make_artifact(precision="int8")
    file = artifact.path / "manifest.json"
    data = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in data.items() if k not in ("gate", "kept")}))
    manifest = Artifact.open(artifact.path).manifest
    assert (manifest.kept, manifest.search, manifest.gate) == ((), None, None)
    assert manifest.shown_precision == "int8"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kept": [{**KEPT, "share": 2.0}]},
        {"kept": [{**KEPT, "dtype": "complex64"}]},
        {"kept": [{**KEPT, "more": 1}]},
        {"kept": "none"},
        {"gate": {"max_drop": 0.2}},
        {"gate": {"max_drop": float("nan"), "met": True}},
        {"search": {**SEARCH, "attempts": -1}},
        {"search": {**SEARCH, "samples": {}}},
    ],
)
def test_what_is_out_of_bounds_is_refused(make_artifact, wrong):
    artifact = make_artifact(precision="int8", kept=[KEPT], search=SEARCH, gate=GATE)
    file = artifact.path / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **wrong}))
    with pytest.raises(ArtifactError, match="damaged manifest"):
        Artifact.open(artifact.path)
