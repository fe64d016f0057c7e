"""Words for what stands in a `.tflite` file as objects of its schema: kinds, grids, constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.exporters.tflite_file import operator_name

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def schema() -> Any:
    """The module of the schema's classes."""
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def kind_of(model: Any, operator: Any) -> str:
    """The name of an operator, "CONV_2D"; "CUSTOM" of what is none of TFLite's own."""
    code = model.operatorCodes[operator.opcodeIndex]
    return "CUSTOM" if code.customCode else operator_name(code)


def type_number(name: str) -> int:
    """Of a tensor type, "INT8"."""
    return int(getattr(schema().TensorType, name))


def is_quantized(tensor: Any, types: tuple[str, ...]) -> bool:
    """Whether a tensor is of one of these types and has a grid."""
    grid = tensor.quantization
    return (
        tensor.type in map(type_number, types)
        and grid is not None
        and grid.scale is not None
        and len(grid.scale) > 0
    )


def numbers(model: Any, tensor: Any) -> Array | None:
    """The integers of a constant tensor in its shape; None of one that is computed."""
    import numpy as np

    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    dtypes = {type_number("INT8"): np.int8, type_number("INT32"): np.int32}
    if tensor.type not in dtypes:
        return None
    shape = [int(size) for size in (tensor.shape if tensor.shape is not None else ())]
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtypes[tensor.type]).reshape(shape)


def real(tensor: Any, codes: Array) -> Array:
    """What the integers of a tensor stand for, float32."""
    import numpy as np

    scale = np.asarray(tensor.quantization.scale, np.float32)
    zero = np.asarray(tensor.quantization.zeroPoint, np.int64)
    shape = [1] * codes.ndim
    if len(scale) > 1:
        shape[int(tensor.quantization.quantizedDimension)] = len(scale)
    steps = codes.astype(np.int64) - zero.reshape(shape if len(zero) > 1 else [1] * codes.ndim)
    return np.asarray(steps.astype(np.float32) * scale.reshape(shape), np.float32)


def drop_unread(model: Any) -> None:
    """Take out of the main graph operators and tensors that nobody reads."""
    graph = model.subgraphs[0]
    needed = {int(i) for i in graph.outputs}
    operators = []
    for operator in reversed(graph.operators):
        if needed & {int(i) for i in operator.outputs}:
            needed |= {int(i) for i in operator.inputs}
            needed |= {int(i) for i in operator.outputs}
            operators.append(operator)
    operators.reverse()
    graph.operators = operators
    needed |= {int(i) for i in graph.inputs}
    order = sorted(i for i in needed if i >= 0)
    new = {old: place for place, old in enumerate(order)} | {-1: -1}
    graph.tensors = [graph.tensors[i] for i in order]
    for operator in operators:
        operator.inputs = [new[int(i)] for i in operator.inputs]
        operator.outputs = [new[int(i)] for i in operator.outputs]
    graph.inputs = [new[int(i)] for i in graph.inputs]
    graph.outputs = [new[int(i)] for i in graph.outputs]
    for definition in model.signatureDefs or ():
        for entry in (*definition.inputs, *definition.outputs):
            entry.tensorIndex = new[int(entry.tensorIndex)]
    _drop_buffers(model)


def _drop_buffers(model: Any) -> None:
    """The first buffer is the empty one; what metadata says lies in buffers, too."""
    needed = {0} | {int(t.buffer) for graph in model.subgraphs for t in graph.tensors}
    needed |= {int(entry.buffer) for entry in model.metadata or ()}
    order = sorted(needed)
    new = {old: place for place, old in enumerate(order)}
    model.buffers = [model.buffers[i] for i in order]
    for tensor in (t for graph in model.subgraphs for t in graph.tensors):
        tensor.buffer = new[int(tensor.buffer)]
    for entry in model.metadata or ():
        entry.buffer = new[int(entry.buffer)]
