"""Make the artifacts of an order, or find them made already, whatever they are made from.

What is there, what must not be replaced, why something was not made, how it is shown. Knows orders,
artifacts and outcomes. Does not convert (`edgekit.pipeline`) and does not decide what to make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from edgekit.artifact import Artifact, is_artifact
from edgekit.errors import ArtifactError, ConversionError, EdgekitError, FileError, GateError
from edgekit.metrics import MetricValue
from edgekit.mixing.rescue import is_settled
from edgekit.parity import check_metric
from edgekit.pipeline import Pipeline, run_export
from edgekit.plan import ExportOrder, Plan
from edgekit.progress import Progress, Report
from edgekit.proof import foreign_files
from edgekit.quantization.calibration import concerns
from edgekit.scheduling import Outcomes


@dataclass(frozen=True, slots=True)
class Made:
    """What exists now, and what does not.

    Attributes:
        artifacts: In the order of the plan.
        failures: Artifact label → why it was not made.
        seconds: Wall time.
        concerns: What is doubtful about the calibration (docs/quantize.md).
        outcomes: How the tasks ended; None where all was there.
    """

    artifacts: tuple[Artifact, ...]
    failures: Mapping[str, EdgekitError]
    seconds: float
    concerns: tuple[str, ...] = ()
    outcomes: Outcomes | None = None

    @property
    def cached(self) -> bool:
        """Whether nothing had to be converted."""
        return self.outcomes is None

    def to_json(self) -> dict[str, Any]:
        return {
            "artifacts": [artifact_json(artifact) for artifact in self.artifacts],
            "failures": {label: error.to_json() for label, error in self.failures.items()},
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "concerns": list(self.concerns),
        }


def make(
    order: ExportOrder, report: Report, *, force: bool, kind: type[Pipeline] = Pipeline
) -> Made:
    """Make every wanted artifact of an order's plan that is not there already.

    Args:
        order: What to make.
        report: Told about progress.
        force: Make them all anew, and replace what edgekit did not write.
        kind: Carries out the plan.

    Raises:
        EdgekitError: As `run_export`; or a place that cannot be written to.
    """
    begun = monotonic()
    plan = order.plan
    check_places(order, force=force)
    ready = {} if force else already_made(order, plan)
    failures: dict[str, EdgekitError] = {}
    for label, artifact in ready.items():
        report(Progress(label, 1, 1, "unchanged"))
        if refused := refusal(label, artifact, order):
            failures[label] = refused
    missing = {step.label for step in plan.wanted} - set(ready)
    outcomes = None
    if missing:
        outcomes = run_export(replace(order, plan=plan.only(missing)), report, kind)
        for label in missing:
            name = f"publish:{label}"
            if name in outcomes.results:
                ready[label] = Artifact.open(outcomes.results[name])
            else:
                failures[label] = failure(label, name, outcomes)
    labels = [step.label for step in plan.wanted]
    calibrations = {n: ready[n].manifest.calibration for n in labels if n in ready}
    return Made(
        artifacts=tuple(ready[n] for n in labels if n in ready and n not in failures),
        failures={label: failures[label] for label in labels if label in failures},
        seconds=monotonic() - begun,
        concerns=concerns({n: c for n, c in calibrations.items() if c}, len(order.classes)),
        outcomes=outcomes,
    )


def check_places(order: ExportOrder, *, force: bool) -> None:
    """Refuse to replace what edgekit did not write, and a place that cannot be written to."""
    for step in order.plan.wanted:
        place = order.out / step.label
        foreign = foreign_files(place, step.exporter.model_file)
        if foreign and not force:
            raise FileError(
                f"{place} holds what is no part of an artifact: {', '.join(foreign[:3])}",
                hint="choose another --out, move it away, or --force to replace the folder",
            )
    try:
        order.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"{order.out}: cannot be made a folder: {error.strerror or error}",
            hint="choose a writable place with --out",
        ) from error


@contextmanager
def no_empty_folder(place: Path) -> Iterator[None]:
    """Take away what was made of the way to `place`, and holds nothing in the end."""
    made = [path for path in (place, *place.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in made:
            try:
                path.rmdir()
            except OSError:  # there is something in it, or it was never made
                break


def failure(label: str, task: str, outcomes: Outcomes) -> EdgekitError:
    """Why an artifact was not made; for one that starts from another, say which failed."""
    cause = outcomes.skipped.get(task, task)
    error = outcomes.errors[cause]
    failed = cause.partition(":")[2]
    if failed == label:
        return error
    return ConversionError(
        f"{label} is made from {failed}, which failed", error.message, hint=error.hint
    )


def already_made(order: ExportOrder, plan: Plan) -> dict[str, Artifact]:
    """Artifacts that are whole and were made from the same ingredients."""
    found = {}
    for step in plan.wanted:
        place = order.out / step.label
        if is_artifact(place):
            try:
                artifact = Artifact.open(place)
            except ArtifactError:
                continue  # damaged: made anew
            if artifact.manifest.key == order.keys[step.label] and is_settled(artifact, order):
                found[step.label] = artifact
    return found


def refusal(label: str, artifact: Artifact, order: ExportOrder) -> GateError | None:
    """The limit may be stricter now than when the artifact was made."""
    if artifact.manifest.metric is not None and not order.allow_drop:
        metric = MetricValue.from_json(artifact.manifest.metric)
        try:
            check_metric(label, order.source.name, metric, order.gate)
        except GateError as error:
            return error
    return None


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """An artifact in the document that `--json` prints."""
    manifest = artifact.manifest
    return {
        "path": str(artifact.path),
        "model": manifest.model,
        "dataset": manifest.dataset,
        "target": manifest.target,
        "precision": manifest.precision,
        "io": manifest.io,
        "bytes": artifact.bytes,
        "cost": dict(manifest.cost),
        "sha256": artifact.sha256,
        "parity": manifest.parity.to_json(),
        "metric": manifest.metric,
        "calibration": manifest.calibration,
        "gate": manifest.gate,
        "kept": [dict(layer) for layer in manifest.kept],
        "search": manifest.search,
    }
