"""A stored run in MLflow: a run that holds one nested run per contender.

Copies figures with their intervals, what was measured and by which rules, and the run's whole JSON.
Nothing is read back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit import extras
from edgekit.errors import StoreError
from edgekit.files import canonical_json
from edgekit.run import Contender, Run
from edgekit.store.rows import StoredRun
from edgekit.summary import Summary, summarise

_LONGEST = 500  # characters of a parameter that every server takes


def log_run(stored: StoredRun, run: Run, uri: str, experiment: str) -> str:
    """Copy a run to the MLflow server or folder at `uri`, and give the id of MLflow's run.

    Raises:
        MissingExtraError: MLflow is not installed.
        StoreError: MLflow refuses, or cannot be reached; its run is marked as failed then.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        package = extras.owner_of("mlflow")
        assert package is not None
        raise extras.missing(package) from error
    # It tells of tables it makes; what matters it raises.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        place = client.create_experiment(experiment) if found is None else found.experiment_id
        return _Log(client, place).run(stored, run)
    except MlflowException as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(f"MLflow at {uri}: {reason}", hint=_hint(uri)) from error


def metrics_of(contender: Contender, figures: Summary | None) -> Iterator[tuple[str, float]]:
    """Names and values: intervals as `…_low` and `…_high`; what is unknown is left out."""
    yield "bytes", contender.bytes
    metric = contender.metric or {}
    if "name" in metric:
        yield from _with_interval(str(metric["name"]), metric["value"], metric.get("ci95"))
        if metric.get("drop") is not None:
            drop = (f"{metric['name']}_drop", metric["drop"], metric.get("drop_ci95"))
            yield from _with_interval(*drop)
    if figures is None:
        return
    yield from _with_interval("median_ms", figures.median_ms, figures.ci95_ms)
    yield from _with_interval("cpu_median_ms", figures.cpu_median_ms, figures.cpu_ci95_ms)
    for percent, tail in figures.tails.items():
        yield from _with_interval(f"p{percent}_ms", tail.ms, tail.ci95_ms)
    for name in ("call_median_ms", "first_ms", "warmup_ms", "load_ms", "peak_rss_bytes"):
        value = getattr(figures, name)
        if value is not None:
            yield name, value
    yield "processes", figures.processes
    yield "calls", figures.calls


class _Log:
    """One run's way into one experiment of MLflow."""

    def __init__(self, client: Any, experiment: str) -> None:
        self._client = client
        self._experiment = experiment

    def run(self, stored: StoredRun, run: Run) -> str:
        known = {
            "command": run.command,
            "device": run.device,
            **{f"rules.{key}": value for key, value in run.rules.items()},
            **{f"environment.{key}": value for key, value in run.environment.items()},
        }
        tags = {
            "edgekit.run": str(stored.number),
            "edgekit.key": run.key,
            "edgekit.started": run.started,
            "edgekit.finished": stored.finished or "no",
        }
        name = f"edgekit {run.command} {stored.number}"
        whole = self._create(name, tags)
        try:
            self._log(whole, known, {"rounds": stored.rounds, "contenders": len(run.contenders)})
            for place, contender in enumerate(run.contenders):
                self._contender(run, place, contender, {**tags, "mlflow.parentRunId": whole})
            document = {**run.to_json(), "number": stored.number, "finished": stored.finished}
            self._client.log_text(whole, canonical_json(document), "run.json")
        except BaseException:
            self._client.set_terminated(whole, "FAILED")
            raise
        self._client.set_terminated(whole)
        return whole

    def _contender(
        self, run: Run, place: int, contender: Contender, tags: Mapping[str, str]
    ) -> None:
        measured = run.measurements_of(place)
        asked = ("model", "target", "precision", "sha256", "runtime", "delegate", "threads", "path")
        known = {key: getattr(contender, key) for key in asked}
        if measured:
            known["placement"] = str(measured[-1].placement)
        nested = self._create(contender.name, tags)
        figures = summarise(measured) if measured else None
        self._log(nested, known, dict(metrics_of(contender, figures)))
        self._client.set_terminated(nested)

    def _create(self, name: str, tags: Mapping[str, str]) -> str:
        made = self._client.create_run(self._experiment, run_name=name, tags=dict(tags))
        number: str = made.info.run_id
        return number

    def _log(self, number: str, known: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        from mlflow.entities import Metric, Param

        now = self._client.get_run(number).info.start_time
        self._client.log_batch(
            number,
            metrics=[Metric(key, float(value), now, 0) for key, value in figures.items()],
            params=[
                Param(key, str(value)[:_LONGEST])
                for key, value in known.items()
                if value is not None
            ],
        )


def _with_interval(name: str, value: float, interval: Any) -> Iterator[tuple[str, float]]:
    yield name, value
    if interval is not None:
        low, high = interval
        yield f"{name}_low", low
        yield f"{name}_high", high


def _hint(uri: str) -> str:
    if "://" in uri and uri.partition("://")[0] not in ("http", "https", "file"):
        return "databases need the whole of MLflow: pip install mlflow"
    if uri.startswith(("http:", "https:")):
        return "is the server there? mlflow server starts one"
    return "MLFLOW_ALLOW_FILE_STORE=true, without which MLflow refuses folders"
