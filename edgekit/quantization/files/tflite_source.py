"""Check somebody else's TFLite file, give it the form the rest expects, and condition it.

Imports LiteRT. The file is untrusted: bounded in size, stock operators only, one subgraph. It is
written anew with one sample a run and a float input; the function is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.errors import ModelError
from edgekit.exporters import tflite_file
from edgekit.quantization.files.description import (
    QUANTIZED,
    Description,
    Reading,
    check_weights,
    clean_name,
    fixed_shapes,
    input_specs,
    read_bounded,
)
from edgekit.quantization.files.tflite_graph import LINEAR, TfliteGraph, interpreter
from edgekit.quantization.files.walk import Walked, walk
from edgekit.samples import read_samples, samples_at
from edgekit.tensor import TensorInfo

MODEL = "model.tflite"

_IDENTIFIER = b"TFL3"
_WEIGHTY = (*LINEAR, "BATCH_MATMUL", "CONV_3D", "EMBEDDING_LOOKUP")


def prepare_tflite(path: Path, folder: Path, reading: Reading) -> Description:
    """Check a file and write it to `folder`, for one sample a run.

    Raises:
        ModelError: Damaged, quantized already, with operators a stock runtime lacks, or it does not
            run.
        UsageError: Its input has to be described better (`Reading`).
    """
    model = _load(path)
    main = model.subgraphs[0]
    _refuse(model, path)
    _refuse_weights(model, path)
    names = _names(model)
    tensors = [main.tensors[index] for index in main.inputs]
    declared = {
        name: _sizes(tensor.shapeSignature) or _sizes(tensor.shape)
        for name, tensor in zip(names[0], tensors, strict=True)
    }
    shapes = fixed_shapes(declared, reading.input_shape)
    for tensor, shape in zip(tensors, shapes, strict=True):
        if _sizes(tensor.shape) != [1, *shape]:
            raise ModelError(
                f"{path}: the file is made for inputs of {_sizes(tensor.shape)}",
                hint="convert it again with a fixed shape, one sample at a time",
            )
    for each in main.tensors:
        each.shapeSignature = None
    dtypes = [tflite_file.dtype_name(tensor.type) for tensor in tensors]
    specs = input_specs(list(zip(names[0], dtypes, shapes, strict=True)), reading)
    for index in main.inputs:
        _take_float(model, int(index))
    content = tflite_file.with_signature(tflite_file.pack(model), *names)
    outputs = _outputs(content, path)
    (folder / MODEL).write_bytes(content)
    graph = TfliteGraph(content)
    return Description(
        specs=specs,
        inputs=tflite_file.inspect(folder / MODEL).inputs,
        outputs=outputs,
        cost={"parameters": graph.parameters, "multiply_adds": graph.multiply_adds},
    )


def condition_tflite(source: Path, calibration: Path, destination: Path) -> Walked:
    """Round and correct: a folder with `model.tflite` in, another out.

    Raises:
        ConversionError: As `walk`.
    """
    names = [tensor.name for tensor in tflite_file.inspect(source / MODEL).inputs]
    rows = read_samples(samples_at(calibration), names)
    destination.mkdir()
    graph = TfliteGraph((source / MODEL).read_bytes())
    found = walk(graph, [rows[name] for name in names], destination.parent)
    (destination / MODEL).write_bytes(graph.finish())
    return found


def _load(path: Path) -> Any:
    content = read_bounded(path)
    if content[4:8] != _IDENTIFIER:
        raise ModelError(f"{path}: not a TFLite file")
    try:
        model = tflite_file.unpack(content)
        found = [len(graph.operators) * len(graph.tensors) for graph in model.subgraphs]
    except Exception as error:  # offsets that lead anywhere
        raise ModelError(f"{path}: a damaged TFLite file") from error
    if not found or not found[0]:
        raise ModelError(f"{path}: a TFLite file without operators")
    if len(found) > 1:
        raise ModelError(
            f"{path}: {len(found)} subgraphs (loops or branches)",
            hint="recurrent layers have to be unrolled, or the file stays float",
        )
    return model


def _refuse(model: Any, path: Path) -> None:
    main = model.subgraphs[0]
    custom = sorted({c.customCode.decode() for c in model.operatorCodes if c.customCode})
    if custom:
        raise ModelError(
            f"{path}: operators that a stock LiteRT does not have: {', '.join(custom[:5])}"
        )
    ops = {tflite_file.operator_name(model.operatorCodes[o.opcodeIndex]) for o in main.operators}
    for tensor in main.tensors:
        steps = tensor.quantization.scale if tensor.quantization is not None else None
        if steps is not None and len(steps):
            raise ModelError(f"{path}: {QUANTIZED}", f"{tensor.name.decode()} has a scale")
        if tensor.isVariable:
            raise ModelError(f"{path}: it keeps state from one run to the next")
        if tflite_file.dtype_name(tensor.type) in ("float16", "bfloat16"):
            raise ModelError(
                f"{path}: its weights are of 16 bits; edgekit starts from float32 files"
            )
    if not ops & set(_WEIGHTY):
        raise ModelError(
            f"{path}: nothing in it has weights to quantize",
            f"its operators: {', '.join(sorted(ops)[:12])}",
        )


def _refuse_weights(model: Any, path: Path) -> None:
    """Values that are not finite."""
    import numpy as np

    main = model.subgraphs[0]
    finite = {
        int(index)
        for operator in main.operators
        if tflite_file.operator_name(model.operatorCodes[operator.opcodeIndex]) in _WEIGHTY
        for index in operator.inputs
    }
    for index, tensor in enumerate(main.tensors):
        data = model.buffers[tensor.buffer].data
        if data is None or tflite_file.dtype_name(tensor.type) != "float32":
            continue
        values = np.asarray(data, np.uint8)
        values = values[: len(values) // 4 * 4].view(np.float32)
        name = tensor.name.decode(errors="replace")
        check_weights(path, name, values, infinite=index not in finite)


def _names(model: Any) -> tuple[list[str], list[str]]:
    """Names of inputs and outputs: the signature's, else the tensors'."""
    main = model.subgraphs[0]
    given: dict[int, str] = {}
    for definition in (model.signatureDefs or [])[:1]:
        for entry in (*definition.inputs, *definition.outputs):
            given[int(entry.tensorIndex)] = entry.name.decode(errors="replace")
    taken: set[str] = set()

    def clean(indices: Any, fallback: str) -> list[str]:
        tensors = [(given.get(int(i)), main.tensors[i].name) for i in indices]
        return [
            clean_name(name or (own or b"").decode(errors="replace"), taken, fallback)
            for name, own in tensors
        ]

    return clean(main.inputs, "input"), clean(main.outputs, "output")


def _sizes(shape: Any) -> list[int]:
    return [] if shape is None else [int(size) for size in shape]


def _take_float(model: Any, index: int) -> None:
    """Let an integer input that is cast to float first be a float one: ranges belong to that."""
    main = model.subgraphs[0]
    readers = [op for op in main.operators if index in [int(i) for i in op.inputs]]
    dtype = tflite_file.dtype_name(main.tensors[index].type)
    if dtype not in ("uint8", "int8") or not readers:
        return
    kinds = {tflite_file.operator_name(model.operatorCodes[op.opcodeIndex]) for op in readers}
    floats = {tflite_file.dtype_name(main.tensors[op.outputs[0]].type) for op in readers}
    made = {int(op.outputs[0]) for op in readers}
    if kinds != {"CAST"} or floats != {"float32"} or made & {int(i) for i in main.outputs}:
        return
    main.tensors[index].type = main.tensors[next(iter(made))].type
    main.operators = [op for op in main.operators if all(op is not cast for cast in readers)]
    for operator in main.operators:
        operator.inputs = [index if int(i) in made else int(i) for i in operator.inputs]
    # TensorFlow's calibrator wants a kernel for every operator that is listed, used or not.
    used = sorted({operator.opcodeIndex for operator in main.operators})
    model.operatorCodes = [model.operatorCodes[i] for i in used]
    for operator in main.operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def _outputs(content: bytes, path: Path) -> tuple[TensorInfo, ...]:
    """What the file gives for one sample, asked of the runtime."""
    import numpy as np

    try:
        opened = interpreter(content)
        for taken in opened.get_input_details():
            opened.set_tensor(taken["index"], np.zeros(taken["shape"], taken["dtype"]))
        opened.invoke()
        found = [opened.get_tensor(entry["index"]) for entry in opened.get_output_details()]
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path}: does not run in LiteRT: {reason[:300]}") from error
    named = tflite_file.unpack(content).signatureDefs[0].outputs
    for entry, array in zip(named, found, strict=True):
        if array.ndim < 1 or array.shape[0] != 1:
            raise ModelError(
                f"{path}: the output {entry.name.decode()!r} is {list(array.shape)} for one "
                "sample: without a batch axis it cannot be compared"
            )
    return tuple(
        TensorInfo(entry.name.decode(), array.dtype.name, array.shape)
        for entry, array in zip(named, found, strict=True)
    )
