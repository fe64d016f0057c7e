"""Choose how ranges of activations are set, by what each way does to the model's outputs.

The float graph is run on a few samples with the tensors that some converter stores in 8 bits put
on their grids, once for each method, kernels as they are: what differs from one method to the next
is the activations' rounding and clipping alone.

The rule: `minmax`, unless another method's signal over noise is better by more than `_WORTH_DB` and
by more than twice the standard error of the difference over samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.graph import Graph
from edgekit.quantization.condition.points import arithmetic_tensors, fake_quantized
from edgekit.quantization.replay import Replay, by_sample
from edgekit.ranges.limits import MINMAX, candidates, limits
from edgekit.ranges.observer import Observer
from edgekit.ranges.observing import Limits

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST_SAMPLES = 64
_JUDGED_SAMPLES = 16
_TOGETHER = 8
_WORTH_DB = 1.0  # a sixth of a bit
_LOUDEST_DB = 120.0  # what float32 itself keeps


@dataclass(frozen=True, slots=True)
class Choice:
    """A method, and why.

    Attributes:
        method: One of `edgekit.ranges.limits.METHODS`.
        signal_db: Method → signal over noise of the outputs, dB, mean over samples and outputs;
            empty where nothing was compared.
    """

    method: str
    signal_db: Mapping[str, float]


def choose(graph: Graph, samples: Mapping[str, Array], asked: str) -> Choice:
    """Compare the methods that `asked` allows.

    Args:
        graph: The folded float graph.
        samples: Input name → [N, *shape], N ≥ 1.
        asked: One of `edgekit.ranges.limits.ASKABLE`.

    Raises:
        ConversionError: TensorFlow refuses a node.
    """
    import numpy as np

    methods = candidates(asked)
    if len(methods) == 1:
        return Choice(methods[0], {})
    run = _Run(graph, _some(samples, _MOST_SAMPLES))
    right = run.outputs({})
    signal: dict[str, Array] = {}
    known: list[tuple[Mapping[str, Limits], Array]] = []
    for method in methods:
        ranges = {name: limits(seen, method) for name, seen in run.seen.items()}
        same = [found for other, found in known if other == ranges]
        signal[method] = same[0] if same else _signal_db(right, run.outputs(ranges))
        known.append((ranges, signal[method]))
    means = {method: float(np.mean(found)) for method, found in signal.items()}
    return Choice(_best(signal, means), means)


def harms(float_: Graph, plain: Graph, changed: Graph, samples: Mapping[str, Array]) -> bool:
    """Whether one rounded graph is worse than another on calibration samples, by the same rule.

    Activations are on the grids that each graph's own extremes give.

    Args:
        float_: What both were made from.
        plain: The one that has to be beaten.
        changed: The other.
        samples: Input name → [N, *shape], N ≥ 1.
    """
    import numpy as np

    few = _some(samples, _JUDGED_SAMPLES)
    right = _Run(float_, few).outputs({})
    signal = []
    for graph in (plain, changed):
        run = _Run(graph, few)
        run.outputs({})
        ranges = {name: limits(seen, MINMAX) for name, seen in run.seen.items()}
        signal.append(_signal_db(right, run.outputs(ranges)))
    loss = signal[0] - signal[1]
    error = float(np.std(loss)) / math.sqrt(len(loss))
    return float(np.mean(loss)) > max(_WORTH_DB, 2 * error)


def _some(samples: Mapping[str, Array], most: int) -> Mapping[str, Array]:
    count = len(next(iter(samples.values())))
    chosen = [i * count // most for i in range(most)]
    return samples if count <= most else {name: array[chosen] for name, array in samples.items()}


def _best(signal: Mapping[str, Array], means: Mapping[str, float]) -> str:
    import numpy as np

    best = max(means, key=lambda method: means[method])
    if MINMAX not in means:
        return best
    gain = signal[best] - signal[MINMAX]
    error = float(np.std(gain)) / math.sqrt(len(gain))
    return best if float(np.mean(gain)) > max(_WORTH_DB, 2 * error) else MINMAX


class _Run:
    """The graph on samples, with or without grids.

    Attributes:
        seen: Tensor that is stored in 8 bits → what it held in runs without grids.
    """

    def __init__(self, graph: Graph, samples: Mapping[str, Array]) -> None:
        self.seen: dict[str, Observer] = {}
        self._given = graph.outputs
        self._points = arithmetic_tensors(graph)
        self._replay = Replay(graph, samples)

    def outputs(self, ranges: Mapping[str, Limits]) -> list[Array]:
        """The model's outputs, each [N, ...]; without grids the tensors are observed."""
        import numpy as np

        parts: dict[str, list[Array]] = {name: [] for name in self._given}
        count = 0

        def visit(_: Any, given: Mapping[str, Any]) -> dict[str, Any]:
            for name in given.keys() & parts.keys():
                rows = by_sample(given[name], count)
                if rows is not None and rows.dtype.kind == "f":
                    parts[name].append(rows)
            if ranges:
                return {n: fake_quantized(v, ranges[n]) for n, v in given.items() if n in ranges}
            for name in given.keys() & self._points:
                rows = by_sample(given[name], count)
                if rows is not None and rows.dtype.kind == "f":
                    self.seen.setdefault(name, Observer()).add(rows)
            return {}

        for start in range(0, self._replay.samples, _TOGETHER):
            stop = min(start + _TOGETHER, self._replay.samples)
            count = stop - start
            self._replay.run(start, stop, visit)
        return [np.concatenate(rows) for rows in parts.values() if rows]


def _signal_db(right: Sequence[Array], found: Sequence[Array]) -> Array:
    """Signal over noise of each sample, dB [N]; mean over outputs, each on its own scale."""
    import numpy as np

    columns = []
    for a, b in zip(right, found, strict=True):
        power = (a.astype(np.float64) ** 2).reshape(len(a), -1).sum(1)
        noise = ((a.astype(np.float64) - b) ** 2).reshape(len(a), -1).sum(1)
        least = power * 10 ** (-_LOUDEST_DB / 10) + 1e-60
        columns.append(10 * np.log10((power + 1e-60) / np.maximum(noise, least)))
    return np.asarray(np.mean(columns, axis=0))
