"""Carry out rewrites one after the other, and prove each: a trace in, a rewritten trace out.

Imports TensorFlow. Knows folders. Does not choose rewrites.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import EdgekitError
from edgekit.exporters.tracing import Trace
from edgekit.files import canonical_json
from edgekit.golden import noise_inputs
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.rewrite import hard_swish, masks, negations, padding
from edgekit.quantization.rewrite.applied import Applied
from edgekit.samples import read_samples, rows_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Each changes a folded graph in place, may look at samples, and gives the nodes it changed.
REWRITES: Mapping[str, Callable[[Graph, Mapping[str, Array]], tuple[str, ...]]] = {
    hard_swish.NAME: hard_swish.apply,
    padding.NAME: padding.apply,
    masks.NAME: masks.apply,
    negations.NAME: negations.apply,
}

# What a rewritten graph may differ by: rounding in float32, which is about 120 dB.
LEAST_DB = 100.0
_SAMPLES = 16


def rewrite_trace(source: Path, samples: Path | None, destination: Path) -> tuple[Applied, ...]:
    """Rewrite a trace.

    Args:
        source: Folder of the trace.
        samples: A `.npy` [N, *shape], or a folder with one per input; None for noise.
        destination: Folder that gets the rewritten trace; not made where no rewrite holds.

    Returns:
        What was tried and applied somewhere, in that order.

    Raises:
        ConversionError: TensorFlow refuses a node.
    """
    trace = Trace.read(source)
    graph = Graph(
        trace.graph_def(), [spec.name for spec in trace.inputs], list(trace.output_tensors)
    )
    if samples is None:
        arrays = noise_inputs(trace.inputs, _SAMPLES)
    else:
        given = read_samples(samples, [spec.name for spec in trace.inputs])
        arrays = rows_of(given, slice(_SAMPLES))
    rewritten, applied = rewrite(graph, arrays)
    if any(not entry.problem for entry in applied):
        destination.mkdir()
        made = replace(trace, folder=destination)
        content = rewritten.definition().SerializeToString(deterministic=True)
        (destination / "graph.pb").write_bytes(content)
        (destination / "trace.json").write_text(canonical_json(made.to_json()), encoding="utf-8")
    return applied


def rewrite(graph: Graph, samples: Mapping[str, Array]) -> tuple[Graph, tuple[Applied, ...]]:
    """A graph after all rewrites; one that changes the function is left out.

    Args:
        graph: The frozen graph, traced for one sample; not changed.
        samples: Input name → [N, *shape] of its dtype, N ≥ 1: what exactness is proven on.

    Returns:
        The graph, batch norms folded, and what was applied in at least one place.
    """
    wanted: list[Array] = []
    current = _copy(graph)
    fold(current)
    applied = []
    for name, apply in REWRITES.items():
        changed = _copy(current)
        places = apply(changed, samples)
        if not places:
            continue
        wanted = wanted or outputs(graph, samples)
        try:
            found = exactness(outputs(changed, samples), wanted)
        except EdgekitError as error:
            applied.append(Applied(name, len(places), None, error.message))
            continue
        problem = ""
        if found is not None and found < LEAST_DB:
            problem = f"outputs differ, {found:.0f} dB, where {LEAST_DB:.0f} are rounding"
        else:
            current = changed
        applied.append(Applied(name, len(places), found, problem))
    return current, tuple(applied)


def outputs(graph: Graph, samples: Mapping[str, Array]) -> list[Array]:
    """What a graph gives for samples, one after the other: [N, ...] per output."""
    import numpy as np
    import tensorflow as tf

    definition = graph.definition()
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    function = wrapped.prune(
        [f"{name}:0" for name in graph.inputs],
        [name if ":" in name else f"{name}:0" for name in graph.outputs],
    )
    count = len(next(iter(samples.values())))
    rows = [
        function(*(tf.constant(np.asarray(samples[name][i : i + 1])) for name in graph.inputs))
        for i in range(count)
    ]
    columns = zip(*rows, strict=True)
    return [np.concatenate([np.asarray(part) for part in column]) for column in columns]


def exactness(given: Sequence[Array], wanted: Sequence[Array]) -> float | None:
    """Signal over noise of the worst output in decibels; None if all are equal to the bit."""
    import numpy as np

    worst: float | None = None
    for mine, theirs in zip(given, wanted, strict=True):
        if mine.dtype.kind != "f":
            if not np.array_equal(mine, theirs):
                return 0.0
            continue
        signal = float(np.square(theirs, dtype=np.float64).sum())
        noise_power = float(np.square(mine.astype(np.float64) - theirs).sum())
        if noise_power == 0:
            continue
        if not math.isfinite(noise_power) or not signal:
            return 0.0
        found = 10 * math.log10(signal / noise_power)
        worst = found if worst is None else min(worst, found)
    return worst


def _copy(graph: Graph) -> Graph:
    return Graph(graph.definition(), graph.inputs, graph.outputs)
