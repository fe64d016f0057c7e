"""Prove an installed bundle with its golden cases, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError

if TYPE_CHECKING:
    from edgekit.bundles.packaged.model import Model

# Kernels differ from processor to processor by rounding: of an int8 file by steps, whose size an
# output of real values does not tell, so that the answer is what must be the same.
_TOLERANCE = 0.05


def check_cases(model: Model, document: Mapping[str, Any]) -> int:
    """How many cases hold.

    Raises:
        ArtifactError: One does not: which step, and by how much.
    """
    import numpy as np

    held = 0
    for number, case in enumerate(document["pictures"]):
        (made,) = model.prepare(model.place(case["picture"])).values()
        wanted = model.golden(case["input"])
        if made.dtype != wanted.dtype or not np.array_equal(made, wanted):
            raise ArtifactError(f"golden picture {number}: preprocessing gives other pixels")
        held += 1
    for number, case in enumerate(document["cases"]):
        sample = {name: model.golden(entry) for name, entry in case["inputs"].items()}
        found = model.run(sample)
        for name, entry in case["outputs"][model.artifact.label].items():
            wanted = model.golden(entry)
            spread = max(float(np.ptp(wanted)), 1e-6) if wanted.size else 1.0
            apart = float(np.abs(found[name] - wanted).max(initial=0.0)) / spread
            if not apart <= _TOLERANCE:
                raise ArtifactError(
                    f"golden case {number}: {name} is {100 * apart:.3g} % of its spread apart",
                    limit=f"{100 * _TOLERANCE:g} %",
                )
        held += 1
    return held
