"""`edgekit explain ARTIFACT --fix`: export it again with the rewrites, and say what that gave."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import output

if TYPE_CHECKING:
    from edgekit.artifact import Artifact
    from edgekit.pace import Pace
    from edgekit.progress import Report
    from edgekit.quantization.rewrite.applied import Applied
    from edgekit.verbs.explain import ExplainRequest


@dataclass(frozen=True, slots=True)
class Fixed:
    """An artifact before and after.

    Attributes:
        before: As it was; its files are gone.
        after: What lies in its place now; the same where nothing was rewritten.
        rewrites: What was rewritten.
        pace: Latency of the new one against the old one; None where nothing was rewritten.
    """

    before: Artifact
    after: Artifact
    rewrites: tuple[Applied, ...]
    pace: Pace | None

    def to_json(self) -> dict[str, Any]:
        return {
            "artifact": str(self.after.path),
            "rewrites": [entry.to_json() for entry in self.rewrites],
            "before": _figures(self.before),
            "after": _figures(self.after),
            "timing": self.pace.to_json() if self.pace else None,
        }


def fix_artifact(artifact: Artifact, request: ExplainRequest, report: Report) -> Fixed:
    """Export an artifact again with the rewrites; it is replaced if the new one keeps the limits.

    Args:
        artifact: In 8 bits.
        request: Where its model, weights and data are, as for an explanation.
        report: Told about progress.

    Raises:
        UsageError: Nothing is rewritten for its precision, or its folder has another name.
        EdgekitError: The export failed or missed a limit; the artifact is as it was.
    """
    from edgekit.artifact import Artifact
    from edgekit.models import known_models
    from edgekit.pace import time_pair
    from edgekit.plan import CONDITIONED, REWRITTEN
    from edgekit.verbs.export import ExportRequest, export

    manifest, place = artifact.manifest, artifact.path.resolve()
    _refuse_unfixable(artifact, place)
    if REWRITTEN in manifest.chain:
        return Fixed(artifact, artifact, (), None)
    known = request.model is None and manifest.model in known_models() and request.data is None
    again = ExportRequest(
        model=request.model or manifest.model,
        targets=(manifest.target,),
        precisions=(manifest.precision,),
        io=manifest.io,
        dataset=request.dataset or (manifest.dataset if known else None),
        data=request.data,
        weights=request.weights,
        calibration_samples=(manifest.calibration or {}).get("count"),
        evaluation_samples=(manifest.evaluation or {}).get("count"),
        condition=CONDITIONED in manifest.chain,
        parameters=request.parameters,
        trust_model=request.trust_model,
        out=place.parent.parent,
        name=place.parent.name,
    )
    with tempfile.TemporaryDirectory(prefix="edgekit-fix-") as scratch:
        kept = Path(scratch) / place.name
        shutil.copytree(place, kept)
        before = Artifact.open(kept)
        result = export(again, report=report)
        for error in result.failures.values():
            raise error
        (after,) = result.artifacts
        rewritten = REWRITTEN in after.manifest.chain
        pace = time_pair(after, before, report) if rewritten else None
        return Fixed(before, after, result.rewrites, pace)


def print_fixed(fixed: Fixed) -> None:
    """What changed, and what it is worth."""
    if fixed.pace is None:
        already = fixed.before is fixed.after
        why = "the rewrites are in it already" if already else "nothing in its graph is rewritten"
        click.echo(f"{fixed.after.path}: {why}")
        return
    for entry in fixed.rewrites:
        click.echo(str(entry))
    rows = [
        (
            when,
            output.megabytes(artifact.bytes),
            _drop(artifact),
            f"{ms:.3g}",
            str(placement),
        )
        for when, artifact, ms, placement in (
            ("before", fixed.before, fixed.pace.against_ms, fixed.pace.against_placement),
            ("after", fixed.after, fixed.pace.ms, fixed.pace.placement),
        )
    ]
    columns = (str(fixed.after.path), "size", "drop [95 %]", "ms", "placement")
    output.print_table("", columns, rows)
    click.echo(f"it takes {fixed.pace} of the time it took, on this machine with one thread")


def _refuse_unfixable(artifact: Artifact, place: Path) -> None:
    from edgekit.errors import UsageError
    from edgekit.plan import exporters_named

    exporter = exporters_named([artifact.target])[artifact.target]
    if artifact.precision not in exporter.rewritten:
        raise UsageError(
            f"{artifact.path}: nothing is rewritten for {artifact.target} in {artifact.precision}",
            hint=f"precisions with rewrites: {', '.join(exporter.rewritten) or 'none'}",
        )
    if place.name != artifact.label:
        raise UsageError(
            f"{artifact.path}: an export would write {artifact.label} and not {place.name}",
            hint=f"rename the folder to {artifact.label}",
        )


def _figures(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    metric = None if manifest.metric is None else dict(manifest.metric)
    return {"sha256": artifact.sha256, "chain": list(manifest.chain), "metric": metric}


def _drop(artifact: Artifact) -> str:
    metric = artifact.manifest.metric
    if metric is None or metric.get("drop") is None:
        return ""
    low, high = metric["drop_ci95"]
    return f"{metric['drop']:+.2f} [{low:+.2f}, {high:+.2f}]"
