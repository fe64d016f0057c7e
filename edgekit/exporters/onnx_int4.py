"""4-bit weights in an ONNX file: matrices of products stored in blocks, used in float.

Each block of rows that belongs to one output has a step of its own. ONNX Runtime recognizes the
pattern (DequantizeLinear before MatMul) and can multiply 4-bit blocks without unpacking the matrix.
Tables that rows are looked up in are stored in 8 bits, each row with a step of its own. Works on
`ModelProto`. Does not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.errors import ConversionError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 32  # values with one step: what kernels for 4 bits are written for
OPSET = 21  # the first with 4-bit types and with blocks

_STEPS = 7  # −8 is left out: the grid is symmetric
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7)  # of a block's largest value, tried as its end


def quantize_matrices(model: Any) -> Any:
    """The model with every constant matrix of a product in 4 bits, and every table in 8.

    Matrices whose rows don't make whole blocks stay as they are.

    Raises:
        ConversionError: The graph cannot be brought to opset 21.
    """
    import onnx
    from onnx import helper

    try:
        model = onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ConversionError(
            f"onnx-int4: the graph cannot be brought to opset {OPSET}: {reason}"
        ) from error
    model.ir_version = max(model.ir_version, 10)  # the first with 4-bit types
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    made: dict[str, str] = {}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "MatMul" or node.input[1] not in constants:
            continue
        name = node.input[1]
        if name not in made:
            tensors = _blocks(constants[name])
            if tensors is None:
                continue
            model.graph.initializer.extend(tensors)
            made[name] = f"{name}_float"
            inputs = [tensor.name for tensor in tensors]
            nodes.append(
                helper.make_node("DequantizeLinear", inputs, [made[name]], axis=0, block_size=BLOCK)
            )
        node.input[1] = made[name]
    if made:
        made |= _shrink_tables(model, constants)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    used = {name for node in model.graph.node for name in node.input}
    for name in made:
        if name not in used:
            model.graph.initializer.remove(constants[name])
    return model


def _shrink_tables(model: Any, constants: dict[str, Any]) -> dict[str, str]:
    """Let rows of a constant table be looked up in 8 bits, together with their steps.

    Returns:
        Name of each table → what stands for it now.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    made: dict[str, str] = {}
    for node in list(model.graph.node):
        name = node.input[0] if node.op_type == "Gather" else ""
        table = numpy_helper.to_array(constants[name]) if name in constants else None
        plain = not any(entry.name == "axis" and entry.i for entry in node.attribute)
        if table is None or table.ndim != 2 or table.dtype != np.float32 or not plain:
            continue
        if name not in made:
            peak = np.abs(table).max(axis=1, keepdims=True).astype(np.float32)
            step = np.where(peak > 0, peak / np.float32(127), np.float32(1))
            codes = np.rint(table / step).clip(-127, 127).astype(np.int8)
            made[name] = f"{name}_int8"
            model.graph.initializer.extend(
                [
                    numpy_helper.from_array(codes, f"{name}_int8"),
                    numpy_helper.from_array(step, f"{name}_scale"),
                ]
            )
        rows, steps = f"{node.output[0]}_rows", f"{node.output[0]}_steps"
        place = list(model.graph.node).index(node)
        for index, new in enumerate(
            (
                helper.make_node("Gather", [f"{name}_int8", node.input[1]], [rows], axis=0),
                helper.make_node("Cast", [rows], [f"{rows}_float"], to=TensorProto.FLOAT),
                helper.make_node("Gather", [f"{name}_scale", node.input[1]], [steps], axis=0),
                helper.make_node("Mul", [f"{rows}_float", steps], [node.output[0]]),
            )
        ):
            model.graph.node.insert(place + index, new)
        model.graph.node.remove(node)
    return made


def _blocks(tensor: Any) -> tuple[Any, Any] | None:
    """4-bit numbers [K, N] and steps [K / BLOCK, N] of a matrix; None if it has no whole blocks."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    value = numpy_helper.to_array(tensor)
    if value.ndim != 2 or value.dtype != np.float32 or value.shape[0] % BLOCK:
        return None
    blocks = value.reshape(-1, BLOCK, value.shape[1])
    step = _steps(blocks)
    safe = np.where(step > 0, step, np.float32(1))
    codes = np.rint(blocks / safe).clip(-_STEPS, _STEPS).astype(np.int8).reshape(value.shape)
    packed = helper.make_tensor(
        f"{tensor.name}_int4", TensorProto.INT4, value.shape, codes.reshape(-1).tolist()
    )
    return packed, numpy_helper.from_array(safe[:, 0], f"{tensor.name}_scale")


def _steps(blocks: Array) -> Array:
    """The step of each block [K / BLOCK, 1, N] with the least squared error of those tried."""
    import numpy as np

    peak = np.abs(blocks).max(axis=1, keepdims=True).astype(np.float32)
    best, least = peak / np.float32(_STEPS), np.full(peak.shape, np.inf)
    for share in _SHARES:
        step = peak * np.float32(share / _STEPS)
        safe = np.where(step > 0, step, np.float32(1))
        rounded = np.rint(blocks / safe).clip(-_STEPS, _STEPS) * safe
        error = np.square(blocks - rounded, dtype=np.float64).sum(axis=1, keepdims=True)
        better = error < least
        best, least = np.where(better, step, best), np.where(better, error, least)
    return np.asarray(best, np.float32)
