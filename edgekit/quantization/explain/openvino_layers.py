"""The layers of an OpenVINO file, read with results added to its graph.

A layer is an operator with the bias and activation that the runtime fuses into it; it is read
behind the FakeQuantize that puts it on its grid, as the layers after it read it. Computed in f32
where the file is not quantized.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.quantization.explain.layers import Layer, LayeredFile

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_FAKE, _INPUT = "FakeQuantize", "Parameter"
_MOVING = (
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Convert", "ShapeOf", "Broadcast", "Tile",
)  # fmt: skip
_LINEAR = (
    "Convolution", "GroupConvolution", "MatMul", "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
)  # fmt: skip
_ACTIVATIONS = ("Clamp", "Relu", "HSwish", "HSigmoid", "Swish", "Gelu", "Elu", "PRelu")
_REAL = ("f32", "f16")


class OpenvinoFile(LayeredFile):
    """An OpenVINO IR."""

    def __init__(self, model: Path) -> None:
        import openvino

        core = openvino.Core()
        graph = core.read_model(model)
        self._plain = _compile(core, graph)
        self._count = len(graph.outputs)
        self.inputs = tuple(_name(port) for port in graph.inputs)
        self.left_out: dict[str, int] = {}
        self.layers, ports = self._find(graph)
        results = [openvino.opset13.result(port) for port in ports]
        graph.add_results(results)
        self._request = _compile(core, graph)

    def _find(self, graph: Any) -> tuple[tuple[Layer, ...], list[Any]]:
        varying: set[str] = set()
        fused: dict[str, str] = {}  # node → kinds of the operators that are one with it
        origins: dict[str, set[int]] = {}  # node → layers whose values it holds
        left_out: Counter[str] = Counter()
        layers: list[Layer] = []
        ports = []
        for node in graph.get_ordered_ops():
            name = node.get_friendly_name()
            if not _varies(node, varying):
                continue
            varying.add(name)
            sources = {n for s in _sources(node) for n in origins.get(s.get_friendly_name(), ())}
            origins[name] = sources
            kind = fused.pop(name, "") + node.get_type_name()
            for port in node.outputs() if kind != _FAKE else ():
                only = _only_reader(port)
                if only is not None and _fuses(node, only, varying):
                    fused[only.get_friendly_name()] = f"{kind}+"
                elif _is_layer(node, port):
                    origins[name] = {len(layers)}
                    layers.append(replace(_layer(kind, node, port), sources=tuple(sorted(sources))))
                    ports.append(only.output(0) if only is not None and _is_stored(only) else port)
                elif kind != _INPUT:
                    left_out[kind] += 1
        self.left_out = dict(left_out)
        return tuple(layers), ports

    def read(self, arrays: Sequence[Array]) -> list[Array]:
        import numpy as np

        self._request.infer(list(arrays))
        tensors = range(self._count, self._count + len(self.layers))
        return [np.array(self._request.get_output_tensor(i).data, np.float32) for i in tensors]

    def outputs(self) -> list[Array]:
        return [self._request.get_output_tensor(i).data.copy() for i in range(self._count)]

    def plain(self, arrays: Sequence[Array]) -> list[Array]:
        self._plain.infer(list(arrays))
        return [self._plain.get_output_tensor(i).data.copy() for i in range(self._count)]


def _sources(node: Any) -> list[Any]:
    return [port.get_source_output().get_node() for port in node.inputs()]


def _varies(node: Any, varying: set[str]) -> bool:
    """Whether a node computes something that depends on an input."""
    kind = node.get_type_name()
    return kind == _INPUT or (
        kind != "Result" and any(s.get_friendly_name() in varying for s in _sources(node))
    )


def _only_reader(port: Any) -> Any | None:
    readers = [entry.get_node() for entry in port.get_target_inputs()]
    return readers[0] if len(readers) == 1 else None


def _is_stored(reader: Any | None) -> bool:
    """Whether the only reader of a tensor puts it on a grid."""
    return reader is not None and reader.get_type_name() == _FAKE


def _fuses(node: Any, reader: Any, varying: set[str]) -> bool:
    kind = reader.get_type_name()
    if kind == "Add" and node.get_type_name() in _LINEAR:
        return sum(other.get_friendly_name() in varying for other in _sources(reader)) == 1
    return kind in _ACTIVATIONS and node.get_type_name() not in (*_MOVING, _INPUT)


def _is_layer(node: Any, port: Any) -> bool:
    stored = _is_stored(_only_reader(port))
    kind = node.get_type_name()
    if kind == _INPUT:
        return stored
    if kind in _MOVING:  # its values may not have been on a grid before
        return stored and _sources(node)[0].get_type_name() != _FAKE
    return stored or port.get_element_type().get_type_name() in _REAL


def _layer(kind: str, node: Any, port: Any) -> Layer:
    names = (node.get_friendly_name(), *sorted(port.get_names()))
    shape = tuple(a.get_length() if a.is_static else 1 for a in port.get_partial_shape())
    return Layer(
        name=next(iter(sorted(port.get_names())), names[0]),
        op=kind.replace(_INPUT, _FAKE),
        names=tuple(dict.fromkeys(names)),
        shape=shape,
        dtype="8 bit" if _is_stored(_only_reader(port)) else "float32",
    )


def _name(port: Any) -> str:
    return str(port.get_any_name())


def _compile(core: Any, graph: Any) -> Any:
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    return core.compile_model(graph, "CPU", options).create_infer_request()
