"""A float TFLite model as a graph of operators that LiteRT runs piece by piece.

Knows operators, their kernels' axes and their biases. Rounds kernels onto the int8 grid; what is
to be added to biases it is told.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.exporters import tflite_file
from edgekit.quantization.condition.grid import on_grid
from edgekit.quantization.files.walk import FloatGraph, Linear, Operator

if TYPE_CHECKING:
    import numpy as np

    from edgekit.quantization.files.walk import Run

    Array = np.ndarray[Any, Any]

_FLOAT32 = 0
_ACTIVATIONS = {0: "", 1: "relu", 2: "relu1", 3: "relu6", 4: "tanh"}

_JOINING = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "CONCATENATION", "AVERAGE_POOL_2D", "MEAN")
_POOLING = ("AVERAGE_POOL_2D", "MEAN")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a linear operator has its operands.

    Attributes:
        data: Place of the varying one.
        bias: Place of the bias.
        axis: Output channels of the kernel, which is operand 1.
    """

    data: int
    bias: int
    axis: int


LINEAR = {
    "CONV_2D": _Places(0, 2, 0),
    "DEPTHWISE_CONV_2D": _Places(0, 2, 3),
    "FULLY_CONNECTED": _Places(0, 2, 0),
    "TRANSPOSE_CONV": _Places(2, 3, 0),
}


class TfliteGraph(FloatGraph):
    """See `FloatGraph`; `finish` gives the conditioned file.

    Args:
        content: A float file with one subgraph and fixed shapes.
    """

    def __init__(self, content: bytes) -> None:
        self._model = tflite_file.unpack(content)
        self._main = self._model.subgraphs[0]
        self._inputs = {int(index) for index in self._main.inputs}
        self.inputs = [_name(index) for index in self._main.inputs]
        self._makers = {int(i): op for op in self._main.operators for i in op.outputs}
        varying = self._varying()
        self._nodes = {f"{self.kind(op)}#{i}": op for i, op in enumerate(varying)}
        depends = {int(i) for op in varying for i in op.outputs} | self._inputs
        self.operators = [
            Operator(
                name,
                tuple(_name(i) for i in op.inputs if i in depends),
                tuple(_name(i) for i in op.outputs),
            )
            for name, op in self._nodes.items()
        ]
        self._kernels = {
            name: LINEAR[self.kind(op)]
            for name, op in self._nodes.items()
            if self._is_linear(op, depends)
        }
        for name, places in self._kernels.items():
            self._ensure_bias(self._nodes[name], places)
        self._rounded = {
            (index, places.axis): on_grid(self._constant(index), (places.axis,))
            for index, places in self._weights()
        }
        self.linears = {name: self._linear(name) for name in self._kernels}
        self.points = frozenset(self._points())
        self._corrections: dict[str, Array] = {}

    # -- FloatGraph --------------------------------------------------------------------------------

    def runner(
        self,
        piece: Sequence[Operator],
        takes: Sequence[str],
        gives: Sequence[str],
        *,
        rounded: bool,
    ) -> Run:
        import numpy as np

        nodes = self._with_makers([self._nodes[operator.name] for operator in piece])
        content = self._piece(nodes, takes, gives, rounded=rounded)
        opened = interpreter(content)
        inputs, outputs = opened.get_input_details(), opened.get_output_details()

        def run(row: Sequence[Array]) -> list[Array]:
            for detail, value in zip(inputs, row, strict=True):
                opened.set_tensor(detail["index"], np.asarray(value, detail["dtype"]))
            opened.invoke()
            return [opened.get_tensor(detail["index"]) for detail in outputs]

        return run

    def correct(self, operator: str, values: Array) -> None:
        self._corrections[operator] = values

    # -- the result --------------------------------------------------------------------------------

    def finish(self) -> bytes:
        """The file with rounded kernels and corrected biases."""
        import numpy as np

        own: dict[tuple[int, int], int] = {}
        for name, places in self._kernels.items():
            node = self._nodes[name]
            key = (int(node.inputs[1]), places.axis)
            if key not in own:
                own[key] = self._add(self._rounded[key], key[0])
            node.inputs[1] = own[key]
            if name in self._corrections:
                index = int(node.inputs[places.bias])
                value = np.asarray(self._constant(index) + self._corrections[name], np.float32)
                node.inputs[places.bias] = self._add(value, index)
        return tflite_file.pack(tflite_file.without_unused(self._model))

    @property
    def multiply_adds(self) -> int:
        """Of all linear operators, for one sample."""
        total = 0
        for name, places in self._kernels.items():
            node = self._nodes[name]
            weights = self._constant(int(node.inputs[1]))
            taken = self.kind(node) == "TRANSPOSE_CONV"
            tensor = self._main.tensors[node.inputs[places.data] if taken else node.outputs[0]]
            channels = weights.shape[3] if taken else weights.shape[places.axis]
            total += math.prod(int(size) for size in tensor.shape) * weights.size // channels
        return total

    @property
    def parameters(self) -> int:
        """Float32 constants."""
        buffers = {t.buffer for t in self._main.tensors if t.type == _FLOAT32}
        data = (self._model.buffers[index].data for index in buffers)
        return sum(len(content) // 4 for content in data if content is not None)

    # -- reading the model -------------------------------------------------------------------------

    def kind(self, node: Any) -> str:
        """Name of an operator's kind."""
        return tflite_file.operator_name(self._model.operatorCodes[node.opcodeIndex])

    def _varying(self) -> list[Any]:
        known = set(self._inputs)
        found = []
        for node in self._main.operators:
            if known & {int(i) for i in node.inputs}:
                known |= {int(i) for i in node.outputs}
                found.append(node)
        return found

    def _is_linear(self, node: Any, depends: set[int]) -> bool:
        places = LINEAR.get(self.kind(node))
        if places is None or int(node.inputs[places.data]) not in depends:
            return False
        weights = self._main.tensors[node.inputs[1]]
        biased = places.bias < len(node.inputs) and node.inputs[places.bias] >= 0
        known = not biased or self._is_constant(int(node.inputs[places.bias]))
        return weights.type == _FLOAT32 and self._is_constant(int(node.inputs[1])) and known

    def _weights(self) -> Iterable[tuple[int, _Places]]:
        return ((int(self._nodes[n].inputs[1]), p) for n, p in self._kernels.items())

    def _is_constant(self, index: int) -> bool:
        data = self._model.buffers[self._main.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def _constant(self, index: int) -> Array:
        import numpy as np

        tensor = self._main.tensors[index]
        data = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8)
        return data.view(np.float32).reshape([int(size) for size in tensor.shape])

    def _ensure_bias(self, node: Any, places: _Places) -> None:
        import numpy as np

        inputs = [int(i) for i in node.inputs]
        inputs += [-1] * (places.bias + 1 - len(inputs))
        if inputs[places.bias] < 0:
            channels = int(self._main.tensors[inputs[1]].shape[places.axis])
            inputs[places.bias] = self._add(np.zeros(channels, np.float32), inputs[1])
        node.inputs = inputs

    def _add(self, value: Array, like: int) -> int:
        """A new constant, named after tensor `like`."""
        import numpy as np

        tensor = copy.copy(self._main.tensors[like])
        tensor.name = tensor.name + b"/own%d" % len(self._main.tensors)
        tensor.shape = list(value.shape)
        tensor.buffer = len(self._model.buffers)
        buffer = copy.copy(self._model.buffers[0])
        buffer.data = np.ascontiguousarray(value).view(np.uint8).reshape(-1)
        self._model.buffers.append(buffer)
        self._main.tensors.append(tensor)
        return len(self._main.tensors) - 1

    def _linear(self, name: str) -> Linear:
        node = self._nodes[name]
        output = int(node.outputs[0])
        options = node.builtinOptions
        return Linear(
            _name(output),
            axis=len(self._main.tensors[output].shape) - 1,
            channels=int(self._main.tensors[node.inputs[1]].shape[self._kernels[name].axis]),
            activation=_ACTIVATIONS[options.fusedActivationFunction if options else 0],
        )

    def _points(self) -> Iterable[str]:
        for operator in self.operators:
            node = self._nodes[operator.name]
            if operator.name in self._kernels:
                yield from self._floats([node.inputs[self._kernels[operator.name].data]])
            elif (
                self.kind(node) in _JOINING and len(self._main.tensors[node.outputs[0]].shape) == 4
            ):
                operands = [i for i in node.inputs if _name(i) in operator.reads]
                if len(operands) > 1 or self.kind(node) in _POOLING:
                    yield from self._floats(operands)

    def _floats(self, indices: Iterable[int]) -> Iterable[str]:
        return (_name(i) for i in indices if self._main.tensors[i].type == _FLOAT32)

    # -- running -----------------------------------------------------------------------------------

    def _with_makers(self, nodes: list[Any]) -> list[Any]:
        """The operators, and before them those that make constants for them."""
        found: list[Any] = []
        inside = {id(node) for node in self._nodes.values()}

        def visit(node: Any) -> None:
            for index in node.inputs:
                maker = self._makers.get(int(index))
                if maker is not None and id(maker) not in inside:
                    visit(maker)
            if all(node is not other for other in found):
                found.append(node)

        for node in nodes:
            visit(node)
        return found

    def _piece(
        self, nodes: list[Any], takes: Sequence[str], gives: Sequence[str], *, rounded: bool
    ) -> bytes:
        import numpy as np

        model, graph = copy.copy(self._model), copy.copy(self._main)
        model.subgraphs, model.signatureDefs, model.metadata = [graph], [], []
        model.buffers = [self._model.buffers[0]]
        graph.tensors, graph.operators = [], []
        places: dict[int, int] = {-1: -1}

        def place(index: int, value: Array | None = None) -> int:
            if index not in places:
                tensor = copy.copy(self._main.tensors[index])
                buffer = self._model.buffers[tensor.buffer]
                if value is not None:
                    buffer = copy.copy(buffer)
                    buffer.data = np.ascontiguousarray(value).view(np.uint8).reshape(-1)
                tensor.buffer = len(model.buffers)
                model.buffers.append(buffer)
                places[index] = len(graph.tensors)
                graph.tensors.append(tensor)
            return places[index]

        kernels = {id(self._nodes[name]): p for name, p in self._kernels.items()}
        for node in nodes:
            if rounded and id(node) in kernels:
                index = int(node.inputs[1])
                place(index, self._rounded[index, kernels[id(node)].axis])
            own = copy.copy(node)
            own.inputs = [place(int(i)) for i in node.inputs]
            own.outputs = [place(int(i)) for i in node.outputs]
            if id(node) in kernels and node.builtinOptions is not None:
                own.builtinOptions = copy.copy(node.builtinOptions)
                own.builtinOptions.fusedActivationFunction = 0
            graph.operators.append(own)
        graph.inputs = [place(_index(name)) for name in takes]
        graph.outputs = [place(_index(name)) for name in gives]
        return tflite_file.pack(model)


def interpreter(content: bytes) -> Any:
    """LiteRT, ready to run a file of one subgraph."""
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_content=content)
    opened.allocate_tensors()
    return opened


def _name(index: int) -> str:
    return f"t{int(index)}"


def _index(name: str) -> int:
    return int(name[1:])
