"""The samples a search judges by: neither those of the gate nor those of the calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.datasets import Dataset, Drawn, draw
from edgekit.progress import Report
from edgekit.quantization import calibration
from edgekit.spec import InputSpec

VALIDATION = "validation"
MOST = 1024

# A model is surer of what it was trained on than of anything else: the validation split comes
# first, unless it is too small to tell candidates apart.
_ENOUGH = 192


@dataclass(frozen=True, slots=True)
class SearchDraw:
    """Samples of a search.

    Attributes:
        split: Where they come from.
        drawn: They.
    """

    split: str
    drawn: Drawn


def draw_search(
    dataset: Dataset, calibration_samples: int, specs: Sequence[InputSpec], report: Report
) -> SearchDraw | None:
    """Validation samples, or training samples that were not drawn for the calibration.

    None where there are none of either.
    """
    beyond = max(0, dataset.size(calibration.SPLIT) - calibration_samples)
    held_out = dataset.size(VALIDATION)
    if held_out and (held_out >= _ENOUGH or held_out >= beyond):
        return SearchDraw(VALIDATION, draw(dataset, VALIDATION, MOST, specs, report=report))
    if not beyond:
        return None
    rest = draw(
        dataset,
        calibration.SPLIT,
        MOST,
        specs,
        beyond=min(calibration_samples, dataset.size(calibration.SPLIT)),
        report=report,
    )
    return SearchDraw(calibration.SPLIT, rest)
