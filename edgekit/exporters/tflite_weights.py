"""A float `.tflite` with smaller constants: 16-bit floats, or 8-bit kernels of hybrid operators.

What TensorFlow's converter does on its own way from a graph, done to a file. Works on bytes with
the schema that LiteRT ships. Does not run.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from edgekit.exporters.tflite_file import (
    dtype_name,
    operator_code,
    operator_name,
    pack,
    unpack,
    without_unused,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Operators that take int8 kernels and float activations → axis of the kernel's output channels.
_HYBRID = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}

_SMALLEST = 1024  # values; a smaller constant is not worth a conversion at run time


def halve(content: bytes) -> bytes:
    """The same model with constants stored as float16, which one operator each makes float32."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content)
    main = model.subgraphs[0]
    code = operator_code(model, "DEQUANTIZE", version=3)  # the first that takes float16
    found = []
    for index in range(len(main.tensors)):
        value = _constant(model, index)
        if value is None or value.size < _SMALLEST:
            continue
        largest = np.finfo(np.float16).max
        stored = _add(model, main.tensors[index], value.clip(-largest, largest).astype(np.float16))
        main.tensors[stored].type = schema.TensorType.FLOAT16
        main.tensors[index].buffer = 0
        operator = schema.OperatorT()
        operator.opcodeIndex = code
        operator.inputs, operator.outputs = [stored], [index]
        found.append(operator)
    main.operators = [*found, *main.operators]
    return pack(without_unused(model))


def shrink_kernels(content: bytes) -> bytes:
    """The same model with kernels in int8, one step for each output channel."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content)
    main = model.subgraphs[0]
    made: dict[tuple[int, int], int] = {}
    for operator in main.operators:
        kind = operator_name(model.operatorCodes[operator.opcodeIndex])
        if kind not in _HYBRID:
            continue
        axis, index = _HYBRID[kind], int(operator.inputs[1])
        value = _constant(model, index)
        if value is None or value.size < _SMALLEST:
            continue
        if (index, axis) not in made:
            others = tuple(i for i in range(value.ndim) if i != axis)
            peak = np.abs(value).max(axis=others, keepdims=True).astype(np.float32)
            step = np.where(peak > 0, peak / np.float32(127), np.float32(1))
            codes = np.rint(value / step).clip(-127, 127).astype(np.int8)
            made[index, axis] = place = _add(model, main.tensors[index], codes)
            grid = schema.QuantizationParametersT()
            grid.scale, grid.zeroPoint = step.reshape(-1), np.zeros(step.size, np.int64)
            grid.quantizedDimension = axis
            main.tensors[place].type = schema.TensorType.INT8
            main.tensors[place].quantization = grid
        operator.inputs = [
            made[index, axis] if i == 1 else int(n) for i, n in enumerate(operator.inputs)
        ]
        if kind == "FULLY_CONNECTED":
            operator.builtinOptions.asymmetricQuantizeInputs = True
    return pack(without_unused(model))


def _constant(model: Any, index: int) -> Array | None:
    import numpy as np

    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if dtype_name(tensor.type) != "float32" or data is None or not len(data):
        return None
    return np.asarray(data, np.uint8).view(np.float32).reshape([int(n) for n in tensor.shape])


def _add(model: Any, like: Any, value: Array) -> int:
    """A new constant in the shape of another; its type is the caller's to set."""
    import numpy as np

    main = model.subgraphs[0]
    tensor, buffer = copy.copy(like), copy.copy(model.buffers[0])
    tensor.name = tensor.name + b"/stored"
    tensor.buffer = len(model.buffers)
    buffer.data = np.ascontiguousarray(value).view(np.uint8).reshape(-1)
    model.buffers.append(buffer)
    main.tensors.append(tensor)
    return len(main.tensors) - 1
