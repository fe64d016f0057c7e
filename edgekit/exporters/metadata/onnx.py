"""What an ONNX file says of itself: `metadata_props`, doc strings and denotations.

ONNX's own documents (`MetadataProps.md`, `IR.md`) name the keys of pictures and of the licence. The
others are edgekit's: "model_name", "task", "activation", and as JSON "labels" and "preprocessing".
onnxruntime gives all of them by `get_modelmeta()`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.datasets.recipe import PICTURE, SOUND, TEXT, kind_of, level_ranges
from edgekit.exporters.metadata.facts import Facts
from edgekit.tensor import TensorInfo

_DENOTATIONS = {PICTURE: "IMAGE", SOUND: "AUDIO", TEXT: "TEXT"}
_PIXEL_RANGES = {
    (0.0, 255.0): "NominalRange_0_255",
    (0.0, 1.0): "Normalized_0_1",
    (-1.0, 1.0): "Normalized_1_1",
}


def add_metadata(model: Any, facts: Facts, outputs: Sequence[TensorInfo]) -> None:
    """Say it in a `ModelProto`; what somebody else said under the same key stays.

    Args:
        model: The file.
        facts: What to say.
        outputs: Of the file.
    """
    described, said = _origin(facts.origin)
    told = {**_told(facts), **said}
    del model.metadata_props[:]
    for key, value in sorted(told.items()):
        model.metadata_props.add(key=key, value=value)
    graph = model.graph
    graph.doc_string = described or facts.summary  # a converter's says who converted
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    for place, value in enumerate(inputs):
        if spec := facts.spec_of(value.name, place):
            value.doc_string = value.doc_string or facts.of_input(spec)
            value.type.denotation = _DENOTATIONS.get(kind_of(spec), "TENSOR")
    for place, value in enumerate(graph.output):
        value.doc_string = value.doc_string or facts.of_output(outputs, place)


def _origin(origin: Path | None) -> tuple[str, dict[str, str]]:
    """What the file that this one is made from says: quantizers keep less than all of it."""
    import onnx

    if origin is None or origin.suffix != ".onnx":
        return "", {}
    source = onnx.load(origin, load_external_data=False)
    return source.graph.doc_string, {entry.key: entry.value for entry in source.metadata_props}


def _told(facts: Facts) -> dict[str, str]:
    told = {
        "model_name": facts.model,
        "model_license": facts.licence,
        "task": facts.task,
        "activation": facts.activation,
        "labels": json.dumps(facts.labels, ensure_ascii=False) if facts.labels else "",
        "preprocessing": facts.preprocessing(),
    }
    pictures = [spec for spec in facts.inputs if kind_of(spec) == PICTURE]
    # Such a key speaks of every picture that the model takes.
    if len(pictures) == 1:
        told["Image.BitmapPixelFormat"] = "Rgb8" if pictures[0].channels == 3 else "Gray8"
        told["Image.ColorSpaceGamma"] = "SRGB"
        ranges = set(level_ranges(pictures[0]))
        told["Image.NominalPixelRange"] = (
            _PIXEL_RANGES.get(ranges.pop(), "") if len(ranges) == 1 else ""
        )
    return {key: value for key, value in told.items() if value}
