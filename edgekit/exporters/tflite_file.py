"""Read and amend `.tflite` flatbuffers: operators, dtypes, names, signatures, ranges.

Works on bytes with the schema that LiteRT ships. Does not convert and does not run.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from edgekit.exporters.base import FileGraph
from edgekit.tensor import TensorInfo, dequantize, quantize

SIGNATURE = "serving_default"
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of the data of buffers


def inspect(path: Path) -> FileGraph:
    """Operators and dtypes over all subgraphs; inputs and outputs of the main one."""
    model = unpack(path.read_bytes())
    ops: Counter[str] = Counter()
    dtypes: Counter[str] = Counter()
    foreign: set[str] = set()
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            if code.customCode:
                foreign.add(code.customCode.decode())
            ops[operator_name(code)] += 1
        dtypes.update(dtype_name(tensor.type) for tensor in graph.tensors)
    main = model.subgraphs[0]
    return FileGraph(
        inputs=tuple(describe(main.tensors[i]) for i in main.inputs),
        outputs=tuple(describe(main.tensors[i]) for i in main.outputs),
        ops=dict(ops),
        dtypes=dict(dtypes),
        foreign_ops=tuple(sorted(foreign)),
    )


def with_signature(content: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The same model with tensors and one signature named after the model's inputs and outputs.

    A file converted from a frozen function has no signature, and its output is called `Identity`.
    """
    schema = _schema()
    model = unpack(content)
    main = model.subgraphs[0]
    definition = schema.SignatureDefT()
    definition.signatureKey = SIGNATURE.encode()
    definition.subgraphIndex = 0
    definition.inputs = _maps(main.tensors, main.inputs, inputs)
    definition.outputs = _maps(main.tensors, main.outputs, outputs)
    model.signatureDefs = [definition]
    return pack(model)


def with_input_ranges(content: bytes, ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """A calibrated float model whose named inputs have these ranges instead of the observed ones.

    For an 8-bit picture the range is known exactly: with (0, 255) the step is 1 and an app passes
    pixels as they are, whatever the brightest calibration pixel was.
    """
    model = unpack(content)
    main = model.subgraphs[0]
    for index in main.inputs:
        tensor = main.tensors[index]
        name = tensor.name.decode().partition(":")[0]
        if name in ranges and tensor.quantization is not None:
            low, high = ranges[name]
            tensor.quantization.min, tensor.quantization.max = [low], [high]
    return pack(model)


def with_cast_inputs(content: bytes) -> bytes:
    """The same function, pixels taken by CAST and QUANTIZE for a QUANTIZE from uint8 to int8.

    XNNPACK leaves the latter to LiteRT's own kernel, which costs a small model a tenth of its time;
    CAST is cheap, and XNNPACK takes the QUANTIZE behind it. Only where a pixel is its own value
    (step 1, zero point 0), so that both give the same bytes.
    """
    schema = _schema()
    model = unpack(content)
    main = model.subgraphs[0]
    uint8 = schema.TensorType.UINT8
    operators = []
    for operator in main.operators:
        taken = main.tensors[operator.inputs[0]] if len(operator.inputs) else None
        kind = operator_name(model.operatorCodes[operator.opcodeIndex])
        if kind == "QUANTIZE" and taken is not None and taken.type == uint8 and _is_unit(taken):
            cast = _cast_to_float(model, int(operator.inputs[0]))
            operators.append(cast)
            operator.inputs = list(cast.outputs)
        operators.append(operator)
    main.operators = operators
    return pack(model)


def with_byte_inputs(content: bytes, dtypes: Mapping[str, str]) -> bytes:
    """The same function, its named float inputs taken as whole numbers of these 8-bit dtypes."""
    schema = _schema()
    model = unpack(content)
    main = model.subgraphs[0]
    casts = []
    for index in map(int, main.inputs):
        tensor = main.tensors[index]
        dtype = dtypes.get(tensor.name.decode().partition(":")[0])
        if dtype is None:
            continue
        tensor.type = getattr(schema.TensorType, dtype.upper())
        tensor.quantization = None
        cast = _cast_to_float(model, index)
        for operator in main.operators:
            operator.inputs = [cast.outputs[0] if i == index else int(i) for i in operator.inputs]
        casts.append(cast)
    main.operators = [*casts, *main.operators]
    return pack(model)


def with_one_hot_values(content: bytes) -> bytes:
    """The same file, the values of ONE_HOT on the grid of what it gives.

    TensorFlow's quantizer (2.21) gives "on" and "off" grids of their own, and the kernel copies
    their integers: what was off comes out as 0.5.
    """
    import numpy as np

    model = unpack(content)
    main = model.subgraphs[0]
    for operator in main.operators:
        if operator_name(model.operatorCodes[operator.opcodeIndex]) != "ONE_HOT":
            continue
        given = describe(main.tensors[operator.outputs[0]])
        operator.inputs = [int(index) for index in operator.inputs]
        for place in (2, 3):
            tensor = copy.copy(main.tensors[operator.inputs[place]])
            own, data = describe(tensor), model.buffers[tensor.buffer].data
            if given.scale is None or own.scale is None or data is None:
                continue
            codes = np.asarray(data, np.uint8).view(own.dtype)
            value = dequantize(codes, own.scale, own.zero_point or 0)
            stored = quantize(value, given.scale, given.zero_point or 0, given.dtype)
            buffer = copy.copy(model.buffers[0])
            buffer.data = stored.view(np.uint8)
            tensor.quantization = main.tensors[operator.outputs[0]].quantization
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
            operator.inputs[place] = len(main.tensors)
            main.tensors.append(tensor)
    return pack(without_unused(model))


def _cast_to_float(model: Any, index: int) -> Any:
    """An operator that makes floats of a tensor; not yet among the others."""
    schema = _schema()
    main = model.subgraphs[0]
    taken, value = main.tensors[index], schema.TensorT()
    value.name, value.type = taken.name + b"/float", schema.TensorType.FLOAT32
    value.shape, value.shapeSignature, value.buffer = taken.shape, taken.shapeSignature, 0
    main.tensors.append(value)
    cast = schema.OperatorT()
    cast.opcodeIndex = operator_code(model, "CAST")
    cast.inputs, cast.outputs = [index], [len(main.tensors) - 1]
    cast.builtinOptionsType = schema.BuiltinOptions.CastOptions
    cast.builtinOptions = schema.CastOptionsT()
    cast.builtinOptions.inDataType = taken.type
    cast.builtinOptions.outDataType = value.type
    return cast


def _is_unit(tensor: Any) -> bool:
    grid = tensor.quantization
    return grid is not None and list(grid.scale) == [1.0] and list(grid.zeroPoint) == [0]


def operators(content: bytes) -> set[str]:
    """Names of the operators that a file uses."""
    return {operator_name(code) for code in unpack(content).operatorCodes}


def operator_code(model: Any, name: str, version: int = 1) -> int:
    """Where the operator stands in the file's list, of this version at least; put there if not."""
    for number, code in enumerate(model.operatorCodes):
        if operator_name(code) == name and code.version >= version:
            return number
    schema = _schema()
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def without_unused(model: Any) -> Any:
    """Constants that nothing reads any more lose their data."""
    main = model.subgraphs[0]
    used = {int(i) for op in main.operators for i in (*op.inputs, *op.outputs)}
    used |= {int(i) for i in (*main.inputs, *main.outputs)}
    kept = {main.tensors[i].buffer for i in used if i >= 0}
    kept |= {entry.buffer for entry in model.metadata or ()}
    for index, buffer in enumerate(model.buffers):
        if index not in kept:
            buffer.data = None
    return model


def _maps(tensors: Any, indices: Any, names: Sequence[str]) -> list[Any]:
    schema = _schema()
    found = []
    for index, name in zip(indices, names, strict=True):
        tensors[index].name = name.encode()
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name.encode(), int(index)
        found.append(entry)
    return found


def describe(tensor: Any) -> TensorInfo:
    """Name, dtype, shape and grid of a tensor."""
    signature = tensor.shapeSignature
    shape = signature if signature is not None and len(signature) else tensor.shape
    steps = tensor.quantization.scale if tensor.quantization is not None else None
    per_tensor = steps if steps is not None and len(steps) == 1 else None
    return TensorInfo(
        name=tensor.name.decode(),
        dtype=dtype_name(tensor.type),
        shape=tuple(int(size) for size in (shape if shape is not None else ())),
        scale=float(per_tensor[0]) if per_tensor is not None else None,
        zero_point=int(tensor.quantization.zeroPoint[0]) if per_tensor is not None else None,
    )


def operator_name(code: Any) -> str:
    """The schema's name of an operator code, or a custom operator's own."""
    # Old writers fill only the 8-bit field, new ones only the 32-bit one.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if code.customCode:
        return str(code.customCode.decode())
    return _enum("BuiltinOperator").get(number, f"BUILTIN_{number}")


def dtype_name(number: int) -> str:
    """The schema's name of an element type, in small letters."""
    return _enum("TensorType").get(number, f"TYPE_{number}").lower()


@cache
def _enum(name: str) -> dict[int, str]:
    values = vars(getattr(_schema(), name)).items()
    return {value: key for key, value in values if isinstance(value, int)}


def unpack(content: bytes) -> Any:
    """The file as objects of LiteRT's schema."""
    schema = _schema()
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def pack(model: Any) -> bytes:
    """The file of such objects; constants lie where kernels and maps of memory want them."""
    import flatbuffers

    class Aligned(flatbuffers.Builder):  # type: ignore[misc]
        # The schema asks for 16 bytes (`force_align`), and the generated Python forgets it.
        def StartVector(self, size: int, count: int, alignment: int) -> Any:  # noqa: N802
            return super().StartVector(size, count, _ALIGNMENT if size == 1 else alignment)

    builder = Aligned(1024)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated
