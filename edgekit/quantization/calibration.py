"""Calibration samples: drawn once, recorded by digest, the same for every target.

They come from the training split, so they never overlap the evaluation split. Does not quantize.
"""

from __future__ import annotations

from edgekit.datasets import Dataset, Drawn, draw
from edgekit.errors import DataError
from edgekit.progress import Report
from edgekit.spec import InputSpec

SPLIT = "train"

# Ten photographs were enough for a MobileNetV1; fewer leave the ranges to chance.
MIN_SAMPLES = 10


def draw_calibration(dataset: Dataset, count: int, spec: InputSpec, report: Report) -> Drawn:
    """Draw calibration samples, classes balanced.

    Raises:
        DataError: Fewer than `MIN_SAMPLES` are asked for, or there.
    """
    available = dataset.size(SPLIT)
    if min(count, available) < MIN_SAMPLES:
        found = f"{count} were asked for" if count < MIN_SAMPLES else f"{available} are there"
        raise DataError(
            f"{dataset.name}: too few calibration samples in the split {SPLIT!r}: {found}",
            limit=f"at least {MIN_SAMPLES} samples",
            hint="--calibration-samples 128, or a data set with more samples",
        )
    return draw(dataset, SPLIT, count, spec, report=report)
