"""What an app does before and after the model, as data: `contract.json`.

    {"version": 1,
     "inputs": [{"name", "kind", "shape", "dtype", …}],
     "answer": {"kind": "classes" | "objects" | "tensors", …},
     "artifacts": {label: {"inputs": [tensor, …], "outputs": [tensor, …]}}}

Three steps, in any language. 1: from a picture, text or sound to a sample, in the model's own units
(`inputs`). 2: to what the file takes and back (`artifacts`): q = round(x / scale) + zero_point,
halves to even, cut to the dtype, where a tensor has a scale and the sample another dtype; x = (q −
zero_point) · scale. 3: from outputs to an answer (`answer`). Each step has golden cases. The words
are explained in docs/bundles.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit import detection
from edgekit.artifact import Artifact
from edgekit.datasets.recipe import PICTURE, SOUND, TENSOR, TEXT, kind_of, recipe_of
from edgekit.errors import UsageError
from edgekit.files import canonical_json
from edgekit.tensor import TensorInfo

__all__ = ["PICTURE", "SOUND", "TENSOR", "TEXT", "Showing", "contract_of", "is_detector", "kind_of"]

VERSION = 1
CLASSES, OBJECTS, TENSORS = "classes", "objects", "tensors"
_TOP = 5


@dataclass(frozen=True, slots=True)
class Showing:
    """Which objects of a detector an app shows.

    Attributes:
        threshold: Lowest score, 0–1.
        overlap: Highest IoU of two objects of a class, 0–1. An app shows what a person takes for
            one object once; a metric, which ranks them all, does better with more.
    """

    threshold: float = detection.THRESHOLD
    overlap: float = 0.45


def contract_of(artifacts: Sequence[Artifact], showing: Showing | None = None) -> dict[str, Any]:
    """The contract of artifacts that do the same in different files.

    Args:
        artifacts: Of one model, at least one.
        showing: Of detectors; None takes the usual.

    Raises:
        UsageError: They take or give something different: they cannot stand for each other.
    """
    first = artifacts[0]
    showing = showing or Showing()
    common = _common(first, showing)
    for other in artifacts[1:]:
        if (
            canonical_json(_common(other, showing)) != canonical_json(common)
            or other.labels != first.labels
        ):
            raise UsageError(
                f"{other.path} takes or gives something else than {first.path}",
                hint="a bundle holds artifacts of one model, with one preprocessing",
            )
    return {
        "version": VERSION,
        **common,
        "artifacts": {
            one.label: {
                "inputs": [_tensor(tensor) for tensor in one.manifest.inputs],
                "outputs": [_tensor(tensor) for tensor in one.manifest.outputs],
            }
            for one in artifacts
        },
    }


def is_detector(outputs: Sequence[TensorInfo]) -> bool:
    """Whether outputs are boxes and logits, as `edgekit.detection` reads them."""
    return detection.gives_objects([one.name for one in outputs])


def _common(artifact: Artifact, showing: Showing) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "inputs": [recipe_of(spec) for spec in manifest.preprocessing],
        "answer": _answer(artifact, showing),
    }


def _answer(artifact: Artifact, showing: Showing) -> dict[str, Any]:
    outputs, labels = artifact.manifest.outputs, artifact.labels
    if is_detector(outputs):
        return {
            "kind": OBJECTS,
            "threshold": showing.threshold,
            "overlap": showing.overlap,
            "most": detection.MOST,
            "candidates": detection.CANDIDATES,
        }
    # Of a class for each step or pixel there is no one answer: the app gets the tensor.
    scores = [
        place
        for place, one in enumerate(outputs)
        if math.prod(one.shape[1:]) == one.shape[-1] == len(labels)
    ]
    if labels and scores:
        # The app applies the activation: "" gives scores as they are.
        return {
            "kind": CLASSES,
            "output": scores[0],
            "activation": artifact.manifest.activation,
            "top": min(_TOP, len(labels)),
        }
    return {"kind": TENSORS}


def _tensor(tensor: TensorInfo) -> dict[str, Any]:
    return tensor.to_json()
