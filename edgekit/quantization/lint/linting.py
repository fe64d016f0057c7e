"""Lint the float graph of a trace. Imports TensorFlow. Knows folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters.tracing import Trace
from edgekit.golden import noise_inputs
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.lint import structure, weights
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.lint.observed import observe
from edgekit.samples import read_samples, rows_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Enough for orders of magnitude, which is what rules ask for.
_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class Lint:
    """What was found.

    Attributes:
        findings: Rule by rule.
        from_data: Whether ranges come from data, else from noise over the input's range.
    """

    findings: tuple[Finding, ...]
    from_data: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "from_data": self.from_data,
        }


def lint_trace(folder: Path, samples: Path | None) -> Lint:
    """Lint a trace.

    Args:
        folder: Of the trace.
        samples: A `.npy` [N, *shape], or a folder with one per input; None for noise.

    Raises:
        ConversionError: TensorFlow refuses a node.
    """
    trace = Trace.read(folder)
    names = [spec.name for spec in trace.inputs]
    graph = Graph(trace.graph_def(), names, list(trace.output_tensors))
    if samples is None:
        return Lint(lint(graph, noise_inputs(trace.inputs, _SAMPLES)), False)
    return Lint(lint(graph, rows_of(read_samples(samples, names), slice(_SAMPLES))), True)


def lint(graph: Graph, samples: Mapping[str, Array]) -> tuple[Finding, ...]:
    """Every finding in a float graph.

    Args:
        graph: The frozen graph; batch norms are folded in place.
        samples: Input name → [N, *shape] of its dtype, N ≥ 1.

    Raises:
        ConversionError: TensorFlow refuses a node.
    """
    fold(graph)
    observed = observe(graph, samples)
    return (*structure.rules(observed), *weights.rules(observed))
