from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.agent.runtimes import runtime_class
from edgekit.artifact import describe_files, write_manifest
from edgekit.datasets import draw, open_dataset
from edgekit.errors import (
    ArtifactError,
    DataError,
    DeviceError,
    RuntimeFault,
    StoreError,
    UsageError,
)
from edgekit.measuring.contenders import Asked
from edgekit.metrics import MetricValue
from edgekit.metrics.differences import holm
from edgekit.store import Store
from edgekit.tensor import TensorInfo, quantize
from edgekit.verbs import evaluate as verb
from edgekit.verbs.evaluate import evaluate, evaluate_all

TARGETS = pytest.mark.parametrize("target", ["tflite", "onnx", "openvino"])


def accuracy(tiny_models, runtime_class, file, dataset):
    """Top-1 by hand: the model over the test split in this process."""
    model = runtime_class().load(tiny_models / file, threads=1, delegate=None)
    with np.load(dataset) as arrays:
        inputs, labels = arrays["x_test"], arrays["y_test"]
    hits = [model([x[None]])[0].argmax() == y for x, y in zip(inputs, labels, strict=True)]
    return 100 * sum(hits) / len(hits)


@TARGETS
def test_the_metric_is_that_of_the_artifacts_own_runtime(
    make_artifact, tiny_models, dataset, target
):
    artifact = make_artifact(target)
    found = evaluate(artifact.path, dataset=dataset)
    file = f"float.{artifact.model_path.suffix[1:]}"
    kind = runtime_class(artifact.manifest.runtime)
    assert found.metric.value == accuracy(tiny_models, kind, file, dataset)
    assert found.metric.samples == 40
    assert found.metric.ci95[0] < found.metric.value < found.metric.ci95[1]
    assert (found.runtime, found.split) == (artifact.manifest.runtime, "test")


def test_the_result_is_the_json_that_was_promised(make_artifact, dataset):
    artifact = make_artifact()
    data = json.loads(json.dumps(evaluate(artifact.path, dataset=dataset).to_json()))
    assert data["artifact"] == str(artifact.path)
    assert data["device"] == "local-cpu"
    assert data["metric"]["name"] == "top1"
    assert len(data["metric"]["ci95"]) == 2


def test_integer_inputs_and_outputs_are_fed_and_read_in_real_units(make_artifact, dataset):
    real = evaluate(make_artifact().path, dataset=dataset).metric.value
    quantized = evaluate(make_artifact(precision="int8").path, dataset=dataset).metric.value
    assert abs(real - quantized) <= 10.0


def test_the_drop_is_known_on_the_samples_the_artifact_was_proven_on(make_artifact, dataset):
    artifact = make_artifact()
    drawn = draw(open_dataset(dataset), "test", 40, artifact.manifest.preprocessing)
    proven = replace(
        artifact.manifest,
        evaluation={"dataset": "pictures", "split": "test", "count": 40, "digest": drawn.digest},
        metric=MetricValue("top1", 40, 25.0, (1.0, 42.0), 90.0, 65.0, (50.0, 80.0)).to_json(),
    )
    write_manifest(artifact.path, proven)
    found = evaluate(artifact.path, dataset=dataset)
    assert found.metric.reference == 90.0
    assert found.metric.drop == pytest.approx(90.0 - found.metric.value)
    assert found.drop_unknown is None
    fewer = evaluate(artifact.path, dataset=dataset, samples=20)
    assert (fewer.metric.samples, fewer.metric.reference, fewer.metric.drop) == (20, None, None)
    assert fewer.drop_unknown == "not the samples of the manifest"


def test_without_the_source_models_figure_the_result_says_why_the_drop_is_unknown(
    make_artifact, dataset
):
    found = evaluate(make_artifact().path, dataset=dataset)
    assert found.drop_unknown == "the manifest has no figure of the source model"


def test_an_artifact_without_a_data_set_needs_one_named(make_artifact):
    with pytest.raises(UsageError, match="made without a data set") as caught:
        evaluate(make_artifact().path)
    assert "--data PATH" in caught.value.hint


def test_a_users_own_data_set_is_not_guessed_from_its_name(make_artifact):
    artifact = make_artifact(dataset="holiday-pictures")
    with pytest.raises(UsageError, match="'holiday-pictures', which is no known name"):
        evaluate(artifact.path)


def test_other_classes_than_the_artifacts_are_refused(make_artifact, dataset):
    artifact = make_artifact(labels="abcd")
    with pytest.raises(DataError, match=r"its 4 classes are not the 4 of .*labels\.txt"):
        evaluate(artifact.path, dataset=dataset)


def test_another_number_of_outputs_than_classes_is_refused_without_labels_too(
    make_artifact, tmp_path
):
    three = tmp_path / "three.npz"
    pictures, labels = np.zeros((6, 8, 8, 3), np.float32), np.arange(6) % 3
    np.savez(three, x_train=pictures, y_train=labels, x_test=pictures, y_test=labels)
    artifact = make_artifact(labels="", model="four")
    with pytest.raises(DataError, match=r"^four gives 4 outputs, the data set three has 3 classes"):
        evaluate(artifact.path, dataset=three)


def test_a_wrong_device_or_runtime_is_told_before_a_missing_data_set(make_artifact):
    artifact = make_artifact(dataset="holiday-pictures")
    with pytest.raises(UsageError, match="nowhere"):
        evaluate(artifact.path, device="nowhere")
    with pytest.raises(DeviceError, match="openvino cannot run tflite artifacts"):
        evaluate(artifact.path, runtime="openvino")


def test_a_damaged_artifact_is_not_evaluated(make_artifact, dataset):
    artifact = make_artifact()
    artifact.model_path.write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"model\.tflite: sha256 differs"):
        evaluate(artifact.path, dataset=dataset)


def test_nan_is_no_accuracy(make_artifact, tiny_models, dataset, tmp_path):
    artifact = make_artifact(labels="")
    artifact.model_path.write_bytes((tiny_models / "logarithm.tflite").read_bytes())
    manifest = replace(
        artifact.manifest,
        files=describe_files(artifact.path),
        outputs=(TensorInfo("Identity", "float32", (1, 8, 8, 3)),),
    )
    write_manifest(artifact.path, manifest)
    dark = tmp_path / "dark.npz"
    np.savez(
        dark,
        x_train=np.ones((192, 8, 8, 3), np.float32),
        y_train=np.arange(192),
        x_test=np.zeros((4, 8, 8, 3), np.float32),
        y_test=np.arange(4),
    )
    with pytest.raises(RuntimeFault, match="NaN or infinite"):
        evaluate(artifact.path, dataset=dark)


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    place = tmp_path / "measurements.sqlite"
    monkeypatch.setenv("EDGEKIT_STORE", str(place))
    return place


def right_by_hand(tiny_models, file, dataset):
    model = runtime_class("litert")().load(tiny_models / file, threads=1, delegate=None)
    with np.load(dataset) as arrays:
        inputs, labels = arrays["x_test"], arrays["y_test"]
    if file.startswith("int8"):
        inputs = quantize(inputs, 0.0039213490672409534, -128, "int8")
    return np.array(
        [model([x[None]])[0].argmax() == y for x, y in zip(inputs, labels, strict=True)]
    )


def test_artifacts_are_compared_sample_by_sample_and_one_that_fails_loses_no_other(
    make_artifact, tiny_models, dataset, own_store
):
    first, second = make_artifact("tflite"), make_artifact("onnx")
    damaged = make_artifact("openvino")
    damaged.model_path.write_bytes(b"")
    third = make_artifact(precision="int8")
    found = evaluate_all([Asked(first.path.parent)], dataset=dataset, every_two=True)
    assert [row.artifact for row in found.rows] == [second.path, first.path, third.path]
    assert [*found.failures] == [str(damaged.path)]
    assert len({row.sample_digest for row in found.rows}) == 1
    assert [(pair.a, pair.b) for pair in found.pairs] == [
        ("tiny onnx-fp32", "tiny tflite-fp32"),
        ("tiny onnx-fp32", "tiny tflite-int8"),
        ("tiny tflite-fp32", "tiny tflite-int8"),
    ]
    quantized = found.pairs[2].found
    values = [row.metric.value for row in found.rows]
    assert quantized.difference == pytest.approx(values[2] - values[1])
    hands = [right_by_hand(tiny_models, f"{name}.tflite", dataset) for name in ("float", "int8")]
    assert quantized.lost == (hands[0] & ~hands[1]).sum()
    assert quantized.won == (hands[1] & ~hands[0]).sum()
    assert [pair.found.p_adjusted for pair in found.pairs] == holm([p.found.p for p in found.pairs])
    document = json.loads(json.dumps(found.to_json()))
    assert len(document["rows"]) == len(document["pairs"]) == 3
    assert document["adjusted_by"] == "Holm"
    assert "sha256 differs" in document["failures"][str(damaged.path)]["message"]
    with Store.open() as store:
        kept = store.evaluation(found.numbers[1])
    assert kept.right() == right_by_hand(tiny_models, "float.tflite", dataset).tolist()
    assert (kept.sha256, kept.sample_digest) == (first.sha256, found.rows[1].sample_digest)
    assert kept.metric == found.rows[1].metric.to_json()


def test_an_evaluation_that_was_kept_is_compared_with_one_of_today(
    make_artifact, dataset, own_store
):
    paths = [Asked(make_artifact(precision=one).path) for one in ("fp32", "int8")]
    together = evaluate_all(paths, dataset=dataset)
    (first, _), (now,) = together.numbers, together.pairs
    then = evaluate_all(paths[1:], dataset=dataset, against=f"eval:{first}")
    (pair,) = then.pairs
    assert (pair.a, pair.b) == (f"eval:{first}", now.b)
    assert pair.found == now.found
    with pytest.raises(UsageError, match="was judged on other samples"):
        evaluate_all(paths[1:], dataset=dataset, samples=20, against=f"eval:{first}")
    with pytest.raises(UsageError, match="was judged by another metric"):
        evaluate_all(paths[1:], dataset=dataset, metric="top5", against=f"eval:{first}")
    with pytest.raises(StoreError, match="no evaluation 999 in the store"):
        evaluate_all(paths[1:], dataset=dataset, against="eval:999")


def test_against_names_the_artifact_that_the_others_are_compared_with(
    make_artifact, dataset, own_store
):
    folder = make_artifact().path.parent
    base = make_artifact(precision="int8").path
    found = evaluate_all([Asked(folder)], dataset=dataset, against=str(base))
    assert [(pair.a, pair.b) for pair in found.pairs] == [("tiny tflite-int8", "tiny tflite-fp32")]
    with pytest.raises(UsageError, match="several artifacts"):
        evaluate_all([Asked(base)], dataset=dataset, against=str(folder))
    (base / "model.tflite").write_bytes(b"")
    found = evaluate_all([Asked(folder)], dataset=dataset, against=str(base))
    assert (len(found.rows), found.pairs, [*found.failures]) == (1, (), [str(base)])


def test_one_artifact_in_two_runtimes_is_two_rows(make_artifact, dataset, own_store):
    path = make_artifact("onnx").path
    asked = [Asked(path), Asked(path, threads=2), Asked(path)]
    found = evaluate_all(asked, dataset=dataset)
    assert [row.contender.name for row in found.rows] == [
        "tiny onnx-fp32 1 thread",
        "tiny onnx-fp32 2 threads",
    ]


def test_artifacts_of_different_data_sets_are_not_judged_together(make_artifact, own_store):
    one = make_artifact("tflite", dataset="glyphs")
    two = make_artifact("onnx", dataset="clinc150")
    with pytest.raises(UsageError, match="different data sets: clinc150, glyphs"):
        evaluate_all([Asked(one.path), Asked(two.path)])
    assert not own_store.exists()


def test_a_store_that_cannot_be_written_loses_no_figure(make_artifact, dataset, own_store):
    own_store.write_text("not a database, but long enough to look like a file of some kind" * 9)
    found = evaluate_all([Asked(make_artifact().path)], dataset=dataset)
    assert found.rows[0].metric.samples == 40
    assert found.numbers == (None,)
    assert found.warnings[-1].startswith("not kept: ")
    assert found.to_json()["number"] is None


def test_what_was_judged_before_an_interrupt_is_kept(
    make_artifact, dataset, own_store, monkeypatch
):
    judge, paths = verb.judge, [make_artifact(target).path for target in ("tflite", "onnx")]

    def interrupted(contender, artifact, terms, **options):
        if artifact.target == "onnx":
            raise KeyboardInterrupt
        return judge(contender, artifact, terms, **options)

    monkeypatch.setattr(verb, "judge", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        evaluate_all([Asked(path) for path in paths], dataset=dataset)
    assert caught.value.__notes__ == ["kept: eval:1"]
    with Store.open() as store:
        kept, problems = store.evaluations()
    assert ([one.target for one in kept.values()], problems) == (["tflite"], [])


def test_more_samples_than_there_are_and_nothing_to_compare_with_are_told(
    make_artifact, dataset, own_store
):
    asked = [Asked(make_artifact().path)]
    found = evaluate_all(asked, dataset=dataset, samples=10**6, every_two=True)
    assert "were judged: it has no 1,000,000 in its" in found.warnings[0]
    assert found.warnings[-1] == "nothing was compared: one artifact alone"


def test_a_metric_of_another_task_is_refused(make_artifact, dataset, own_store):
    metric = {
        "name": "top1", "value": 98.0, "ci95": [97.0, 99.0], "samples": 40, "reference": 98.0,
        "drop": 0.0, "drop_ci95": [-1.0, 1.0],
    }  # fmt: skip
    path = make_artifact(metric=metric).path
    with pytest.raises(
        UsageError, match="map50 judges detection; tflite-fp32 is for classif"
    ) as no:
        evaluate_all([Asked(path)], dataset=dataset, metric="map50")
    assert "top1" in no.value.hint
    assert not own_store.exists()


def test_few_samples_are_said_to_be_few_where_the_interval_is_rough(
    make_artifact, dataset, own_store
):
    path = Asked(make_artifact().path)
    assert evaluate_all([path], dataset=dataset, samples=8).warnings == ()
    (warning,) = evaluate_all([path], dataset=dataset, samples=8, metric="f1").warnings
    assert warning == "8 samples are few for f1: its intervals are rough with fewer than 30"


@pytest.mark.slow
@pytest.mark.legacy
def test_an_artifact_is_evaluated_by_tflite_runtime_in_its_own_environment(
    make_artifact, dataset, legacy_python, tmp_path
):
    board = tmp_path / "board.toml"
    board.write_text(
        f'transport = "local"\npython = "{legacy_python}"\n[runtime]\nprefer = ["tflite-runtime"]\n'
    )
    artifact = make_artifact()
    old = evaluate(artifact.path, dataset=dataset, device=str(board))
    assert old.runtime == "tflite-runtime"
    assert old.metric.value == evaluate(artifact.path, dataset=dataset).metric.value
