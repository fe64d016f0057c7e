"""Layers of real files, of all three converters, against their float source."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from edgekit.artifact import MANIFEST, Artifact, describe_files, write_manifest
from edgekit.errors import ArtifactError, ModelError, RuntimeFault, UsageError
from edgekit.process import Child, ChildCrashed
from edgekit.quantization.explain import explaining
from edgekit.verbs.explain import ExplainRequest, explain

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TARGETS = ("tflite", "onnx", "openvino")
MARGIN_DB = 6.0  # twice the error of any other

# NNCF takes the mean of the samples' extremes for a range, and clips what lies beyond.
QUIET_DB = {"tflite": 20.0, "onnx": 20.0, "openvino": 14.0}


@pytest.fixture(scope="session")
def ask(explained):
    """Explain an artifact of the small network by its place under `build`; each once."""
    known = {}

    def run(place, **more):
        key = (place, *more)
        if key not in known:
            kind = place.partition("/")[0]
            request = {"model": str(explained / f"{kind}.keras"), "samples": 8, **more}
            known[key] = explain(ExplainRequest(str(explained / "build" / place), **request))
        return known[key]

    return run


@pytest.fixture
def copied(explained, tmp_path):
    """A copy of `build/sound/tflite-int8` to damage."""
    shutil.copytree(explained / "build" / "sound" / "tflite-int8", tmp_path / "tflite-int8")
    return tmp_path / "tflite-int8"


@pytest.mark.parametrize("target", TARGETS)
def test_the_sabotaged_layer_is_the_worst_by_a_wide_margin(ask, target):
    found = ask(f"sabotaged/{target}-int8")
    worst, second = found.layers[:2]
    assert "project" in worst.tensor
    assert second.alone.snr_db - worst.alone.snr_db >= MARGIN_DB
    assert "weight-outliers" in {finding.rule for finding in found.findings}


def test_samples_of_data_say_the_same_as_golden_inputs_and_where_they_come_from(ask, explained):
    golden = ask("sabotaged/onnx-int8")
    data = ask("sabotaged/onnx-int8", data=explained / "pictures.npz")
    assert data.layers[0].tensor == golden.layers[0].tensor
    assert (golden.drawn_from, data.drawn_from) == ("its golden inputs", "pictures, train split")


def test_a_conditioned_file_is_compared_with_the_folded_graph_and_another_with_the_plain_one(ask):
    folded = {entry.shown for entry in ask("sabotaged/tflite-int8").layers}
    plain = {entry.shown for entry in ask("sound/tflite-int8").layers}
    assert any("depthwise" in name for name in folded & plain)
    assert not any("norm" in name for name in folded | plain)


@pytest.mark.parametrize("target", TARGETS)
def test_every_layer_of_a_sound_file_is_found_and_quiet(ask, target):
    found = ask(f"sound/{target}-int8")
    assert not found.unmatched
    assert len(found.layers) >= 8
    assert min(entry.alone.snr_db for entry in found.layers) > QUIET_DB[target]
    assert min(entry.whole.snr_db for entry in found.layers) > QUIET_DB[target]
    assert all(entry.concordance > 0.9 for entry in found.layers)
    assert max(entry.whole.bias for entry in found.layers) < 0.2


@pytest.mark.parametrize("target", TARGETS)
def test_reading_the_layers_does_not_change_what_the_file_gives(ask, target):
    # LiteRT reads layers with kernels of its own, which round as XNNPACK's do but not always.
    assert ask(f"sound/{target}-int8").apart <= {"tflite": 0.05}.get(target, 0.02)


def test_no_operator_is_dropped_without_a_word(ask):
    found = ask("sound/tflite-int8")
    assert found.artifact is not None
    counted = len(found.layers) + len(found.unmatched) + sum(found.left_out.values())
    assert counted == sum(found.artifact.manifest.ops.values())


def test_layers_are_sorted_worst_first_and_know_their_place(ask):
    found = ask("sabotaged/onnx-int8")
    alone = [entry.alone.snr_db for entry in found.layers]
    assert alone == sorted(alone)
    assert len({entry.place for entry in found.layers}) == len(found.layers)


def test_the_document_holds_every_figure(ask):
    document = json.loads(json.dumps(ask("sabotaged/openvino-int8").to_json(), allow_nan=False))
    assert document["schema"] == 1
    assert (document["target"], document["precision"]) == ("openvino", "int8")
    assert document["samples"] == 8
    for layer in document["layers"]:
        assert {
            "layer", "op", "place", "snr_db", "alone_snr_db", "bias", "bias_share", "noisy",
            "tensor", "matched", "concordance",
        } <= set(layer)  # fmt: skip


def test_the_export_says_what_the_linter_found(explained):
    document = json.loads((explained / "sabotaged.json").read_text())
    (outlier,) = [f for f in document["findings"] if f["rule"] == "weight-outliers"]
    assert "project" in outlier["ops"][0]
    rules = {f["rule"] for f in json.loads((explained / "sound.json").read_text())["findings"]}
    assert "weight-outliers" not in rules


# -- refusals --------------------------------------------------------------------------------------


def test_a_float_artifact_has_nothing_to_explain_and_the_error_says_what_it_is(ask):
    with pytest.raises(ArtifactError, match="a tflite file in fp32: nothing in it was quantized"):
        ask("sound/tflite-fp32")


def test_a_file_without_a_manifest_is_refused(explained, tmp_path):
    file = tmp_path / "model.tflite"
    shutil.copy(explained / "build" / "sound" / "tflite-int8" / "model.tflite", file)
    with pytest.raises(ArtifactError, match="a file without a manifest"):
        explain(ExplainRequest(str(file)))


def test_the_file_inside_an_artifact_means_the_artifact(ask):
    assert ask("sound/tflite-int8/model.tflite").artifact.target == "tflite"


def test_a_changed_file_is_refused_by_its_digest(copied):
    file = copied / "model.tflite"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"model\.tflite: sha256 differs"):
        explain(ExplainRequest(str(copied)))


def test_a_folder_of_artifacts_lists_them(explained):
    with pytest.raises(UsageError, match=r"holds \d artifacts: onnx-fp32, onnx-int8") as caught:
        explain(ExplainRequest(str(explained / "build" / "sound")))
    assert caught.value.hint.endswith("onnx-int8")


def test_a_model_of_ones_own_has_to_be_named(copied):
    with pytest.raises(UsageError, match="was made from 'sound', which is no reference model"):
        explain(ExplainRequest(str(copied)))


def test_another_model_than_the_artifacts_is_refused_with_the_difference(explained, tmp_path):
    import keras

    model = keras.models.load_model(explained / "sound.keras")
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel, bias + np.float32([0, 0.2, 0, 0])])
    model.save(tmp_path / "other.keras")
    request = ExplainRequest(
        str(explained / "build" / "sound" / "tflite-int8"),
        model=str(tmp_path / "other.keras"),
        samples=2,
    )
    with pytest.raises(ModelError, match="not the one this artifact was made from") as caught:
        explain(request)
    assert "0.2" in caught.value.message or "0.19" in caught.value.message


def with_file(folder, content):
    """Put other bytes into an artifact, manifest and all."""
    manifest = Artifact.open(folder).manifest
    (folder / "model.tflite").write_bytes(content)
    (folder / MANIFEST).unlink()
    fields = {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}
    write_manifest(folder, type(manifest)(**{**fields, "files": describe_files(folder)}))


def test_a_file_that_its_runtime_refuses_is_one_clear_error(copied, explained):
    with_file(copied, b"no flatbuffer at all")
    with pytest.raises(RuntimeFault, match="reading the layers of the tflite file failed"):
        explain(ExplainRequest(str(copied), model=str(explained / "sound.keras")))


def test_a_runtime_that_crashes_takes_its_own_process_down_and_no_other(
    copied, explained, monkeypatch
):
    class Crashing(Child):
        def __init__(self, entry, **more):
            super().__init__(entry, **more)
            if entry == explaining.READING:
                self.kill()

    monkeypatch.setattr(explaining, "Child", Crashing)
    with pytest.raises(
        RuntimeFault, match=r"reads the layers of model\.tflite was ended"
    ) as caught:
        explain(ExplainRequest(str(copied), model=str(explained / "sound.keras")))
    assert isinstance(caught.value.__cause__, ChildCrashed)


def test_data_of_another_shape_is_refused(copied, explained, tmp_path):
    np.savez(tmp_path / "small.npz", x=np.zeros((20, 5), np.float32), y=np.arange(20) % 4)
    with pytest.raises(Exception, match=r"small") as caught:
        explain(
            ExplainRequest(
                str(copied), model=str(explained / "sound.keras"), data=tmp_path / "small.npz"
            )
        )
    assert type(caught.value).__name__ == "DataError"
