"""Accuracy figures, the same code for training, export, `eval` and devices.

Takes outputs and labels as arrays, returns numbers with intervals, in points (0–100). Does not run
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.errors import ArtifactError
from edgekit.fields import Fields
from edgekit.statistics import paired_difference, wilson

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A metric of one artifact, and its drop against a reference on the same samples.

    Attributes:
        name: Name in `METRICS`.
        samples: How many samples it was measured on.
        value: The artifact's figure, in points.
        ci95: 95 % interval of `value`, in points.
        reference: The reference's figure, in points; None when there was none.
        drop: reference − value, in points.
        drop_ci95: 95 % paired interval of `drop`, in points.
    """

    name: str
    samples: int
    value: float
    ci95: tuple[float, float]
    reference: float | None = None
    drop: float | None = None
    drop_ci95: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "samples": self.samples,
            "value": round(self.value, 4),
            "ci95": _rounded(self.ci95),
            "reference": None if self.reference is None else round(self.reference, 4),
            "drop": None if self.drop is None else round(self.drop, 4),
            "drop_ci95": None if self.drop_ci95 is None else _rounded(self.drop_ci95),
        }

    @staticmethod
    def from_json(data: Any) -> MetricValue:
        """Check and rebuild.

        Raises:
            ArtifactError: A key is missing, unknown, of the wrong type or out of bounds.
        """
        fields = Fields(data, "metric", ArtifactError)
        value = MetricValue(
            name=fields.text("name", choices=tuple(METRICS)),
            samples=fields.integer("samples", low=1, high=10**9),
            value=fields.number("value", high=100.0),
            ci95=fields.interval("ci95", low=0.0, high=100.0),
            reference=fields.optional_number("reference", high=100.0),
            drop=fields.optional_number("drop", low=-100.0, high=100.0),
            drop_ci95=fields.optional_interval("drop_ci95", low=-100.0, high=100.0),
        )
        fields.done()
        return value


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(pair[0], 4), round(pair[1], 4)]


def top1_hits(logits: Array, labels: Array) -> Array:
    """Per sample, whether the highest of `logits` [N, classes] is at `labels` [N]. bool [N]."""
    hits: Array = _flat(logits).argmax(axis=1) == labels
    return hits


def top5_hits(logits: Array, labels: Array) -> Array:
    """Per sample, whether `labels` [N] is among the five highest of `logits`. bool [N]."""
    import numpy as np

    # Stable: equal logits rank in index order on every platform.
    best = np.argsort(-_flat(logits).astype(np.float64), axis=1, kind="stable")[:, :5]
    return np.asarray((best == labels[:, None]).any(axis=1))


def _flat(logits: Array) -> Array:
    return logits.reshape(len(logits), -1)


METRICS: dict[str, Callable[[Any, Any], Any]] = {"top1": top1_hits, "top5": top5_hits}


def score(name: str, outputs: Array, labels: Array, reference: Array | None = None) -> MetricValue:
    """Compute a metric, and its paired drop when reference outputs are given.

    Args:
        name: Name in `METRICS`.
        outputs: [N, classes] of the artifact.
        labels: [N] integers.
        reference: [N, classes] of the model it was made from, on the same samples.

    Raises:
        UsageError: Unknown metric.
    """
    hits_of = METRICS[registry.resolve(name, METRICS, what="metric")]
    hits = hits_of(outputs, labels)
    n, right = len(hits), int(hits.sum())
    low, high = wilson(right, n)
    value = 100 * right / n
    if reference is None:
        return MetricValue(name, n, value, (100 * low, 100 * high))
    reference_hits = hits_of(reference, labels)
    only_reference = int((reference_hits & ~hits).sum())
    only_artifact = int((hits & ~reference_hits).sum())
    drop_low, drop_high = paired_difference(only_reference, only_artifact, n)
    return MetricValue(
        name=name,
        samples=n,
        value=value,
        ci95=(100 * low, 100 * high),
        reference=100 * int(reference_hits.sum()) / n,
        drop=100 * (only_reference - only_artifact) / n,
        drop_ci95=(100 * drop_low, 100 * drop_high),
    )
