"""From a model's outputs to an answer: classes with scores, or objects.

Knows arrays and the contract's `answer`. Goes into Python bundles as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgekit import detection

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def answer_of(answer: Mapping[str, Any], outputs: Mapping[str, Array]) -> dict[str, Any]:
    """What an app must make of one sample's outputs.

    Args:
        answer: Of the contract.
        outputs: Name → real values without batch axis, in the order of the contract.

    Returns:
        {"classes", "scores"}, best first; of objects "boxes" besides, [left, top, right, bottom] in
        0–1 of the input; {} where the outputs themselves are the answer.
    """
    import numpy as np

    if answer["kind"] == "objects":
        found = detection.decode(
            outputs["boxes"],
            outputs["scores"],
            **{key: answer[key] for key in ("threshold", "overlap", "most", "candidates")},
        )
        return {
            "boxes": [[float(value) for value in box] for box in found.boxes],
            "scores": [float(value) for value in found.scores],
            "classes": [int(value) for value in found.classes],
        }
    if answer["kind"] == "classes":
        scores = activate(
            list(outputs.values())[answer["output"]].reshape(-1), answer["activation"]
        )
        # Equal scores keep the order of the classes.
        best = np.argsort(-scores, kind="stable")[: answer["top"]]
        return {
            "classes": [int(index) for index in best],
            "scores": [float(scores[index]) for index in best],
        }
    return {}


def activate(values: Array, activation: str) -> Array:
    """Outputs [C] after the app's activation, in float64."""
    import numpy as np

    wide = values.astype(np.float64)
    if activation == "softmax":
        powers = np.exp(wide - wide.max())
        return np.asarray(powers / powers.sum())
    if activation == "sigmoid":
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + np.exp(-wide)))
    return np.asarray(wide)
