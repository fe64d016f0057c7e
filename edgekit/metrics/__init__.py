"""Accuracy figures, the same code for training, export, `eval` and devices.

Takes outputs and labels as arrays, returns numbers with intervals, in the metric's own unit. Does
not run anything. `METRICS` is the one list of what there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.metrics.base import POINTS, SCALES, Metric, MetricValue, Scale
from edgekit.metrics.classification import (
    MacroF1,
    ShareOfHits,
    all_right,
    in_scope,
    nearest_hits,
    out_of_scope,
    top1_hits,
    top5_hits,
)
from edgekit.metrics.detection import COCO_OVERLAPS, MeanAveragePrecision
from edgekit.metrics.generation import FrechetDistance
from edgekit.metrics.means import SampleMean, bits, peak_signal_to_noise, right_steps
from edgekit.metrics.playing import Played
from edgekit.metrics.segmentation import MeanIntersectionOverUnion
from edgekit.metrics.tracking import asked, box_overlap, fitted_hits

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = [
    "METRICS",
    "POINTS",
    "SCALES",
    "Metric",
    "MetricValue",
    "Scale",
    "judges_vectors",
    "score",
    "tells_labels",
]

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        ShareOfHits("top1", top1_hits),
        ShareOfHits("top5", top5_hits),
        ShareOfHits("in_scope", top1_hits, among=in_scope),
        ShareOfHits("oos_recall", top1_hits, among=out_of_scope),
        MacroF1("f1"),
        ShareOfHits("rank1", nearest_hits, task="embedding"),
        MeanAveragePrecision("map50", (0.5,)),
        MeanAveragePrecision("map", COCO_OVERLAPS),
        SampleMean("step_top1", "tagging", right_steps),
        ShareOfHits("exact", all_right, task="reading"),
        MeanIntersectionOverUnion("miou"),
        SampleMean("bits", "modelling", bits, SCALES["bits"]),
        SampleMean("psnr", "reconstruction", peak_signal_to_noise, SCALES["dB"]),
        FrechetDistance("frechet"),
        SampleMean("box_iou", "tracking", box_overlap),
        ShareOfHits("fitted_top1", fitted_hits, among=asked, task="embedding"),
        Played("return"),
    )
}


def judges_vectors(name: str) -> bool:
    """Whether outputs under the metric `name` are vectors, whose places are no classes."""
    known = METRICS.get(name)
    return known is not None and known.task == "embedding"


def tells_labels(name: str | None) -> bool:
    """Whether the place of the highest output is a label, by the metric `name`; so without one."""
    known = METRICS.get(name or "")
    return known is None or known.task in ("classification", "tagging", "reading", "modelling")


def score(
    name: str,
    outputs: Sequence[Array],
    labels: Array,
    reference: Sequence[Array] | None = None,
) -> MetricValue:
    """Compute a metric, and its paired drop when reference outputs are given.

    Args:
        name: Name in `METRICS`.
        outputs: One [N, ...] array per output of the artifact.
        labels: [N, ...], as the data set gives them.
        reference: The same as `outputs` of the model it was made from, on the same samples.

    Raises:
        UsageError: Unknown metric.
    """
    metric = METRICS[registry.resolve(name, METRICS, what="metric")]
    return metric.measure(outputs, labels, reference)
