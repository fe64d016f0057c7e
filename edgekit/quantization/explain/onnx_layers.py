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


class OnnxFile(LayeredFile):
    """A `.onnx` file."""

    def __init__(self, model: Path) -> None:
        import onnx

        self._graph = onnx.load(model)
        self._plain = _session(model.read_bytes() if _whole(self._graph) else str(model))
        self._outputs = [node.name for node in self._plain.get_outputs()]
        self.inputs = tuple(node.name for node in self._plain.get_inputs())
        self._index()
        found = self._find()
        self._session = self._with_outputs([tap.tensor for _, tap in found], model)
        about = {node.name: node for node in self._session.get_outputs()}
        layers, left_out = [], Counter(self._moved)
        self._taps: list[_Tap] = []
        for (name, op, names), tap in found:
            node = about[tap.tensor]
            if node.type not in _REAL and tap.scale is None:
                left_out[op] += 1
                continue
            shape = tuple(size if isinstance(size, int) else 1 for size in node.shape)
            dtype = node.type.removeprefix("tensor(").removesuffix(")")
            dtype = {"float": "float32"}.get(dtype, dtype)
            layers.append(Layer(name, op, names, shape, dtype))
            self._taps.append(tap)
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

    def _find(self) -> list[tuple[tuple[str, str, tuple[str, ...]], _Tap]]:
        varying = set(self.inputs)
        self._moved: Counter[str] = Counter()
        fused: dict[str, str] = {}  # tensor → kinds of the operators that are one with its reader
        found: list[tuple[tuple[str, str, tuple[str, ...]], _Tap]] = []
        for node in self._graph.graph.node:
            if not varying & set(node.input):
                continue
            varying |= set(node.output)
            kind = fused.pop(node.input[0], "") + node.op_type
            if node.op_type == _QUANTIZE and node.input[0] in self.inputs:
                found.append(((node.input[0], kind, (node.input[0],)), self._tap(node)))
            if node.op_type in (_QUANTIZE, _DEQUANTIZE):
                continue
            for tensor in filter(None, node.output):
                readers = self._readers.get(tensor, [])
                alone = len(readers) == 1 and tensor not in self._outputs
                if alone and readers[0].op_type in _FUSED and readers[0].input[0] == tensor:
                    fused[tensor] = f"{kind}+"
                    continue
                tap = _Tap(tensor)
                if alone and readers[0].op_type == _QUANTIZE:
                    tap = self._tap(readers[0])
                if node.op_type in _MOVING and not self._first_stored(node, tap):
                    self._moved[node.op_type] += 1
                    continue
                found.append(((tensor, kind, self._names(tensor, readers, alone=alone)), tap))
        return found

    def _first_stored(self, node: Any, tap: _Tap) -> bool:
        """Whether real values become integers here, after an operator that only moves them."""
        maker = self._makers.get(node.input[0])
        return tap.scale is not None and (maker is None or maker.op_type != _DEQUANTIZE)

    def _names(self, tensor: str, readers: list[Any], *, alone: bool) -> tuple[str, ...]:
        """A model's quantized output has its name behind the last DequantizeLinear."""
        names = [tensor]
        while alone and readers and readers[0].op_type in (_QUANTIZE, _DEQUANTIZE):
            names.append(str(readers[0].output[0]))
            readers = self._readers.get(names[-1], [])
            alone = len(readers) == 1
        return tuple(names)

    def _tap(self, quantize: Any) -> _Tap:
        import numpy as np

        scale = self._constants[quantize.input[1]]
        third = quantize.input[2] if len(quantize.input) > 2 else ""
        return _Tap(quantize.output[0], scale, self._constants.get(third, np.uint8(0)))

    # -- running -----------------------------------------------------------------------------------

    def _with_outputs(self, tensors: Sequence[str], model: Path) -> Any:
        from onnx import ValueInfoProto

        graph = type(self._graph)()
        graph.CopyFrom(self._graph)
        graph.graph.output.extend(
            ValueInfoProto(name=name)
            for name in dict.fromkeys(tensors)
            if name not in self._outputs
        )
        if _whole(graph):
            return _session(graph.SerializeToString())
        # Weights beside the file are found from a file beside them.
        import tempfile

        import onnx

        with tempfile.NamedTemporaryFile(suffix=".onnx", dir=model.parent) as file:
            onnx.save(graph, file.name)
            return _session(file.name)

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


def _real(value: Array, tap: _Tap) -> Array:
    import numpy as np

    whole = value.astype(np.int64) - np.asarray(tap.zero, np.int64)
    real: Array = whole.astype(np.float32) * np.asarray(tap.scale, np.float32)
    return real


def _whole(model: Any) -> bool:
    """Whether the file holds its weights itself."""
    return not any(tensor.external_data for tensor in model.graph.initializer)


def _session(model: bytes | str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
