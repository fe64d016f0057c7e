"""Calibration samples: drawn once, recorded by digest, the same for every target.

They come from the training split, and none of them may be among the evaluation samples: a figure
measured on what int8 was fitted to says too little. Does not quantize.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.datasets import Dataset, Drawn, draw
from edgekit.errors import DataError
from edgekit.progress import Report
from edgekit.samples import read_all
from edgekit.spec import InputSpec

SPLIT = "train"

# Ten photographs were enough for a MobileNetV1; fewer leave the ranges to chance.
MIN_SAMPLES = 10

# What is warned of. The reference models stay below half of the last two.
_FEW_SAMPLES = 32
_MANY_UNSTABLE = 0.25
_MUCH_CLIPPED = 0.02


def draw_calibration(
    dataset: Dataset, count: int, specs: Sequence[InputSpec], report: Report
) -> Drawn:
    """Draw calibration samples, classes balanced.

    Raises:
        DataError: Fewer than `MIN_SAMPLES` are asked for, or there; or all are equal.
    """
    available = dataset.size(SPLIT)
    if min(count, available) < MIN_SAMPLES:
        found = f"{count} were asked for" if count < MIN_SAMPLES else f"{available} are there"
        raise DataError(
            f"{dataset.name}: too few calibration samples in the split {SPLIT!r}: {found}",
            limit=f"at least {MIN_SAMPLES} samples",
            hint="--calibration-samples 128, or a data set with more samples",
        )
    drawn = draw(dataset, SPLIT, count, specs, report=report)
    if len(_digests(drawn)) == 1:
        raise DataError(
            f"{dataset.name}: all {drawn.count:,} calibration samples are equal and show no range",
            hint="look at what the data set gives for the split 'train': edgekit data info",
        )
    return drawn


def check_apart(calibration: Drawn, evaluation: Drawn) -> None:
    """No sample is in both.

    Raises:
        DataError: Some are, byte for byte as the model gets them.
    """
    shared = _digests(calibration) & _digests(evaluation)
    if shared:
        raise DataError(
            f"{len(shared):,} of {calibration.count:,} calibration samples are evaluation samples, "
            "too",
            "the same picture or text lies in two splits of the data set, and figures measured on "
            "it would flatter int8",
            hint="remove the copies; `edgekit data check` looks for them",
        )


def classes_shown(calibration: Drawn) -> int | None:
    """How many classes the samples (or their boxes, steps or pixels) are of.

    None without labels, and where they are values to be given.
    """
    import numpy as np

    file = calibration.folder / "labels.npy"
    if not file.is_file():
        return None
    labels = np.load(file, allow_pickle=False)
    if labels.dtype.kind == "f" and labels.shape[2:] != (5,):
        return None
    classes = labels[..., 0] if labels.dtype.kind == "f" else labels
    return len(np.unique(classes[classes >= 0]))


def concerns(calibrations: Mapping[str, Mapping[str, Any]], classes: int) -> tuple[str, ...]:
    """What is doubtful about the calibration of some artifacts, one line each.

    Args:
        calibrations: Label of an artifact → `calibration` of its manifest.
        classes: How many classes the data set has; 0 if none.
    """
    found: dict[str, list[str]] = {}
    for label, entry in calibrations.items():
        for line in _doubts(entry, classes):
            found.setdefault(line, []).append(label)
    return tuple(f"calibration of {', '.join(labels)}: {line}" for line, labels in found.items())


def _doubts(entry: Mapping[str, Any], classes: int) -> list[str]:
    lines = []
    if entry["count"] < _FEW_SAMPLES:
        lines.append(f"{entry['count']} samples; fewer than {_FEW_SAMPLES} leave ranges to chance")
    if entry.get("classes") is not None and entry["classes"] < classes:
        lines.append(f"the samples are of {entry['classes']} of the {classes} classes")
    ranges = entry.get("ranges")
    if ranges and ranges["unstable"] > _MANY_UNSTABLE:
        lines.append(
            f"{ranges['unstable']:.0%} of the ranges grow by more than a tenth from the first half "
            "of the samples to the second; more --calibration-samples steady them"
        )
    if ranges and ranges["clipped_unseen"] - ranges["clipped"] > _MUCH_CLIPPED:
        lines.append(
            f"ranges from half of the samples clip {ranges['clipped_unseen']:.1%} of the values of "
            f"the other half, {ranges['clipped']:.1%} were meant; more --calibration-samples "
            "steady them"
        )
    return lines


def _digests(drawn: Drawn) -> set[bytes]:
    """One of each sample: of all that goes into the model for it."""
    import numpy as np

    return {
        hashlib.sha256(b"".join(np.ascontiguousarray(row).tobytes() for row in rows)).digest()
        for rows in zip(*read_all(drawn.inputs), strict=True)
    }
