"""Compare what a file's layers give with what the float graph gives, chunk by chunk.

Two figures a layer: against the float graph as a whole, which holds the noise of all layers before,
too; and against the float layer alone, fed with what the file's own layers before it gave. The
second says where accuracy is lost. Imports TensorFlow. Does not run the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.exporters.tracing import Trace
from edgekit.quantization.condition.fold import fold
from edgekit.quantization.condition.graph import Graph, tensor_key
from edgekit.quantization.condition.linear import Shapes, ensure_bias, linear_nodes
from edgekit.quantization.explain.layers import Layer
from edgekit.quantization.explain.matching import Candidates, Match, match_names, match_values
from edgekit.quantization.explain.signal import Figures, Noise
from edgekit.quantization.replay import Replay, by_sample

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# A model of today that differs more from the one of the export is another one.
_MOST_APART = 1e-3


@dataclass(slots=True)
class _Pair:
    """A layer with its counterpart, and what came together so far."""

    number: int
    match: Match
    whole: Noise
    alone: Noise


@dataclass(frozen=True, slots=True)
class Compared:
    """One layer of the file.

    Attributes:
        place: Its number in the order of execution.
        layer: It.
        tensor: Its counterpart in the float graph; "" without one.
        how: Found by "name" or by "values"; why it was not found.
        concordance: Of both over the first samples.
        whole: Against the float graph; None without a counterpart.
        alone: Against the float layer on the file's own inputs; likewise.
    """

    place: int
    layer: Layer
    tensor: str
    how: str
    concordance: float
    whole: Figures | None
    alone: Figures | None

    @property
    def shown(self) -> str:
        """A name for people: the float graph's where there is one, without the model's own."""
        name = self.tensor or self.layer.name.removesuffix(":0")
        return name.partition("/")[2] or name

    def to_json(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "layer": self.layer.to_json(),
            "tensor": self.tensor,
            "how": self.how,
            "concordance": round(self.concordance, 6),
            "whole": self.whole.to_json() if self.whole else None,
            "alone": self.alone.to_json() if self.alone else None,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Compared:
        whole, alone = (
            Figures.from_json(data[key]) if data[key] else None for key in ("whole", "alone")
        )
        layer = Layer.from_json(data["layer"])
        return Compared(
            data["place"], layer, data["tensor"], data["how"], data["concordance"], whole, alone
        )


def float_graph(trace: Trace, *, conditioned: bool) -> Graph:
    """The frozen graph; for a conditioned file in the form that its converter got.

    Folding changes no function but renames and merges nodes; without rounded kernels and corrected
    biases it is what the conditioned graph should compute.
    """
    graph = Graph(
        trace.graph_def(), [spec.name for spec in trace.inputs], list(trace.output_tensors)
    )
    if conditioned:
        fold(graph)
        shapes = Shapes(graph.definition())
        for linear in linear_nodes(graph):
            ensure_bias(graph, linear, shapes)
        graph.tidy()
    return graph


class Comparison:
    """Of one file with the float graph of its source.

    Args:
        trace: The source, traced and frozen.
        layers: Of the file.
        samples: Input name → [N, *shape].
        conditioned: Whether the file was made from the conditioned graph.
    """

    def __init__(
        self,
        trace: Trace,
        layers: Sequence[Layer],
        samples: Mapping[str, Array],
        *,
        conditioned: bool,
    ) -> None:
        self._trace = trace
        self._layers = layers
        self._samples = samples
        self._graph = float_graph(trace, conditioned=conditioned)
        self._replay = Replay(self._graph, samples)
        self._pairs: dict[str, list[_Pair]] | None = None
        self._unmatched: dict[int, str] = {}

    def check(self, inputs: Mapping[str, Array], reference: Mapping[str, Array]) -> float:
        """Whether this is the model that the file was made from.

        Args:
            inputs: Golden inputs of the artifact, by name.
            reference: The source model's outputs for them, by name.

        Returns:
            The largest difference, relative to the largest output (at least 1).

        Raises:
            ModelError: It is not, or has changed.
        """
        import numpy as np

        count = len(next(iter(inputs.values())))
        wanted = {
            tensor_key(tensor): reference[name]
            for name, tensor in zip(self._trace.outputs, self._trace.output_tensors, strict=True)
            if name in reference
        }
        found: dict[str, float] = {}

        def visit(_: Any, given: Mapping[str, Any]) -> None:
            for name in wanted.keys() & given.keys():
                real = by_sample(given[name], count)
                if real is None or real.size != wanted[name].size:
                    found[name] = float("inf")
                    continue
                expected = wanted[name].reshape(real.shape)
                largest = max(1.0, float(np.abs(expected).max(initial=0.0)))
                found[name] = float(np.abs(real - expected).max(initial=0.0)) / largest

        Replay(self._graph, inputs).run(0, count, visit)
        apart = max(found.values(), default=0.0)
        if not apart <= _MOST_APART:
            raise ModelError(
                "the model is not the one this artifact was made from: its outputs for the "
                f"artifact's golden inputs differ by up to {apart:.2g} of the largest",
                limit=f"{_MOST_APART:g} of the largest output",
                hint="--model, --dataset and --weights say which model it was; or export it again",
            )
        return apart

    def add(self, start: int, stop: int, folder: Path) -> None:
        """Compare samples `start` to `stop`, whose layers' values lie in the folder."""
        import numpy as np

        given = [
            np.load(folder / f"{number}.npy", allow_pickle=False)
            for number in range(len(self._layers))
        ]
        if self._pairs is None:
            self._pairs = self._match(start, stop, given)
        pairs = self._pairs

        def see(_: Any, values: Mapping[str, Any]) -> None:
            for name in pairs.keys() & values.keys():
                real = by_sample(values[name], stop - start)
                assert real is not None
                for pair in pairs[name]:
                    pair.whole.add(real, pair.match.view.apply(given[pair.number]))

        def replace(_: Any, values: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: self._replaced(name, values[name], given, stop - start)
                for name in pairs.keys() & values.keys()
            }

        self._replay.run(start, stop, see)
        self._replay.run(start, stop, replace)

    def result(self) -> list[Compared]:
        """What came together, in the order of the file's layers."""
        pairs = {p.number: p for same in (self._pairs or {}).values() for p in same}
        found = []
        for number, layer in enumerate(self._layers):
            if pair := pairs.get(number):
                known = pair.match
                figures = pair.whole.figures(), pair.alone.figures()
                found.append(
                    Compared(number, layer, known.tensor, known.how, known.concordance, *figures)
                )
            else:
                reason = self._unmatched.get(number, "no sample was compared")
                found.append(Compared(number, layer, "", reason, 0.0, None, None))
        return found

    # -- parts -------------------------------------------------------------------------------------

    def _replaced(self, name: str, value: Any, given: Sequence[Array], count: int) -> Any:
        """What the float layer gave for the file's own inputs, compared; the file's, to go on."""
        assert self._pairs is not None
        real = by_sample(value, count)
        assert real is not None
        for pair in self._pairs[name]:
            pair.alone.add(real, pair.match.view.apply(given[pair.number]))
        first = self._pairs[name][0]
        return _in_place_of(value, first.match, given[first.number])

    def _match(self, start: int, stop: int, given: Sequence[Array]) -> dict[str, list[_Pair]]:
        aliases = {
            name: tensor_key(tensor)
            for name, tensor in zip(self._trace.outputs, self._trace.output_tensors, strict=True)
        }
        known = self._candidates(start, stop, given, {}, aliases)
        matches = match_names(self._layers, given, known)
        named = {found.tensor: n for n, found in enumerate(matches) if isinstance(found, Match)}
        if len(named) < len(self._layers):
            own = {
                tensor: (number, found)
                for tensor, number in named.items()
                if isinstance(found := matches[number], Match)
            }
            known = self._candidates(start, stop, given, own, aliases)
            matches = match_values(self._layers, given, known, matches)
        pairs: dict[str, list[_Pair]] = {}
        for number, found in enumerate(matches):
            if isinstance(found, Match):
                pairs.setdefault(found.tensor, []).append(_Pair(number, found, Noise(), Noise()))
            else:
                self._unmatched[number] = found
        return pairs

    def _candidates(
        self,
        start: int,
        stop: int,
        given: Sequence[Array],
        own: Mapping[str, tuple[int, Match]],
        aliases: Mapping[str, str],
    ) -> Candidates:
        """What each node gives, where those after it take the file's `own` values of a tensor."""
        sizes = {values[0].size for values in given}
        values: dict[str, Array] = {}
        kinds: dict[str, str] = {}

        def keep(node: Any, outputs: Mapping[str, Any]) -> dict[str, Any]:
            for name, value in outputs.items():
                real = by_sample(value, stop - start)
                if real is not None and real.dtype.kind in "fiu" and real[0].size in sizes:
                    values[name] = real
                    kinds[name] = node.op
            return {
                name: _in_place_of(outputs[name], found, given[number])
                for name, (number, found) in own.items()
                if name in outputs
            }

        self._replay.run(start, stop, keep)
        return Candidates(values, kinds, aliases)


def _in_place_of(value: Any, found: Match, given: Array) -> Any:
    """The file's own values as a tensor of the float graph; integers stay the float graph's."""
    import tensorflow as tf

    if not hasattr(value, "dtype") or not tf.as_dtype(value.dtype).is_floating:
        return value
    return tf.constant(found.view.apply(given).reshape(value.shape), value.dtype)
