"""Check somebody else's ONNX file, give it the form the rest expects, and condition it.

Imports onnx and ONNX Runtime. The file is untrusted: bounded in size, all weights inside, stock
operators only. It is written anew with fixed shapes and one sample a run; the function is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import ModelError
from edgekit.exporters import onnx_file
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
from edgekit.quantization.files.onnx_graph import LINEAR, OnnxGraph
from edgekit.quantization.files.walk import Walked, walk
from edgekit.samples import read_samples, rows_of, samples_at
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    from edgekit.spec import InputSpec

    Array = np.ndarray[Any, Any]

MODEL = "model.onnx"

_OLDEST, _PER_CHANNEL, _USUAL = 7, 13, 17  # opsets: readable, with scales per channel, written
_STOCK = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_QUANTIZED_OPS = (
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul",
    "ConvInteger", "MatMulInteger", "MatMulNBits",
)  # fmt: skip
_WEIGHTY = (*LINEAR, "LSTM", "GRU", "RNN", "Attention")
_FINITE = (*_WEIGHTY, "BatchNormalization", "LayerNormalization", "Gather")  # no masks here


def prepare_onnx(path: Path, folder: Path, reading: Reading) -> Description:
    """Check a file and write it to `folder` with fixed shapes.

    Raises:
        ModelError: Damaged, quantized already, with operators or weights from elsewhere, or it does
            not run.
        UsageError: Its input has to be described better (`Reading`).
    """
    model = _load(path)
    _refuse(model, path)
    _refuse_weights(model, path)
    model = _upgraded(model, path)
    values = list(model.graph.input)
    for value in values:
        if not value.type.tensor_type.HasField("shape"):
            raise ModelError(f"{path}: the input {value.name!r} has no number of axes")
    declared = {value.name: onnx_file.declared_shape(value) for value in values}
    shapes = fixed_shapes(declared, reading.input_shape)
    for value, shape in zip(values, shapes, strict=True):
        for axis, size in zip(value.type.tensor_type.shape.dim, (1, *shape), strict=True):
            axis.dim_value = size
    names = _clean_names(model)
    dtypes = [onnx_file.dtype_name(value.type.tensor_type.elem_type) for value in values]
    specs = input_specs(list(zip(names, dtypes, shapes, strict=False)), reading)
    _infer(model)
    outputs = _outputs(model, specs, path)
    _declare(model, outputs)
    onnx_file.save(model, folder / MODEL)
    return Description(
        specs=specs,
        inputs=tuple(TensorInfo(spec.name, spec.dtype, (1, *spec.shape)) for spec in specs),
        outputs=outputs,
        cost=_cost(model, specs),
    )


def condition_onnx(source: Path, calibration: Path, destination: Path) -> Walked:
    """Fold, round and correct: a folder with `model.onnx` in, another out.

    Raises:
        ConversionError: As `walk`.
    """
    import onnx

    from edgekit.quantization.files.onnx_fold import folded

    destination.mkdir()
    model = folded(onnx.load(source / MODEL), destination)
    names = [tensor.name for tensor in onnx_file.inspect(source / MODEL).inputs]
    rows = read_samples(samples_at(calibration), names)
    graph = OnnxGraph(model, rows_of(rows, slice(1)))
    found = walk(graph, [rows[name] for name in graph.inputs], destination.parent)
    result = graph.finish()
    onnx_file.save(result, destination / MODEL)
    return found


def _load(path: Path) -> Any:
    import onnx

    content = read_bounded(path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own
        raise ModelError(f"{path}: not an ONNX file: {str(error).partition(chr(10))[0]}") from error
    if not model.graph.node:
        raise ModelError(f"{path}: not an ONNX file, or one without operators")
    for tensor in onnx_file.all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"{path}: weights lie in another file",
                hint="onnx.save(onnx.load(path), one_file) puts them into one",
            )
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # ValidationError, and what schemas raise
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path}: not a valid ONNX graph: {reason}") from error
    return model


def _refuse(model: Any, path: Path) -> None:
    ops = {node.op_type for node in onnx_file.all_nodes(model)}
    foreign = {
        f"{node.domain}::{node.op_type}"
        for node in onnx_file.all_nodes(model)
        if node.domain not in _STOCK
    }
    if foreign:
        raise ModelError(
            f"{path}: operators that a stock ONNX Runtime does not have: "
            f"{', '.join(sorted(foreign)[:5])}"
        )
    dtypes = {onnx_file.dtype_name(tensor.data_type) for tensor in onnx_file.all_tensors(model)}
    if found := ops & set(_QUANTIZED_OPS):
        raise ModelError(f"{path}: {QUANTIZED}", f"it has {', '.join(sorted(found))}")
    if "float16" in dtypes or "bfloat16" in dtypes:
        raise ModelError(f"{path}: its weights are of 16 bits; edgekit starts from float32 files")
    if not ops & set(_WEIGHTY) or "float32" not in dtypes:
        raise ModelError(
            f"{path}: nothing in it has weights to quantize",
            f"its operators: {', '.join(sorted(ops)[:12])}",
        )


def _refuse_weights(model: Any, path: Path) -> None:
    """Values that are not finite, while their names are still those of the file."""
    import onnx
    from onnx import numpy_helper

    nodes = list(onnx_file.all_nodes(model))
    finite = {name for node in nodes if node.op_type in _FINITE for name in node.input}
    constants = [(tensor.name, tensor) for tensor in model.graph.initializer]
    for node in nodes:
        if node.op_type == "Constant":
            constants += [(node.output[0], a.t) for a in node.attribute if a.HasField("t")]
    for name, tensor in constants:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            check_weights(path, name, numpy_helper.to_array(tensor), infinite=name not in finite)


def _upgraded(model: Any, path: Path) -> Any:
    """The model in an opset whose quantized operators know scales per channel."""
    import onnx

    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if version < _OLDEST:
        raise ModelError(f"{path}: opset {version}", limit=f"opset {_OLDEST} at least")
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    del model.graph.input[:]  # old files list their weights among the inputs
    model.graph.input.extend(inputs)
    if version >= _PER_CHANNEL:
        return model
    try:
        return onnx.version_converter.convert_version(model, _USUAL)
    except Exception as error:
        raise ModelError(
            f"{path}: opset {version} cannot be brought to {_USUAL}: "
            f"{str(error).partition(chr(10))[0]}",
            hint=f"export it with opset {_USUAL}",
        ) from error


def _clean_names(model: Any) -> list[str]:
    """Rename inputs and outputs so that every format accepts their names; inputs come first."""
    taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
    inputs = [value.name for value in model.graph.input]
    names = [*inputs, *(value.name for value in model.graph.output)]
    free = taken - set(names)
    clean = [
        clean_name(name, free, "input" if i < len(inputs) else "output")
        for i, name in enumerate(names)
    ]
    onnx_file.rename(model, dict(zip(names, clean, strict=True)))
    return clean


def _infer(model: Any) -> None:
    """Shapes of one sample over those of any batch."""
    import onnx

    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # the runtime infers them for itself
        return
    model.graph.value_info.extend(inferred.graph.value_info)


def _sample(specs: Sequence[InputSpec]) -> dict[str, Array]:
    """Noise, one sample of each input."""
    from edgekit.golden import extremes

    return {spec.name: extremes(spec, place)[-1:] for place, spec in enumerate(specs)}


def _outputs(model: Any, specs: Sequence[InputSpec], path: Path) -> tuple[TensorInfo, ...]:
    """What the file gives for one sample, asked of the runtime."""
    from edgekit.quantization.files.onnx_graph import session

    try:
        opened = session(model)
        found = opened.run(None, _sample(specs))
    except Exception as error:
        reason = str(error).partition("\n")[0].split(" : ")[-1]
        raise ModelError(
            f"{path}: does not run in ONNX Runtime: {reason[:300]}",
            hint="--input-shape and --input-range say what it takes",
        ) from error
    names = [value.name for value in model.graph.output]
    for name, array in zip(names, found, strict=True):
        if not hasattr(array, "dtype") or array.ndim < 1 or array.shape[0] != 1:
            raise ModelError(
                f"{path}: the output {name!r} is {list(getattr(array, 'shape', ()))} for one "
                "sample: without a batch axis it cannot be compared"
            )
    return tuple(
        TensorInfo(name, array.dtype.name, array.shape)
        for name, array in zip(names, found, strict=True)
    )


def _declare(model: Any, outputs: tuple[TensorInfo, ...]) -> None:
    import numpy as np
    from onnx import helper

    del model.graph.output[:]
    for tensor in outputs:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        model.graph.output.append(helper.make_tensor_value_info(tensor.name, kind, tensor.shape))


def _cost(model: Any, specs: Sequence[InputSpec]) -> dict[str, int]:
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensors = onnx_file.all_tensors(model)
    floats = [t for t in tensors if t.data_type == onnx.TensorProto.FLOAT]
    return {
        "parameters": sum(math.prod(tensor.dims) for tensor in floats),
        "multiply_adds": OnnxGraph(copy, _sample(specs)).multiply_adds,
    }
