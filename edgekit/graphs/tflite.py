"""The operators of a `.tflite` file and what they compute, from its flatbuffer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.exporters.tflite_file import dtype_name, operator_name, unpack
from edgekit.graphs import formulas
from edgekit.graphs.graph import Graph, Node, Tensor

# Places of the matrices: of the input, of the state, and the projection.
_LSTM = (1, 2, 3, 4, 5, 6, 7, 8, 16)
_RNN = (1, 2)


def read(file: Path) -> Graph:
    """The main graph; keys of tensors are their places."""
    model = unpack(file.read_bytes())
    main = model.subgraphs[0]
    tensors = {
        str(place): _tensor(tensor, model.buffers[tensor.buffer])
        for place, tensor in enumerate(main.tensors)
    }
    nodes = [
        _node(operator_name(model.operatorCodes[op.opcodeIndex]), op, tensors)
        for op in main.operators
    ]
    names = {str(place): tensor.name for place, tensor in enumerate(main.tensors)}
    return Graph(
        tensors,
        tuple(nodes),
        tuple(str(place) for place in main.outputs),
        {key: (name or b"").decode("utf-8", "replace") for key, name in names.items()},
    )


def _tensor(tensor: Any, buffer: Any) -> Tensor:
    shape = tensor.shape if tensor.shape is not None else ()
    return Tensor(
        dtype=dtype_name(tensor.type),
        shape=tuple(max(0, int(size)) for size in shape),
        constant=buffer.data is not None and len(buffer.data) > 0,
    )


def _node(op: str, operator: Any, tensors: dict[str, Tensor]) -> Node:
    # -1 stands for an input that is left out.
    inputs = tuple(str(place) if place >= 0 else "" for place in operator.inputs)
    outputs = tuple(str(place) for place in operator.outputs)
    shapes = [tensors[name].shape if name else () for name in inputs]
    turned = op in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE")
    return Node(
        op=op,
        inputs=inputs,
        outputs=outputs,
        macs=_RULES[op](_Call(shapes, tensors[outputs[0]].shape, operator.builtinOptions))
        if op in _RULES
        else 0,
        data=2 if turned else 0,
        weights=4 if op.endswith("LSTM") else 1,
        hybrid=True,
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """What a rule looks at: shapes of inputs and of the first output, and the options."""

    taken: Sequence[tuple[int, ...]]
    given: tuple[int, ...]
    options: Any

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.taken[1]


def _recurrent(call: _Call) -> int:
    # An LSTM without a projection leaves that place empty; a plain layer has only two matrices.
    places = _LSTM if len(call.taken) > max(_LSTM) else _RNN
    matrices = [call.taken[place] for place in places if call.taken[place]]
    return formulas.recurrent(math.prod(call.taken[0][:2]), matrices)


_RULES: Mapping[str, Callable[[_Call], int]] = {
    # out, height, width, in of a group
    "CONV_2D": lambda c: formulas.convolution(c.given, c.kernel[1:3], c.kernel[3]),
    # 1, height, width, out
    "DEPTHWISE_CONV_2D": lambda c: formulas.convolution(c.given, c.kernel[1:3], 1),
    # depth, height, width, in, out
    "CONV_3D": lambda c: formulas.convolution(c.given, c.kernel[:3], c.kernel[3]),
    # out, height, width, in
    "TRANSPOSE_CONV": lambda c: formulas.transposed_convolution(
        c.taken[2], c.kernel[1:3], c.kernel[0]
    ),
    # depth, height, width, out, in
    "CONV_3D_TRANSPOSE": lambda c: formulas.transposed_convolution(
        c.taken[2], c.kernel[:3], c.kernel[3]
    ),
    # out, in
    "FULLY_CONNECTED": lambda c: formulas.product(c.given, c.kernel[-1]),
    "BATCH_MATMUL": lambda c: formulas.product(c.given, c.taken[0][-2 if c.options.adjX else -1]),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
}
