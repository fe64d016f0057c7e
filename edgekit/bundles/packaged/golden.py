"""Prove an installed bundle with its golden cases, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit.errors import ArtifactError

if TYPE_CHECKING:
    from edgekit.bundles.packaged.model import Model

# Kernels differ from processor to processor by rounding: of an int8 file by steps. How large a step
# is an output of real values does not tell, but the spread over all cases does: an extreme sample's
# own may be a few steps.
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
    originals = [(one["text"], one) for one in document["texts"]]
    originals += [(model.place(one["sound"]), one) for one in document["sounds"]]
    for number, (original, case) in enumerate(originals):
        (made,) = model.prepare(original).values()
        if not np.array_equal(made, model.golden(case["input"])):
            raise ArtifactError(f"golden text or sound {number}: preprocessing gives other numbers")
        held += 1
    label = model.artifact.label
    spreads = {}
    for name in document["cases"][0]["outputs"][label] if document["cases"] else ():
        golden = [model.golden(case["outputs"][label][name]) for case in document["cases"]]
        spreads[name] = max(float(np.ptp(golden)), 1e-6) if golden[0].size else 1.0
    for number, case in enumerate(document["cases"]):
        sample = {name: model.golden(entry) for name, entry in case["inputs"].items()}
        found = model.run(sample)
        for name, entry in case["outputs"][label].items():
            wanted = model.golden(entry)
            apart = float(np.abs(found[name] - wanted).max(initial=0.0)) / spreads[name]
            if not apart <= _TOLERANCE:
                raise ArtifactError(
                    f"golden case {number}: {name} is {100 * apart:.3g} % of its spread apart",
                    limit=f"{100 * _TOLERANCE:g} %",
                )
        held += 1
    return held
