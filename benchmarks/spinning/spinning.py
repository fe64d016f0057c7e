"""A runtime of third parties, whose calls spin for as long as the model file says.

It is installed on the benchmark's board as any runtime would be: a module and its entry point where
the board's Python finds them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.agent.runtimes.base import LoadedModel, Runtime
from edgekit.measure import Placement
from edgekit.tensor import TensorInfo


class SpinningModel(LoadedModel):
    """Calls that spin.

    Args:
        spin_ns: How long; 0 for calls that do nothing.
    """

    inputs = (TensorInfo("x", "float32", (1, 4)),)
    outputs = (TensorInfo("y", "float32", (1, 4)),)

    def __init__(self, spin_ns: int) -> None:
        self.facts = {}
        self._spin_ns = spin_ns

    def set_inputs(self, arrays: Sequence[Any]) -> None:
        """Keep them: they are the outputs, too."""
        self._arrays = arrays

    def invoke(self) -> None:
        """Spin until the time is over."""
        if self._spin_ns:
            end = time.perf_counter_ns() + self._spin_ns
            while time.perf_counter_ns() < end:
                pass

    def get_outputs(self) -> list[Any]:
        """What was set."""
        return list(self._arrays)

    def placement(self) -> Placement:
        """Nothing ran anywhere else."""
        return Placement(1, 0, 1, {"spinning": 1}, "it has one operator")


class Spinning(Runtime):
    """A runtime of nothing but time."""

    name, module = "spinning", "json"

    def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
        return SpinningModel(int(model.read_bytes().split(b"\0")[0]))
