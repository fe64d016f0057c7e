"""What stands around the making of artifacts, whatever they are made from.

What is there already, what must not be replaced, why something was not made, how it is shown.
Knows orders, artifacts and outcomes. Does not convert.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact, is_artifact
from edgekit.errors import ArtifactError, ConversionError, EdgekitError, FileError, GateError
from edgekit.metrics import MetricValue
from edgekit.mixing.rescue import is_settled
from edgekit.parity import check_metric
from edgekit.plan import ExportOrder, Plan
from edgekit.proof import foreign_files
from edgekit.scheduling import Outcomes


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
