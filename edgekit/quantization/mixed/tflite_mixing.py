"""Mixed `.tflite` files: some operators of an int8 file in float, the rest bit for bit as it was.

Where 8 bits meet float a QUANTIZE or DEQUANTIZE is put; between two kept operators values stay
float. Does not run.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters import tflite_file
from edgekit.exporters.tflite_file import operator_code
from edgekit.quantization.condition.originals import Constant, Originals
from edgekit.quantization.mixed import flatbuffer
from edgekit.quantization.mixed.flatbuffer import is_quantized, kind_of, type_number
from edgekit.quantization.mixed.layers import MixableFile, Operator, grouped

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MODEL_FILE = "model.tflite"

_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")
_REAL = ("INT8", "INT32", "INT16")  # with a grid, they stand for real values
# They hold state or other graphs.
_NEVER = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM", "SVDF", "WHILE", "IF", "CUSTOM")


class MixableTflite(MixableFile):
    """See `MixableFile`.

    Args:
        model: The plain int8 file.
        originals: Of the graph it was made from.
    """

    def __init__(self, model: Path, originals: Originals) -> None:
        self._content = model.read_bytes()
        self._originals = originals
        self._model = tflite_file.unpack(self._content)
        self._graph = self._model.subgraphs[0]
        self._maker = {
            int(tensor): place
            for place, operator in enumerate(self._graph.operators)
            for tensor in operator.outputs
        }
        found = [
            self._described(place, operator)
            for place, operator in enumerate(self._graph.operators)
            if self._is_mixable(operator)
        ]
        layers, self._layer_of = grouped(found)
        self.layers = tuple(layers)
        self._real: dict[int, dict[int, Array]] = {}

    def write(self, kept: Iterable[int], folder: Path) -> None:
        chosen = set(kept)
        places = {place: layer for place, layer in self._layer_of.items() if layer in chosen}
        content = self._content
        if places:
            constants = {place: self._constants(layer) for place, layer in places.items()}
            content = tflite_file.pack(_Rewrite(self._content, constants).model)
        (folder / MODEL_FILE).write_bytes(content)

    def _described(self, place: int, operator: Any) -> Operator:
        kind = kind_of(self._model, operator)
        return Operator(
            place=place,
            name=self._tensor(operator.outputs[0]).name.decode().split(";")[0],
            op=kind,
            multiply_adds=self._multiply_adds(kind, operator) if kind in _KERNELS else 0,
            kernel=kind in _KERNELS,
            sources=self._sources(operator),
        )

    def _tensor(self, index: int) -> Any:
        return self._graph.tensors[int(index)]

    def _is_mixable(self, operator: Any) -> bool:
        kind = kind_of(self._model, operator)
        if kind in (*_BETWEEN, *_NEVER) or not len(operator.outputs):
            return False
        return all(is_quantized(self._tensor(i), ("INT8",)) for i in operator.outputs) and not any(
            self._tensor(i).isVariable for i in operator.inputs if i >= 0
        )

    def _sources(self, operator: Any) -> tuple[int, ...]:
        """Places of the operators behind its inputs, seen through changes of the grid."""
        found = []
        for index in operator.inputs:
            place = self._maker.get(int(index))
            while place is not None and self._is_between(place):
                place = self._maker.get(int(self._graph.operators[place].inputs[0]))
            if place is not None:
                found.append(place)
        return tuple(found)

    def _is_between(self, place: int) -> bool:
        return kind_of(self._model, self._graph.operators[place]) in _BETWEEN

    def _multiply_adds(self, kind: str, operator: Any) -> int:
        given = math.prod(self._shape(operator.outputs[0]))
        if kind == "BATCH_MATMUL":
            left = self._shape(operator.inputs[0])
            return given * left[-2 if operator.builtinOptions.adjX else -1]
        kernel = self._shape(operator.inputs[1])
        if kind == "TRANSPOSE_CONV":
            return math.prod(self._shape(operator.inputs[2])) * math.prod(kernel[:-1])
        channels = kernel[-1 if kind == "DEPTHWISE_CONV_2D" else 0]
        return given * math.prod(kernel) // max(1, channels)

    def _shape(self, index: int) -> list[int]:
        shape = self._tensor(index).shape
        return [int(size) for size in shape] if shape is not None else []

    def _constants(self, layer: int) -> dict[int, Array]:
        """Tensor → its float values, of a layer's constants; the originals' where known."""
        if layer not in self._real:
            found: dict[int, Constant] = {}
            for place, of in self._layer_of.items():
                if of != layer:
                    continue
                for index in map(int, self._graph.operators[place].inputs):
                    if index < 0 or not is_quantized(self._tensor(index), _REAL):
                        continue
                    codes = flatbuffer.numbers(self._model, self._tensor(index))
                    if codes is not None:
                        tensor = self._tensor(index)
                        steps = max(float(s) for s in tensor.quantization.scale)
                        found[index] = Constant(codes, flatbuffer.real(tensor, codes), steps)
            real = self._originals.in_place_of(list(found.values()))
            self._real[layer] = dict(zip(found, real, strict=True))
        return self._real[layer]


class _Rewrite:
    """One mixed model in the making.

    Args:
        content: The plain file.
        kept: Place of each operator to keep in float → its constants' float values by tensor.
    """

    def __init__(self, content: bytes, kept: dict[int, dict[int, Array]]) -> None:
        self.model = tflite_file.unpack(content)
        self._graph = self.model.subgraphs[0]
        self._tensors = self._graph.tensors
        self._plain = len(self._tensors)
        self._operators: list[Any] = []
        self._float: dict[int, int] = {}  # 8-bit tensor → its float form
        self._stored: set[int] = set()  # of these, those whose 8-bit form is there, too
        for place, operator in enumerate(self._graph.operators):
            if place in kept:
                self._keep(operator, kept[place])
            else:
                self._pass(operator)
        for index in map(int, self._graph.outputs):
            self._store(index)  # a model that gives 8 bits goes on giving them
        self._graph.operators = self._operators
        flatbuffer.drop_unread(self.model)

    def _pass(self, operator: Any) -> None:
        kind = kind_of(self.model, operator)
        first = int(operator.inputs[0]) if len(operator.inputs) else -1
        # What an earlier DEQUANTIZE gave has its name already.
        free = self._is_float_only(first) and self._float[first] >= self._plain
        if kind == "DEQUANTIZE" and free:
            self._rename(first, int(operator.outputs[0]))
            return
        for index in map(int, operator.inputs):
            self._store(index)
        self._operators.append(operator)
        if kind == "QUANTIZE" and self._tensors[first].type == type_number("FLOAT32"):
            self._float[int(operator.outputs[0])] = first
            self._stored.add(int(operator.outputs[0]))

    def _keep(self, operator: Any, constants: dict[int, Array]) -> None:
        inputs = [self._taken(int(index), constants) for index in operator.inputs]
        outputs = []
        for index in map(int, operator.outputs):
            self._float[index] = self._new_tensor(index)
            outputs.append(self._float[index])
        operator.inputs, operator.outputs = inputs, outputs
        self._operators.append(operator)

    def _taken(self, index: int, constants: dict[int, Array]) -> int:
        """What a kept operator takes in place of a tensor."""
        if index in constants:
            return self._new_constant(index, constants[index])
        if index >= 0 and is_quantized(self._tensors[index], _REAL):
            return self._in_float(index)
        return index

    def _is_float_only(self, index: int) -> bool:
        return index in self._float and index not in self._stored

    def _in_float(self, index: int) -> int:
        if index not in self._float:
            self._float[index] = self._new_tensor(index)
            self._stored.add(index)
            self._operators.append(self._between("DEQUANTIZE", index, self._float[index]))
        return self._float[index]

    def _store(self, index: int) -> None:
        """Have the 8-bit form of a tensor that a kept operator gave in float."""
        if self._is_float_only(index):
            self._operators.append(self._between("QUANTIZE", self._float[index], index))
            self._stored.add(index)

    def _rename(self, index: int, output: int) -> None:
        """Let the kept operator give what a DEQUANTIZE gave."""
        old = self._float[index]
        for operator in self._operators:
            operator.inputs = [output if int(i) == old else int(i) for i in operator.inputs]
            operator.outputs = [output if int(i) == old else int(i) for i in operator.outputs]
        self._float[index] = output

    def _new_tensor(self, index: int, buffer: int = 0) -> int:
        tensor = copy.copy(self._tensors[index])
        tensor.name = bytes(tensor.name) + b"/float"
        tensor.type, tensor.quantization = type_number("FLOAT32"), None
        tensor.buffer = buffer
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _new_constant(self, index: int, value: Array) -> int:
        import numpy as np

        buffer = flatbuffer.schema().BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(value, np.float32).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return self._new_tensor(index, len(self.model.buffers) - 1)

    def _between(self, kind: str, source: int, target: int) -> Any:
        operator = flatbuffer.schema().OperatorT()
        operator.opcodeIndex = operator_code(self.model, kind, version=2)  # takes int8
        operator.inputs, operator.outputs = [source], [target]
        return operator
