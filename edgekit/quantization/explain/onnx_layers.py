"""The layers of an ONNX file, read by ONNX Runtime with more outputs than the file has.

In a quantized file the added outputs are the integers behind each operator, not the real values
before them: those only exist where the runtime does not fuse operators into integer kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.quantization.explain.layers import Layer, LayeredFile

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_MOVING = (
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Cast", "Shape",
    "Expand",
)  # fmt: skip
# What is fused into the operator before.
_FUSED = ("Relu", "Clip")
_REAL = ("tensor(float)", "tensor(float16)")
_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True)
class _Tap:
    """A tensor to read: its real values are scale · (it − zero), where it has a grid."""

    tensor: str
    scale: Any = None
    zero: Any = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A layer as the file's graph shows it, before its tensor's type is known.

    Attributes:
        op: Kind of its operator.
        names: Of its output.
        tap: Where to read it.
        sources: Numbers of those whose values it takes.
    """

    op: str
    names: tuple[str, ...]
    tap: _Tap
    sources: frozenset[int]


class OnnxFile(LayeredFile):
    """A `.onnx` file."""

    def __init__(self, model: Path) -> None:
        import onnx

        self._graph = onnx.load(model)  # with weights that lie beside it
        self._plain = _session(str(model))
        self._outputs = [node.name for node in self._plain.get_outputs()]
        self.inputs = tuple(node.name for node in self._plain.get_inputs())
        self._index()
        found = self._find()
        self._session = self._with_outputs([entry.tap.tensor for entry in found])
        about = {node.name: node for node in self._session.get_outputs()}
        layers: list[Layer] = []
        left_out = Counter(self._moved)
        numbers: list[frozenset[int]] = []  # what was found → layers
        self._taps: list[_Tap] = []
        for entry in found:
            sources = frozenset(n for source in entry.sources for n in numbers[source])
            node = about[entry.tap.tensor]
            if node.type not in _REAL and entry.tap.scale is None:
                left_out[entry.op] += 1
                numbers.append(sources)
                continue
            numbers.append(frozenset({len(layers)}))
            layers.append(_layer(entry, node, sources))
            self._taps.append(entry.tap)
        self.layers, self.left_out = tuple(layers), dict(left_out)
        self._last: list[Array] = []

    # -- what the layers are -----------------------------------------------------------------------

    def _index(self) -> None:
        from onnx import numpy_helper

        graph = self._graph.graph
        self._constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self._readers: dict[str, list[Any]] = {}
        self._makers: dict[str, Any] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
            for name in node.output:
                self._makers[name] = node

    def _find(self) -> list[_Found]:
        varying = set(self.inputs)
        self._moved: Counter[str] = Counter()
        fused: dict[str, str] = {}  # tensor → kinds of the operators that are one with its reader
        origins: dict[str, frozenset[int]] = {}  # tensor → what was found that it holds values of
        found: list[_Found] = []
        for node in self._graph.graph.node:
            if not varying & set(node.input):
                continue
            varying |= set(node.output)
            kind = fused.pop(node.input[0], "") + node.op_type
            sources = frozenset(n for name in node.input for n in origins.get(name, ()))
            for tensor in filter(None, node.output):
                origins[tensor] = sources
                if self._fusing(tensor):
                    fused[tensor] = f"{kind}+"
                elif (tap := self._tap(node, tensor)) is not None:
                    origins[tensor] = frozenset({len(found)})
                    names = (node.input[0],) if kind == _QUANTIZE else self._names(tensor)
                    found.append(_Found(kind, names, tap, sources))
                elif kind not in (_QUANTIZE, _DEQUANTIZE):
                    self._moved[kind] += 1
        return found

    def _only_reader(self, tensor: str) -> Any | None:
        readers = self._readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self._outputs else None

    def _fusing(self, tensor: str) -> bool:
        """Whether the operator that reads a tensor is one with the operator that gives it."""
        reader = self._only_reader(tensor)
        return reader is not None and reader.op_type in _FUSED and reader.input[0] == tensor

    def _tap(self, node: Any, tensor: str) -> _Tap | None:
        """Where to read what an operator gives; None if it is no layer."""
        if node.op_type == _QUANTIZE:  # its own layer only where the file takes real values
            return self._grid(node) if node.input[0] in self.inputs else None
        if node.op_type == _DEQUANTIZE:
            return None
        reader = self._only_reader(tensor)
        quantizes = reader is not None and reader.op_type == _QUANTIZE
        tap = self._grid(reader) if quantizes else _Tap(tensor)
        if node.op_type not in _MOVING:
            return tap
        # Values that are moved may not have been integers before.
        maker = self._makers.get(node.input[0])
        known = maker is not None and maker.op_type == _DEQUANTIZE
        return None if tap.scale is None or known else tap

    def _names(self, tensor: str) -> tuple[str, ...]:
        """A model's quantized output has its name behind the last DequantizeLinear."""
        names = [tensor]
        reader = self._only_reader(tensor)
        while reader is not None and reader.op_type in (_QUANTIZE, _DEQUANTIZE):
            names.append(str(reader.output[0]))
            reader = self._only_reader(names[-1])
        return tuple(names)

    def _grid(self, quantize: Any) -> _Tap:
        import numpy as np

        third = quantize.input[2] if len(quantize.input) > 2 else ""
        if quantize.input[1] not in self._constants:
            return _Tap(quantize.input[0])  # a range found while running
        scale = self._constants[quantize.input[1]]
        return _Tap(quantize.output[0], scale, self._constants.get(third, np.uint8(0)))

    # -- running -----------------------------------------------------------------------------------

    def _with_outputs(self, tensors: Sequence[str]) -> Any:
        from onnx import ValueInfoProto

        graph = type(self._graph)()
        graph.CopyFrom(self._graph)
        graph.graph.output.extend(
            ValueInfoProto(name=name)
            for name in dict.fromkeys(tensors)
            if name not in self._outputs
        )
        return _session(graph.SerializeToString())

    def read(self, arrays: Sequence[Array]) -> list[Array]:
        import numpy as np

        wanted = list(dict.fromkeys([*self._outputs, *(tap.tensor for tap in self._taps)]))
        given = self._session.run(wanted, dict(zip(self.inputs, arrays, strict=True)))
        values = dict(zip(wanted, given, strict=True))
        self._last = [values[name] for name in self._outputs]
        return [
            np.asarray(values[tap.tensor], np.float32)
            if tap.scale is None
            else _real(values[tap.tensor], tap)
            for tap in self._taps
        ]

    def outputs(self) -> list[Array]:
        return self._last

    def plain(self, arrays: Sequence[Array]) -> list[Array]:
        given: list[Array] = self._plain.run(None, dict(zip(self.inputs, arrays, strict=True)))
        return given


def _layer(entry: _Found, node: Any, sources: frozenset[int]) -> Layer:
    dtype = node.type.removeprefix("tensor(").removesuffix(")")
    return Layer(
        name=entry.names[0],
        op=entry.op,
        names=entry.names,
        shape=tuple(size if isinstance(size, int) else 1 for size in node.shape),
        dtype={"float": "float32"}.get(dtype, dtype),
        sources=tuple(sorted(sources)),
    )


def _real(value: Array, tap: _Tap) -> Array:
    import numpy as np

    whole = value.astype(np.int64) - np.asarray(tap.zero, np.int64)
    real: Array = whole.astype(np.float32) * np.asarray(tap.scale, np.float32)
    return real


def _session(model: bytes | str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
