"""What an artifact lost against the model it was made from, by the marks that it carries of it.

Knows artifacts and metrics. Runs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgekit.artifact import GOLDEN_MARKS, Artifact
from edgekit.errors import ArtifactError
from edgekit.metrics import Metric, MetricValue
from edgekit.metrics.differences import Difference, differ

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def against_source(
    artifact: Artifact, judged: Any, labels: Array, by: Metric, *, digest: str, margin: float
) -> tuple[MetricValue, str | None, Difference | None]:
    """The figure, why its drop is unknown if it is, and the source model as the other of a pair.

    Args:
        artifact: What was judged.
        judged: What became of its samples, as `by` gave it.
        labels: Of these samples.
        by: The metric.
        digest: Of the samples: those the artifact was proven on have the manifest's.
        margin: A difference that does not matter.

    Raises:
        ArtifactError: The marks of the source model are damaged, or not of these samples.
    """
    value, ci95 = by.figure(judged)
    scale = by.scale
    metric = MetricValue(by.name, judged.samples, value, ci95, unit=scale.unit)
    known = artifact.manifest.metric or {}
    usual = str(known.get("name", "top1"))
    reference = known.get("reference")
    if metric.name != usual:
        return metric, f"the manifest has the source model's {usual} only", None
    if reference is None:
        return metric, "the manifest has no figure of the source model", None
    if (artifact.manifest.evaluation or {}).get("digest") != digest:
        return metric, "not the samples of the manifest", None
    source = _source(artifact, labels, by, judged.samples)
    if source is None:
        # The manifest's figure has four digits.
        drop = round(scale.drop(value, float(reference)), 4) + 0.0
        return (
            replace(metric, reference=float(reference), drop=drop),
            None,
            None,
        )
    pair = differ(by, source, judged, margin=margin)
    low, high = pair.ci95
    return (
        replace(
            metric,
            reference=pair.first,
            drop=scale.drop(pair.second, pair.first),
            drop_ci95=scale.drop_interval((-high, -low)),
        ),
        None,
        pair,
    )


def _source(artifact: Artifact, labels: Array, metric: Metric, samples: int) -> Any:
    """What the metric knows of the source model's answers; None if the artifact holds none.

    Raises:
        ArtifactError: The file is no array, or not of these samples.
    """
    import numpy as np

    if GOLDEN_MARKS not in artifact.manifest.files:
        return None
    file = artifact.path / GOLDEN_MARKS
    try:
        source = metric.recall(np.load(file, mmap_mode="r", allow_pickle=False), labels)
    except (ValueError, EOFError, ArtifactError) as error:
        raise ArtifactError(f"{file}: {error}", hint="export it again") from error
    if source.samples != samples:
        raise ArtifactError(
            f"{file}: marks of {source.samples:,} samples, {samples:,} count for {metric.name}",
            hint="export it again",
        )
    return source
