"""What runs in the TensorFlow process of an export.

All that `edgekit.exporters.worker` does, and conditioning.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.exporters.worker import Worker
from edgekit.process import Handler

ENTRY = "edgekit.quantization.worker:handler"


def handler() -> Handler:
    """For `edgekit.process`: also {"do": "condition", "source", "calibration", "destination"}."""
    return _Worker()


class _Worker(Worker):
    def steps(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {**super().steps(), "condition": _condition}


def _condition(request: dict[str, Any]) -> dict[str, Any]:
    from edgekit.quantization.condition.conditioning import condition_trace

    places = (Path(request[name]) for name in ("source", "calibration", "destination"))
    return condition_trace(*places).to_json()
