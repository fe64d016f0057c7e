"""Which grid the float outputs of a file lie on: those that its last operator dequantizes.

A full-integer file may give floats: its last operator turns integers into them. Two runs of it
differ by steps of that grid. Reads files; does not convert and does not run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def output_steps(file: Path, target: str) -> tuple[float | None, ...]:
    """Distance of two neighbouring values of each output, in the output's order.

    Args:
        file: What a runtime loads.
        target: "tflite" or "onnx"; of others nothing is known.

    Returns:
        None for an output that is an integer itself, or that was not dequantized by one scale;
        nothing at all for other targets, and where the package that reads them is missing.
    """
    try:
        if target == "tflite":
            return _of_tflite(file)
        if target == "onnx":
            return _of_onnx(file)
    except ModuleNotFoundError:
        pass
    return ()


def _of_tflite(file: Path) -> tuple[float | None, ...]:
    from edgekit.exporters.tflite_file import operator_name, unpack

    model = unpack(file.read_bytes())
    main = model.subgraphs[0]
    makers = {int(place): node for node in main.operators for place in node.outputs}

    def step(place: int) -> float | None:
        node = makers.get(int(place))
        if node is None or operator_name(model.operatorCodes[node.opcodeIndex]) != "DEQUANTIZE":
            return None
        grid = main.tensors[int(node.inputs[0])].quantization
        return _only(grid.scale if grid is not None and grid.scale is not None else ())

    return tuple(step(place) for place in main.outputs)


def _of_onnx(file: Path) -> tuple[float | None, ...]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(file, load_external_data=False).graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}

    def step(output: Any) -> float | None:
        node = makers.get(output.name)
        if node is None or node.op_type != "DequantizeLinear" or node.input[1] not in constants:
            return None
        return _only(numpy_helper.to_array(constants[node.input[1]]).reshape(-1))

    return tuple(step(output) for output in graph.output)


def _only(scales: Any) -> float | None:
    """The scale of a tensor that has one for all of it."""
    return float(scales[0]) if len(scales) == 1 and scales[0] > 0 else None
