"""A float ONNX model as a graph of operators that ONNX Runtime runs piece by piece.

Knows operators, their kernels' axes and their biases. Rounds kernels onto the int8 grid; what is
to be added to biases it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.exporters.onnx_file import attribute, reads
from edgekit.quantization.condition.grid import on_grid
from edgekit.quantization.files.walk import FloatGraph, Linear, Operator

if TYPE_CHECKING:
    import numpy as np

    from edgekit.quantization.files.walk import Run

    Array = np.ndarray[Any, Any]

LINEAR = ("Conv", "ConvTranspose", "Gemm", "MatMul")

# A branch that joins another is quantized before it does, in pictures' [N, C, H, W] tensors.
_JOINING = ("Add", "Sub", "Mul", "Max", "Min", "Concat", "AveragePool", "GlobalAveragePool",
            "ReduceMean")  # fmt: skip
_POOLING = ("AveragePool", "GlobalAveragePool", "ReduceMean")


@dataclass(frozen=True, slots=True)
class _Kernel:
    """Where a linear node's constants are.

    Attributes:
        node: The node.
        weights: Name of its kernel.
        axis: Output channels of the kernel.
        bias: Node and place of its bias; None if it has none.
    """

    node: Any
    weights: str
    axis: int
    bias: tuple[Any, int] | None


class OnnxGraph(FloatGraph):
    """See `FloatGraph`; `finish` gives the conditioned model.

    Args:
        model: Batch norms folded, shapes fixed; changed in place.
        sample: Input → one sample, [1, *shape].
    """

    def __init__(self, model: Any, sample: Mapping[str, Array]) -> None:
        from onnx import numpy_helper

        self._model = model
        self._constants = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.inputs = [v.name for v in model.graph.input if v.name not in self._constants]
        varying = self._varying()
        kernels = [k for node in varying if (k := self._kernel(node)) is not None]
        self.operators = [_operator(node, index) for index, node in enumerate(varying)]
        self._nodes = dict(zip((op.name for op in self.operators), varying, strict=True))
        depends = {name for op in self.operators for name in op.gives} | {*self.inputs}
        self.operators = [
            Operator(op.name, tuple(n for n in op.reads if n in depends), op.gives)
            for op in self.operators
        ]
        self._types = self._run_once(sample)
        by_node = {id(kernel.node): kernel for kernel in kernels}
        self._kernels = {
            op.name: by_node[id(self._nodes[op.name])]
            for op in self.operators
            if id(self._nodes[op.name]) in by_node
        }
        self._rounded = {
            (kernel.weights, kernel.axis): on_grid(self._constants[kernel.weights], (kernel.axis,))
            for kernel in self._kernels.values()
        }
        self.linears = {name: self._linear(kernel) for name, kernel in self._kernels.items()}
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
        import onnx
        from onnx import helper, numpy_helper

        nodes: list[Any] = []
        constants: dict[str, Array] = {}
        for operator in piece:
            node = onnx.NodeProto()
            node.CopyFrom(self._nodes[operator.name])
            kernel = self._kernels.get(operator.name)
            constants |= {n: self._constants[n] for n in reads(node) if n in self._constants}
            if rounded and kernel is not None:
                node.input[1] = f"{kernel.weights}/rounded"
                constants[node.input[1]] = self._rounded[kernel.weights, kernel.axis]
                if kernel.weights not in list(reads(node)):
                    constants.pop(kernel.weights)
            nodes.append(node)
        graph = helper.make_graph(
            nodes,
            "piece",
            [self._value(name) for name in takes],
            [self._value(name) for name in gives],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        opened = session(self._wrapped(graph))

        def run(row: Sequence[Array]) -> list[Array]:
            found: list[Array] = opened.run(list(gives), dict(zip(takes, row, strict=True)))
            return found

        return run

    def correct(self, operator: str, values: Array) -> None:
        self._corrections[operator] = values

    # -- the result --------------------------------------------------------------------------------

    def finish(self) -> Any:
        """The model with rounded kernels and corrected biases."""
        import numpy as np
        from onnx import numpy_helper

        constants = {tensor.name: tensor for tensor in self._model.graph.initializer}
        for name, kernel in self._kernels.items():
            wanted = f"{kernel.weights}/rounded_{kernel.axis}"
            value = self._rounded[kernel.weights, kernel.axis]
            constants[wanted] = numpy_helper.from_array(value, wanted)
            kernel.node.input[1] = wanted
            if name in self._corrections and kernel.bias is not None:
                owner, place = kernel.bias
                old = self._constants[owner.input[place]]
                shaped = self._corrections[name].reshape(_trailing(old, self.linears[name]))
                own = f"{kernel.node.output[0]}/bias"
                new = np.asarray(old + shaped, np.float32)
                constants[own] = numpy_helper.from_array(new, own)
                owner.input[place] = own
        used = {name for node in self._model.graph.node for name in reads(node)}
        used |= {value.name for value in self._model.graph.output}
        del self._model.graph.initializer[:]
        self._model.graph.initializer.extend(t for n, t in constants.items() if n in used)
        return self._model

    @property
    def multiply_adds(self) -> int:
        """Of all linear nodes, for one sample."""
        total = 0
        for name, kernel in self._kernels.items():
            taken = kernel.node.op_type == "ConvTranspose"
            tensor = kernel.node.input[0] if taken else kernel.node.output[0]
            weights = self._constants[kernel.weights]
            channels = weights.shape[0] if taken else self.linears[name].channels
            total += self._types[tensor].size * weights.size // channels
        return total

    # -- reading the model -------------------------------------------------------------------------

    def _varying(self) -> list[Any]:
        known = {*self.inputs}
        found = []
        for node in self._model.graph.node:
            if known & set(reads(node)):
                known |= set(node.output)
                found.append(node)
        return found

    def _kernel(self, node: Any) -> _Kernel | None:
        if node.op_type not in LINEAR or node.domain not in ("", "ai.onnx"):
            return None
        weights = self._constants.get(node.input[1])
        if weights is None or node.input[0] in self._constants or not weights.size:
            return None
        axis = _channel_axis(node, weights)
        if weights.dtype.name != "float32" or axis is None:
            return None
        return _Kernel(node, node.input[1], axis, self._bias(node, weights, axis))

    def _bias(self, node: Any, weights: Array, axis: int) -> tuple[Any, int] | None:
        """Where a node's bias is; one of zeros is added where that costs nothing."""
        import numpy as np
        from onnx import numpy_helper

        if node.op_type == "MatMul":
            return self._added(node.output[0], weights.shape[-1])
        if len(node.input) > 2 and node.input[2]:
            value = self._constants.get(node.input[2])
            scaled = node.op_type == "Gemm" and attribute(node, "beta", 1.0) != 1.0
            return None if value is None or scaled else (node, 2)
        groups = attribute(node, "group", 1) if node.op_type == "ConvTranspose" else 1
        zeros = np.zeros(weights.shape[axis] * groups, np.float32)
        name = f"{node.output[0]}/zeros"
        self._model.graph.initializer.append(numpy_helper.from_array(zeros, name))
        self._constants[name] = zeros
        del node.input[2:]
        node.input.append(name)
        return node, 2

    def _added(self, tensor: str, channels: int) -> tuple[Any, int] | None:
        """The constant that is added to a product and to nothing else."""
        readers = [node for node in self._model.graph.node if tensor in reads(node)]
        if len(readers) != 1 or readers[0].op_type != "Add":
            return None
        node = readers[0]
        place = 1 - list(node.input).index(tensor)
        value = self._constants.get(node.input[place])
        fits = value is not None and value.size == channels == value.shape[-1]
        return (node, place) if fits else None

    def _linear(self, kernel: _Kernel) -> Linear:
        output = kernel.node.output[0]
        shape = self._types[output].shape
        axis = 1 if kernel.node.op_type.startswith("Conv") else len(shape) - 1
        return Linear(output, axis, shape[axis], corrects=kernel.bias is not None)

    def _points(self) -> Iterable[str]:
        for operator in self.operators:
            node = self._nodes[operator.name]
            if operator.name in self.linears:
                yield from self._floats([node.input[0]])
            elif node.op_type in _JOINING and self._types[node.output[0]].ndim == 4:
                operands = [name for name in node.input if name in operator.reads]
                if len(operands) > 1 or node.op_type in _POOLING:
                    yield from self._floats(operands)

    def _floats(self, names: Iterable[str]) -> Iterable[str]:
        return (name for name in names if self._types[name].dtype.name == "float32")

    # -- running -----------------------------------------------------------------------------------

    def _run_once(self, sample: Mapping[str, Array]) -> dict[str, Array]:
        """Type and shape of every varying tensor for one sample, as arrays that hold nothing."""
        import numpy as np
        import onnx
        from onnx import helper

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        names = [name for op in self.operators for name in op.gives if name]
        del model.graph.output[:]
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
        found = [*sample.values(), *session(model).run(names, dict(sample))]
        hollow = (np.broadcast_to(np.zeros((), array.dtype), array.shape) for array in found)
        return dict(zip([*sample, *names], hollow, strict=True))

    def _value(self, name: str) -> Any:
        from onnx import helper

        array = self._types[name]
        return helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )

    def _wrapped(self, graph: Any) -> Any:
        import onnx

        model = onnx.ModelProto()
        model.ir_version = self._model.ir_version
        model.opset_import.extend(self._model.opset_import)
        model.graph.CopyFrom(graph)
        return model


def _operator(node: Any, index: int) -> Operator:
    gives = tuple(name for name in node.output if name)
    return Operator(f"{node.name or node.op_type}#{index}", tuple(reads(node)), gives)


def _channel_axis(node: Any, weights: Array) -> int | None:
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    if node.op_type == "MatMul":
        # A kernel of its own for each head has more scales than one per channel.
        return 1 if weights.ndim == 2 else None
    plain = attribute(node, "alpha", 1.0) == 1.0 and not attribute(node, "transA", 0)
    return (0 if attribute(node, "transB", 0) else 1) if plain else None


def _trailing(old: Array, linear: Linear) -> tuple[int, ...]:
    return (1,) * (old.ndim - 1) + (linear.channels,)


def session(model: Any) -> Any:
    """ONNX Runtime, ready to run a model on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Only what is cheap to find: a session runs each sample once.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
