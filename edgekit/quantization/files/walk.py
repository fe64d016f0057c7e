"""Walk a float graph with two sets of activations, float and quantized, and correct biases.

The empirical bias correction of Nagel et al. 2019 (arXiv 1906.04721, section 4.2; see also Nagel et
al. 2021, arXiv 2106.08295), as `edgekit.quantization.condition.bias` does it, for graphs that only
their own runtime can run: piece by piece, a piece ending where a tensor has to be looked at. Knows
operators by what they read and give. Does not know formats.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError
from edgekit.quantization.condition.store import Store
from edgekit.tensor import affine_grid

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

    Run = Callable[[Sequence[Array]], list[Array]]

# Means over this many samples no longer change; more only cost time.
MOST_SAMPLES = 1024

_CHUNK = 8  # samples that are kept as one array
_STORE_BYTES = 384 * 2**20
_FLOAT, _ROUNDED = "float/", "rounded/"


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a graph.

    Attributes:
        name: Unique in the graph.
        reads: Tensors it takes that depend on an input.
        gives: Tensors it makes.
    """

    name: str
    reads: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linear:
    """An operator that is linear in one varying operand, with a constant kernel.

    Attributes:
        output: The tensor it gives.
        axis: Where the output's channels are.
        channels: How many.
        activation: What the file applies to the sum: "", "relu", "relu6", "relu1" or "tanh".
        corrects: Whether it has a bias of its own.
    """

    output: str
    axis: int
    channels: int
    activation: str = ""
    corrects: bool = True


class FloatGraph(ABC):
    """A float graph for one sample, which its own runtime runs piece by piece.

    Attributes:
        inputs: Names of the inputs, in the file's order.
        operators: Those that depend on an input, in order of execution.
        linears: Name of an operator → what is linear in it.
        points: Tensors that the target's quantizer stores in 8 bits.
    """

    inputs: Sequence[str]
    operators: Sequence[Operator]
    linears: Mapping[str, Linear]
    points: AbstractSet[str]

    @abstractmethod
    def runner(
        self,
        piece: Sequence[Operator],
        takes: Sequence[str],
        gives: Sequence[str],
        *,
        rounded: bool,
    ) -> Run:
        """What runs some operators on one sample: [1, …] arrays in, arrays out.

        A linear operator at the end of a piece gives the sum, before its activation.

        Args:
            piece: The operators, in order.
            takes: Tensors handed in.
            gives: Tensors wanted.
            rounded: Whether kernels lie on the int8 grid.
        """

    @abstractmethod
    def correct(self, operator: str, values: Array) -> None:
        """Note what to add to a linear operator's bias: [C]."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk did.

    Attributes:
        rounded: Kernels put onto the int8 grid.
        corrected: Biases corrected.
        samples: Calibration samples used.
    """

    rounded: int
    corrected: int
    samples: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def walk(graph: FloatGraph, samples: Sequence[Array], scratch: Path) -> Walked:
    """Correct the biases of a graph.

    Args:
        graph: Gets the corrections.
        samples: For each input, in the graph's order, [N, *shape] of its dtype, N ≥ 1.
        scratch: Folder for what does not fit into memory.

    Raises:
        ConversionError: Values that are not finite, or shapes that depend on values.
    """
    count = len(samples[0])
    if count > MOST_SAMPLES:
        chosen = [i * count // MOST_SAMPLES for i in range(MOST_SAMPLES)]
        samples = [rows[chosen] for rows in samples]
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        corrected = _Walk(graph, samples, Store(Path(place), _STORE_BYTES)).go()
    return Walked(len(graph.linears), corrected, min(count, MOST_SAMPLES))


class _Walk:
    def __init__(self, graph: FloatGraph, samples: Sequence[Array], store: Store) -> None:
        self.graph = graph
        self.samples = dict(zip(graph.inputs, samples, strict=True))
        self.count = len(samples[0])
        self.store = store
        self.chunks = [
            slice(start, min(start + _CHUNK, self.count)) for start in range(0, self.count, _CHUNK)
        ]

    def go(self) -> int:
        import numpy as np

        for name, samples in self.samples.items():
            for index, chunk in enumerate(self.chunks):
                rows = np.ascontiguousarray(samples[chunk])[:, None]
                for side in (_FLOAT, _ROUNDED):
                    self.store.put(side + name, index, rows)
            self._quantize(name)
        corrected = 0
        pieces = list(_pieces(self.graph))
        for place, piece in enumerate(pieces):
            later = {name for after in pieces[place + 1 :] for op in after for name in op.reads}
            linear = self.graph.linears.get(piece[-1].name)
            made = [name for op in piece for name in op.gives]
            gives = [n for n in made if n in later or (linear and n == linear.output)]
            means = self._run(piece, gives, linear)
            if linear is not None:
                shift = means[_FLOAT] - means[_ROUNDED]
                if not np.isfinite(shift).all():
                    raise ConversionError(
                        f"conditioning: {piece[-1].name} gives values that are not finite",
                        hint="check the input range (--input-range) and the file's weights",
                    )
                if linear.corrects:
                    self.graph.correct(piece[-1].name, shift)
                    corrected += 1
                self._activate(linear, shift if linear.corrects else np.zeros_like(shift))
            for name in gives:
                self._quantize(name)
            self.store.keep_only({side + name for side in (_FLOAT, _ROUNDED) for name in later})
        return corrected

    def _run(
        self, piece: Sequence[Operator], gives: Sequence[str], linear: Linear | None
    ) -> dict[str, Array]:
        """Run a piece on both sides; the mean of each channel of a linear operator's sum."""
        import numpy as np

        made = {name for op in piece for name in op.gives}
        takes = sorted({name for op in piece for name in op.reads} - made)
        means: dict[str, Array] = {}
        for side in (_FLOAT, _ROUNDED):
            run = self.graph.runner(piece, takes, gives, rounded=side == _ROUNDED)
            total: Any = 0.0
            for index in range(len(self.chunks)):
                given = [self.store.get(side + name, index) for name in takes]
                rows = [run(row) for row in zip(*given, strict=True)]
                for name, values in zip(gives, zip(*rows, strict=True), strict=True):
                    if len({value.shape for value in values}) > 1:
                        raise ConversionError(
                            f"conditioning: the shape of {name} differs from sample to sample",
                            hint="--no-condition leaves conditioning out",
                        )
                    self.store.put(side + name, index, np.stack(values))
                    if linear and name == linear.output:
                        total = total + _sums(np.stack(values), linear)
            means[side] = total / self.count
        return means

    def _activate(self, linear: Linear, shift: Array) -> None:
        import numpy as np

        for side in (_FLOAT, _ROUNDED):
            for index in range(len(self.chunks)):
                value = np.asarray(self.store.get(side + linear.output, index))
                if side == _ROUNDED:
                    shape = [1] * value.ndim
                    shape[1 + linear.axis] = -1
                    value = value + shift.reshape(shape).astype(np.float32)
                self.store.put(side + linear.output, index, _activated(value, linear.activation))

    def _quantize(self, name: str) -> None:
        """Put the quantized side of a point onto the 8-bit grid over its float values."""
        import numpy as np

        if name not in self.graph.points:
            return
        values = [np.asarray(self.store.get(_FLOAT + name, i)) for i in range(len(self.chunks))]
        low = min(float(value.min(initial=0.0)) for value in values)
        high = max(float(value.max(initial=0.0)) for value in values)
        del values
        if not high - low > 1e-30:
            return
        scale, zero = affine_grid((low, high), "uint8")
        step = np.float32(scale)
        for index in range(len(self.chunks)):
            value = np.rint(np.asarray(self.store.get(_ROUNDED + name, index)) / step)
            value = (np.clip(value, -zero, 255 - zero) * step).astype(np.float32)
            self.store.put(_ROUNDED + name, index, value)


def _pieces(graph: FloatGraph) -> Iterator[list[Operator]]:
    """Runs of operators, each ending in a linear one or in one that makes a point."""
    needed: set[str] = set()
    wanted: list[Operator] = []
    for operator in reversed(graph.operators):
        if operator.name in graph.linears or needed & set(operator.gives):
            needed |= set(operator.reads)
            wanted.append(operator)
    piece: list[Operator] = []
    for operator in reversed(wanted):
        if operator.name in graph.linears and piece:
            yield piece
            piece = []
        piece.append(operator)
        if operator.name in graph.linears or graph.points & set(operator.gives):
            yield piece
            piece = []


def _sums(values: Array, linear: Linear) -> Array:
    """Sum over samples of each channel's mean over places: [C] of [n, 1, …]."""
    import numpy as np

    moved = np.moveaxis(values, 1 + linear.axis, -1)
    means = moved.reshape(len(values), -1, linear.channels).mean(1, dtype=np.float64)
    return np.asarray(means.sum(0))


def _activated(value: Array, activation: str) -> Array:
    import numpy as np

    limits = {"relu": (0.0, None), "relu6": (0.0, 6.0), "relu1": (-1.0, 1.0)}
    if activation in limits:
        low, high = limits[activation]
        return np.clip(value, np.float32(low), None if high is None else np.float32(high))
    return np.tanh(value) if activation == "tanh" else value
