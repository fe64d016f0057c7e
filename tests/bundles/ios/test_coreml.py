"""Core ML in a bundle is of the artifact's own source, the same every time, and told unproven."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from edgekit.artifact import Artifact
from edgekit.bundles.checking import verify
from edgekit.bundles.coreml import make_core_ml
from edgekit.cli import main
from edgekit.errors import ConversionError, MissingExtraError, ModelError
from edgekit.process import Child

# A graph of one op, as a trace lies on disk.
GRAPH = """
import json, sys
from pathlib import Path
import tensorflow as tf
from edgekit.spec import InputSpec
folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, 4), name="x")
        tf.identity(getattr(tf.raw_ops, name)(x=x), name="Identity")
    (folder / name).mkdir()
    (folder / name / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    told = {
        "inputs": [InputSpec("x", "float32", (4,), range=(0.0, 1.0)).to_json()],
        "outputs": ["y"], "output_tensors": ["Identity:0"], "output_shapes": [[1, 4]],
        "unrolled": [], "cost": {},
    }
    (folder / name / "trace.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def known(request):
    return request.config.rootpath / "devices" / "known"


@pytest.fixture
def coremltools():
    # Not imported: it brings TensorFlow.
    if find_spec("coremltools") is None:
        pytest.skip("no coremltools here: pip install 'edgekit[coreml]'")


def test_without_the_converter_its_extra_is_named_before_anything_is_built(
    known, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(MissingExtraError, match="coremltools") as caught:
        make_core_ml(Artifact.open(known / "tflite-int8"), tmp_path / "coreml-fp32")
    assert "[coreml]" in str(caught.value.hint)


@pytest.mark.slow
def test_a_bundle_holds_core_ml_last_the_same_every_time_and_says_it_is_unproven(
    coremltools, known, capsys, tmp_path
):
    for name in ("one", "two"):
        words = [
            "bundle",
            str(known / "tflite-int8"),
            "--platform",
            "ios",
            "--name",
            "known-glyphs",
        ]
        words += ["--core-ml", "--source", str(known), "--for", "phone=coreml-fp32", "--quiet"]
        assert main([*words, "-o", str(tmp_path / name)]) == 0
        assert "unproven" in capsys.readouterr().out
    assert (tmp_path / "one/bundle.json").read_bytes() == (
        tmp_path / "two/bundle.json"
    ).read_bytes()
    contents = verify(tmp_path / "one").contents
    assert [held.label for held in contents.artifacts] == ["tflite-int8", "coreml-fp32"]
    assert contents.choice == {"phone": "coreml-fp32"}
    place = tmp_path / "one/artifacts/coreml-fp32"
    told = json.loads((place / "manifest.json").read_text())
    assert told["proven"] is False
    assert told["source"]["same_outputs_as"]["artifact"] == "tflite-int8"
    contract = json.loads((tmp_path / "one/contract.json").read_text())["artifacts"]["coreml-fp32"]
    assert [(port["name"], port["dtype"]) for port in contract["inputs"]] == [("image", "uint8")]
    assert [(port["name"], port["shape"]) for port in contract["outputs"]] == [("logits", [1, 36])]
    (case, *_) = json.loads((tmp_path / "one/golden/cases.json").read_text())["cases"]
    entry = case["outputs"]["coreml-fp32"]["logits"]
    golden = np.frombuffer((tmp_path / "one" / entry["file"]).read_bytes(), np.float32)
    reference = np.load(known / "tflite-int8/golden/reference.npy")[0]
    np.testing.assert_allclose(golden, reference, atol=1e-3)  # the source's outputs, not int8's
    bill = (tmp_path / "one/bom.cdx.json").read_text()
    assert "known coreml-fp32" in bill
    assert "coremltools" in bill


@pytest.mark.slow
def test_another_model_than_the_artifact_s_is_not_converted(known, coremltools, tmp_path):
    changed = tmp_path / "changed.weights.h5"
    script = (
        "import sys, h5py, shutil\n"
        "shutil.copy(sys.argv[1], sys.argv[2])\n"
        "with h5py.File(sys.argv[2], 'r+') as file:\n"
        "    file.visititems(lambda n, d: d.write_direct(d[()] * 1.1)"
        " if isinstance(d, h5py.Dataset) and d.ndim == 4 else None)\n"
    )
    weights = str(known / "glyphs.weights.h5")
    subprocess.run([sys.executable, "-c", script, weights, str(changed)], check=True)
    artifact = Artifact.open(known / "tflite-int8")
    with pytest.raises(ModelError, match=r"is another: on its golden samples logits is") as caught:
        make_core_ml(artifact, tmp_path / "coreml-fp32", model=str(known), weights=changed)
    assert "--weights" in str(caught.value.hint)


@pytest.mark.slow
def test_an_op_that_the_converter_lacks_is_its_own_reason_in_one_line(coremltools, tmp_path):
    words = [sys.executable, "-c", GRAPH, str(tmp_path), "Digamma", "Erfc"]
    subprocess.run(words, check=True, capture_output=True)

    def convert(child, name):
        package = str(tmp_path / f"{name}.mlpackage")
        return child.call({"do": "core-ml", "trace": str(tmp_path / name), "package": package})

    with Child("edgekit.bundles.coreml_worker:handler") as child:
        with pytest.raises(ConversionError) as caught:
            convert(child, "Digamma")
        made = convert(child, "Erfc")
    assert caught.value.message == (
        "coremltools does not convert the model: Conversion for TF op 'Digamma' not implemented."
    )
    assert made["outputs"] == [{"name": "y", "dtype": "float32", "shape": [1, 4]}]
