from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgekit.artifact import GOLDEN_MARKS, describe_files, write_manifest
from edgekit.datasets import draw, open_dataset
from edgekit.errors import ArtifactError, UsageError
from edgekit.metrics import METRICS, MetricValue
from edgekit.verbs.evaluate import evaluate


@pytest.fixture
def prove(make_artifact, dataset):
    """Make an artifact that holds marks of a source model on the 40 samples of the test split."""

    def make(marks, metric="top1"):
        artifact = make_artifact(dataset="pictures")
        np.save(artifact.path / GOLDEN_MARKS, marks, allow_pickle=marks.dtype == object)
        drawn = draw(open_dataset(dataset), "test", 40, artifact.manifest.preprocessing)
        figure = MetricValue(metric, 40, 25.0, (1.0, 42.0), 100.0, 75.0, (50.0, 80.0))
        samples = {"dataset": "pictures", "split": "test", "count": 40, "digest": drawn.digest}
        write_manifest(
            artifact.path,
            replace(
                artifact.manifest,
                files=describe_files(artifact.path),
                evaluation=samples,
                metric=figure.to_json(),
            ),
        )
        return artifact.path

    return make


def test_with_the_source_models_marks_the_drop_has_a_paired_interval(prove, dataset):
    found = evaluate(prove(np.ones(40, bool)), dataset=dataset)
    pair, metric = found.against_source, found.metric
    wrong = round(40 * (1 - metric.value / 100))
    assert (pair.lost, pair.won, pair.samples) == (wrong, 0, 40)
    assert (metric.reference, metric.drop) == (100.0, pytest.approx(100 - metric.value))
    assert metric.drop_ci95 == (-pair.ci95[1], -pair.ci95[0])
    assert metric.drop_ci95[0] < metric.drop < metric.drop_ci95[1]
    assert (pair.verdict, found.drop_unknown) == ("worse", None)
    document = json.loads(json.dumps(found.to_json()))
    assert document["metric"]["drop_ci95"][0] > 0
    assert document["against_source"]["lost"] == wrong


def test_answers_are_marks_for_f1(prove, dataset):
    path = prove((np.arange(40) % 4).astype(np.uint8), metric="f1")
    found = evaluate(path, dataset=dataset)
    assert (found.metric.name, found.metric.reference) == ("f1", 100.0)
    assert found.against_source.difference == pytest.approx(found.metric.value - 100)
    assert found.against_source.p == pytest.approx(1e-4)


def test_marks_are_of_the_manifests_samples_and_metric_only(prove, dataset):
    path = prove(np.ones(40, bool))
    assert evaluate(path, dataset=dataset, samples=20).against_source is None
    other = evaluate(path, dataset=dataset, metric="f1")
    assert (other.against_source, other.metric.drop) == (None, None)
    assert other.drop_unknown == "the manifest has the source model's top1 only"


@pytest.mark.parametrize(
    "marks",
    [
        np.ones(39, bool),
        np.ones(41, bool),
        np.ones((40, 1), bool),
        np.ones(40, np.uint8),
        np.array([{}] * 40, object),
    ],
)
def test_marks_that_are_not_of_the_samples_are_refused(prove, dataset, marks):
    with pytest.raises(ArtifactError, match=r"golden/marks\.npy: "):
        evaluate(prove(marks), dataset=dataset)


def test_an_unknown_metric_is_told(make_artifact, dataset):
    with pytest.raises(UsageError, match="unknown metric 'top2'"):
        evaluate(make_artifact().path, dataset=dataset, metric="top2")


def test_every_metric_says_how_its_figures_are_found():
    for metric in METRICS.values():
        assert metric.interval
        assert metric.paired_interval
        assert metric.test
        assert metric.samples_are in {"samples", "pictures", "episodes"}
