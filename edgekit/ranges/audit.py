"""How far the ranges of an 8-bit file can be trusted, as figures that a manifest keeps."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.fields import Fields
from edgekit.ranges.limits import METHODS

_MOST_TENSORS = 10**6


@dataclass(frozen=True, slots=True)
class Audit:
    """Figures of one calibration.

    Attributes:
        method: How ranges were chosen, one of `limits.METHODS`.
        tensors: Tensors that got a range so.
        clipped: Share of the calibration values beyond their tensor's range, 0–1; mean over
            tensors.
        clipped_unseen: The same of the second half of the samples, for ranges from the first.
        unstable: Share of tensors whose extremes in the second half lie beyond those of the first
            by more than a tenth of their span.
        repaired: Ranges that a converter's own calibrator had found otherwise, by more than 1 %
            of the span; None where it was not asked.
        largest_repair: The largest of these differences, in spans of the right range.
    """

    method: str
    tensors: int
    clipped: float
    clipped_unseen: float
    unstable: float
    repaired: int | None = None
    largest_repair: float | None = None

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "method": self.method,
            "tensors": self.tensors,
            "clipped": float(f"{self.clipped:.4g}"),
            "clipped_unseen": float(f"{self.clipped_unseen:.4g}"),
            "unstable": round(self.unstable, 4),
        }
        if self.repaired is not None and self.largest_repair is not None:
            found["repaired"] = self.repaired
            found["largest_repair"] = float(f"{self.largest_repair:.4g}")
        return found

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Audit:
        return Audit(**data)

    @staticmethod
    def from_fields(fields: Fields) -> Audit:
        """Check and rebuild; raises the error of `fields`."""
        audit = Audit(
            method=fields.text("method", choices=METHODS),
            tensors=fields.integer("tensors", high=_MOST_TENSORS),
            clipped=fields.number("clipped", high=1.0),
            clipped_unseen=fields.number("clipped_unseen", high=1.0),
            unstable=fields.number("unstable", high=1.0),
            repaired=fields.optional_integer("repaired", high=_MOST_TENSORS),
            largest_repair=fields.optional_number("largest_repair", high=sys.float_info.max),
        )
        fields.done()
        return audit
