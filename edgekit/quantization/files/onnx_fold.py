"""Fold batch norms into the kernels before them, in an ONNX model.

ONNX Runtime folds most, and constants too; what it leaves behind a transposed convolution or a
matrix product is folded here. Jacob et al. 2018 (arXiv 1712.05877).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters.onnx_file import attribute, reads

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_EPSILON = 1e-5  # ONNX's own default


def folded(model: Any, scratch: Path) -> Any:
    """The same function with as few batch norms as can be.

    Args:
        model: Float, shapes fixed.
        scratch: Folder for two files that are removed again.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    before, after = scratch / ".before.onnx", scratch / ".after.onnx"
    onnx.save(model, before)
    try:
        # Symbolic shape inference fails on transformers, and all shapes here are fixed.
        quant_pre_process(before, after, skip_symbolic_shape=True)
        prepared = onnx.load(after)
    finally:
        before.unlink(missing_ok=True)
        after.unlink(missing_ok=True)
    while _fold_one(prepared.graph):
        pass
    return prepared


def _fold_one(graph: Any) -> bool:
    """Fold one batch norm; False if none can be."""
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    kept = {value.name for value in graph.output}
    for norm in graph.node:
        if norm.op_type != "BatchNormalization" or attribute(norm, "training_mode", 0):
            continue
        node = makers.get(norm.input[0])
        if node is None or norm.input[0] in kept or not _foldable(node, constants):
            continue
        if sum(norm.input[0] in reads(other) for other in graph.node) != 1:
            continue
        if any(name not in constants for name in norm.input[1:5]):
            continue
        values = [numpy_helper.to_array(constants[name]) for name in norm.input[1:5]]
        _fold(graph, node, constants, values, attribute(norm, "epsilon", _EPSILON))
        node.output[0] = norm.output[0]
        graph.node.remove(norm)
        return True
    return False


def _foldable(node: Any, constants: dict[str, Any]) -> bool:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm"):
        return False
    biased = len(node.input) > 2 and node.input[2]
    plain = all(attribute(node, name, 1.0) == 1.0 for name in ("alpha", "beta"))
    return plain and all(name in constants for name in node.input[1 : 3 if biased else 2])


def _fold(
    graph: Any, node: Any, constants: dict[str, Any], values: list[Array], epsilon: float
) -> None:
    import numpy as np
    from onnx import numpy_helper

    gamma, beta, mean, variance = (value.astype(np.float64) for value in values)
    factor = gamma / np.sqrt(variance + epsilon)
    weights = numpy_helper.to_array(constants[node.input[1]]).astype(np.float64)
    biased = len(node.input) > 2 and node.input[2]
    bias = numpy_helper.to_array(constants[node.input[2]]) if biased else np.zeros_like(mean)
    scaled = _scaled(node, weights, factor)
    shifted = (np.broadcast_to(bias, factor.shape).astype(np.float64) - mean) * factor + beta
    del node.input[1:]
    for kind, value in (("kernel", scaled), ("bias", shifted)):
        name = f"{node.output[0]}/folded_{kind}"
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
        node.input.append(name)


def _scaled(node: Any, weights: Array, factor: Array) -> Array:
    """The kernel with each output channel multiplied by its factor."""
    if node.op_type == "Conv":
        return weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
    if node.op_type == "Gemm":
        return weights * (factor[:, None] if attribute(node, "transB", 0) else factor)
    # [in, out / groups, …]: a group's inputs follow one another, and so do its outputs.
    groups = attribute(node, "group", 1)
    apart = weights.reshape(groups, -1, *weights.shape[1:])
    scale = factor.reshape(groups, 1, -1, *[1] * (weights.ndim - 2))
    found: Array = (apart * scale).reshape(weights.shape)
    return found
