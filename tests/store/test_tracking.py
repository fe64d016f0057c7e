from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from edgekit.errors import MissingExtraError, StoreError
from edgekit.run import Run
from edgekit.store.tracking import log_run, metrics_of
from edgekit.summary import summarise

# With MLflow's whole database stack it would be the largest part of the test environment.
NO_MLFLOW = "MLflow is not installed: pip install -e '.[mlflow]'"


@pytest.fixture
def stored(store, make_run, make_turn):
    number = store.begin(make_run())
    for at in range(2):
        store.add_round(number, [make_turn(0, at), make_turn(1, at)])
    store.finish(number)
    return store.stored(number), store.load(number)


def test_every_figure_has_its_interval(make_run, make_turn):
    turns = [make_turn(0, at, calls=70).measurement for at in range(6)]
    figures = summarise(turns)
    found = dict(metrics_of(make_run().contenders[0], figures))
    for name in ("median_ms", "cpu_median_ms", "p90_ms", "top1"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    assert found["top1"] == 71.8
    assert (found["processes"], found["calls"]) == (6, 420)
    assert "p99_ms" not in found
    assert not [name for name in found if name.startswith("top1_drop")]


def test_what_was_not_measured_is_no_figure(make_run, make_turn):
    contender = make_run().contenders[0]
    turn = make_turn(peak_rss_bytes=None, warmup_ns=()).measurement
    found = dict(metrics_of(replace(contender, metric=None), summarise([turn])))
    assert not {"peak_rss_bytes", "warmup_ms", "top1"} & set(found)
    assert dict(metrics_of(replace(contender, metric=None), None)) == {"bytes": 2_614_000}


def test_without_mlflow_the_extra_is_named(stored, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match="mlflow") as caught:
        log_run(*stored, "file:runs", "edgekit")
    assert "[mlflow]" in caught.value.hint


@pytest.fixture
def client(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason=NO_MLFLOW)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return mlflow.MlflowClient((tmp_path / "mlruns").as_uri())


@pytest.mark.filterwarnings("ignore")  # of packages that MLflow brings
def test_a_run_in_mlflow_has_a_nested_run_per_contender_and_the_whole_json(stored, client):
    known, run = stored
    number = log_run(known, run, client.tracking_uri, "numbers")
    whole = client.get_run(number)
    assert whole.info.status == "FINISHED"
    assert whole.data.params["rules.rounds"] == "7"
    assert whole.data.tags["edgekit.key"] == run.key
    (file,) = client.list_artifacts(number)
    document = json.loads(open(client.download_artifacts(number, file.path)).read())  # noqa: PTH123, SIM115
    assert document.pop("number") == known.number
    assert document.pop("finished") == known.finished
    assert Run.from_json(document) == run
    place = client.get_experiment_by_name("numbers").experiment_id
    nested = [
        found
        for found in client.search_runs([place])
        if found.data.tags.get("mlflow.parentRunId") == number
    ]
    assert {found.info.run_name for found in nested} == {one.name for one in run.contenders}
    for found in nested:
        (at,) = (i for i, one in enumerate(run.contenders) if one.name == found.info.run_name)
        figures = summarise(run.measurements_of(at))
        assert found.data.metrics["median_ms"] == figures.median_ms
        assert found.data.metrics["cpu_median_ms_high"] == figures.cpu_ci95_ms[1]
        assert found.data.params["sha256"] == run.contenders[at].sha256


@pytest.mark.filterwarnings("ignore")
def test_a_second_run_goes_into_the_same_experiment(stored, client):
    first = log_run(*stored, client.tracking_uri, "numbers")
    second = log_run(*stored, client.tracking_uri, "numbers")
    assert first != second
    assert client.get_run(first).info.experiment_id == client.get_run(second).info.experiment_id


@pytest.mark.filterwarnings("ignore")
def test_what_mlflow_refuses_is_one_error(stored, client):
    with pytest.raises(StoreError, match="MLflow at nonsense://") as caught:
        log_run(*stored, "nonsense://place", "numbers")
    assert "pip install mlflow" in caught.value.hint
