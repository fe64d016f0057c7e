"""The pass as a whole: a trace and calibration samples in, a conditioned trace out.

Imports TensorFlow. Knows folders. Does not convert.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters.tracing import Trace
from edgekit.files import canonical_json
from edgekit.quantization.condition.bias import Rounded, round_and_correct
from edgekit.quantization.condition.choosing import choose, harms
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.condition.grid import on_grid
from edgekit.quantization.condition.linear import kernel_of, linear_nodes, set_kernel
from edgekit.quantization.condition.originals import ORIGINALS, write_originals
from edgekit.ranges.limits import AUTO
from edgekit.samples import count_of, read_samples, rows_of, samples_at

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Means over this many samples no longer change; more only cost time.
MOST_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class Conditioned:
    """What the pass did.

    Attributes:
        folded: Linear nodes that a batch norm or a factor was folded into.
        rounded: Kernels put onto the int8 grid.
        corrected: Biases corrected; 0 where the corrected graph was worse on the samples.
        samples: Calibration samples used.
        ranges: How ranges of activations are to be chosen, one of `edgekit.ranges.limits.METHODS`.
        signal_db: Method → what it leaves of the outputs, signal over noise in dB; empty where
            there was no choice.
    """

    folded: int
    rounded: int
    corrected: int
    samples: int
    ranges: str
    signal_db: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        rounded = {method: round(value, 2) for method, value in self.signal_db.items()}
        return {**asdict(self), "signal_db": rounded}


def condition_trace(
    source: Path, calibration: Path, destination: Path, ranges: str = AUTO
) -> Conditioned:
    """Condition a trace.

    Args:
        source: Folder of the trace.
        calibration: Folder with samples of all inputs (`edgekit.samples`).
        destination: Folder that gets the conditioned trace; made here.
        ranges: How ranges of activations are chosen, one of `limits.ASKABLE`.

    Raises:
        ConversionError: Outputs that are not finite on the samples.
    """
    trace = Trace.read(source)
    names = [spec.name for spec in trace.inputs]
    graph = Graph(trace.graph_def(), names, list(trace.output_tensors))
    destination.mkdir()
    found = condition(graph, read_samples(samples_at(calibration), names), destination, ranges)
    made = replace(trace, folder=destination)
    (destination / "graph.pb").write_bytes(graph.definition().SerializeToString(deterministic=True))
    (destination / "trace.json").write_text(canonical_json(made.to_json()), encoding="utf-8")
    return found


def condition(
    graph: Graph,
    samples: Mapping[str, Array],
    scratch: Path | None = None,
    ranges: str = AUTO,
) -> Conditioned:
    """Fold, round and correct a graph in place.

    Args:
        graph: The frozen graph, traced for one sample.
        samples: Input name → [N, *shape] of its dtype, N ≥ 1.
        scratch: Where activations go that don't fit into memory, and what layers kept in float get
            (`originals`); by default the system's place, and nowhere.
        ranges: How ranges of activations are chosen, one of `limits.ASKABLE`.
    """
    count = count_of(samples)
    if count > MOST_SAMPLES:
        samples = rows_of(samples, [i * count // MOST_SAMPLES for i in range(MOST_SAMPLES)])
    folded = fold(graph)
    choice = choose(graph, samples, ranges)
    original, plain = graph.copy(), graph.copy()
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        record: list[Rounded] = []
        rounded, corrected = round_and_correct(graph, samples, Path(place), record)
    if scratch is not None:
        write_originals(scratch / ORIGINALS, record)
    graph.tidy()
    # Where a kernel's largest weight leaves nothing of the others, a mean is no remedy.
    for linear in linear_nodes(plain):
        set_kernel(plain, linear, on_grid(kernel_of(plain, linear), linear.axes))
    if corrected and harms(original, plain, graph, samples):
        graph.take(plain)
        corrected = 0
    used = min(count, MOST_SAMPLES)
    return Conditioned(folded, rounded, corrected, used, choice.method, choice.signal_db)
