"""What runs in the TensorFlow process of an export, and in that of an explanation.

All that `edgekit.exporters.worker` does, and what needs the frozen graph: conditioning, the linter,
comparing a file's layers with it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters.worker import Worker
from edgekit.process import Handler

if TYPE_CHECKING:
    from edgekit.quantization.explain.comparing import Comparison

ENTRY = "edgekit.quantization.worker:handler"


def lint_request(trace: Path, samples: Path | None) -> dict[str, Any]:
    """The request that lints a trace's float graph; without samples on noise."""
    return {"do": "lint", "source": str(trace), "samples": str(samples) if samples else None}


def rewrite_request(trace: Path, samples: Path | None, destination: Path) -> dict[str, Any]:
    """The request that rewrites a trace; without samples proven on noise."""
    return {
        "do": "rewrite",
        "source": str(trace),
        "samples": str(samples) if samples else None,
        "destination": str(destination),
    }


def handler() -> Handler:
    """For `edgekit.process`: also {"do": "condition" | "lint" | "rewrite" | "compare" | ...}.

    "condition" takes "source", "calibration", "destination" and "ranges"; "lint" takes "source" and
    "samples"; "rewrite" what `rewrite_request` holds; "compare" begins a comparison, "add" goes on
    with it, "compared" ends it.
    """
    return _Worker()


class _Worker(Worker):
    def __init__(self) -> None:
        super().__init__()
        self._comparison: Comparison | None = None

    def steps(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            **super().steps(),
            "condition": _condition,
            "lint": _lint,
            "rewrite": _rewrite,
            "compare": self._compare,
            "add": self._add,
            "compared": self._compared,
        }

    def _compare(self, request: dict[str, Any]) -> dict[str, Any]:
        from edgekit.exporters.tracing import Trace
        from edgekit.quantization.explain.comparing import Comparison
        from edgekit.quantization.explain.layers import Layer
        from edgekit.samples import read_samples, samples_at, stored_at

        trace = Trace.read(Path(request["source"]))
        self._comparison = Comparison(
            trace,
            [Layer.from_json(entry) for entry in request["layers"]],
            read_samples(Path(request["samples"]), request["names"]),
            conditioned=request["conditioned"],
        )
        if request["golden"] is None:
            return {"apart": None}
        golden = Path(request["golden"])
        inputs = read_samples(samples_at(golden), request["names"])
        reference = read_samples(stored_at(golden / "reference"), trace.outputs)
        return {"apart": self._comparison.check(inputs, reference)}

    def _add(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._comparison is not None
        self._comparison.add(request["start"], request["stop"], Path(request["folder"]))
        return {}

    def _compared(self, _: dict[str, Any]) -> dict[str, Any]:
        assert self._comparison is not None
        return {"layers": [entry.to_json() for entry in self._comparison.result()]}


def _condition(request: dict[str, Any]) -> dict[str, Any]:
    from edgekit.quantization.condition.conditioning import condition_trace

    source, calibration, destination = (
        Path(request[name]) for name in ("source", "calibration", "destination")
    )
    return condition_trace(source, calibration, destination, request["ranges"]).to_json()


def _lint(request: dict[str, Any]) -> dict[str, Any]:
    from edgekit.quantization.lint.linting import lint_trace

    place = Path(request["samples"]) if request["samples"] else None
    return lint_trace(Path(request["source"]), place).to_json()


def _rewrite(request: dict[str, Any]) -> dict[str, Any]:
    from edgekit.quantization.rewrite.rewriting import rewrite_trace

    place = Path(request["samples"]) if request["samples"] else None
    applied = rewrite_trace(Path(request["source"]), place, Path(request["destination"]))
    return {"applied": [entry.to_json() for entry in applied]}
