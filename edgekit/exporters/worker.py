"""What runs in a conversion's child process: prepare a model, convert, answer for the source.

One handler serves both kinds of child. The one that is asked to `prepare` imports TensorFlow and
stays; one that only converts from ONNX stays light. Every request carries all it needs, so a child
that crashed is replaced by a fresh one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import registry
from edgekit.errors import ConversionError, ModelError
from edgekit.exporters.base import Conversion
from edgekit.exporters.metadata.facts import Facts
from edgekit.process import Emit, Handler

ENTRY = "edgekit.exporters.worker:handler"


@dataclass(frozen=True, slots=True)
class Preparation:
    """How to get the source model.

    Attributes:
        model: `ModelSource.to_json()`.
        weights: Checkpoint to load into it, if it needs one.
        classes: Argument of a model folder's `build()`.
        folder: Where the trace goes.
        input_shape: Overrides open axes of the only input.
        input_range: Range of values a float image input expects.
    """

    model: Mapping[str, Any]
    weights: Path | None
    classes: int | None
    folder: Path
    input_shape: tuple[int, ...] | None = None
    input_range: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "model": dict(self.model),
            "weights": str(self.weights) if self.weights else None,
            "classes": self.classes,
            "folder": str(self.folder),
            "input_shape": list(self.input_shape) if self.input_shape else None,
            "input_range": list(self.input_range) if self.input_range else None,
        }


def handler() -> Handler:
    """For `edgekit.process`: requests are {"do": "prepare", ...} and the like."""
    return Worker()


class Worker:
    """The requests above; a subclass that knows more of them extends `steps`."""

    def __init__(self) -> None:
        self._reference: Any = None

    def __call__(self, request: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        return self.steps()[request["do"]](request)

    def steps(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """What each request is answered by."""
        return {
            "prepare": self._prepare,
            "convert": _convert,
            "describe": _describe,
            "reference": self._predict,
        }

    def _prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        from edgekit.exporters.tracing import trace_model
        from edgekit.loading import build_keras
        from edgekit.models import resolve_model

        source = resolve_model(**request["model"])
        weights = Path(request["weights"]) if request["weights"] else None
        model = build_keras(source, weights=weights, classes=request["classes"])
        folder = Path(request["folder"])
        folder.mkdir(exist_ok=True)
        shape, limits = request["input_shape"], request["input_range"]
        trace, self._reference = trace_model(
            model,
            folder,
            spec=source.spec,
            input_shape=tuple(shape) if shape else None,
            input_range=(limits[0], limits[1]) if limits else None,
        )
        return trace.to_json()

    def _predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run the source model on samples and write its outputs, as an agent's "run" would."""
        import numpy as np

        from edgekit.samples import read_samples, write_samples

        if self._reference is None:  # a fresh child after a crash
            self._prepare(request["preparation"])
        place = Path(request["inputs"])
        arrays = list(read_samples(place, request["names"]).values())
        try:
            outputs = self._reference(arrays)
        except Exception as error:
            # TensorFlow's own words stand between frames of the calls that led there.
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            frames = ("File ", "Detected at", "Graph execution error", "Stack trace")
            reason = next((line for line in lines if not line.startswith(frames)), "")
            raise ModelError(
                f"the source model fails on inputs in its range: {type(error).__name__}: "
                f"{reason[:300]}",
                hint="--input-range LOW,HIGH says what it takes (token numbers: 0,VOCABULARY-1)",
            ) from error
        named = dict(zip(request["output_names"], outputs, strict=True))
        place = write_samples(Path(request["outputs"]), named)
        bad = sum(int((~np.isfinite(a)).sum()) for a in outputs if a.dtype.kind == "f")
        return {"nonfinite": bad, "outputs": str(place)}


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    exporter = registry.load(registry.EXPORTERS, request["target"])()
    conversion = Conversion.from_json(request["conversion"])
    if not conversion.source.is_dir():
        raise ConversionError(f"{conversion.source}: the step before this one left nothing")
    return {"graph": exporter.convert(conversion).to_json()}


def _describe(request: dict[str, Any]) -> dict[str, Any]:
    exporter = registry.load(registry.EXPORTERS, request["target"])()
    source, destination = Path(request["source"]), Path(request["destination"])
    exporter.describe(source, destination, Facts.from_json(request["facts"]))
    return {}
