"""Mixed OpenVINO files: some operators of an int8 file in float, the rest as it was.

A kept operator reads what stands before a FakeQuantize, and its compressed weights become float
constants. OpenVINO's plugin then computes it in float by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.quantization.condition.originals import Constant, Originals
from edgekit.quantization.mixed.layers import MixableFile, Operator, grouped

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MODEL_FILE = "model.xml"

_KERNELS = (
    "Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData",
    "MatMul",
)  # fmt: skip
_NO_LAYER = ("Parameter", "Result", "Constant", "FakeQuantize")


class MixableOpenvino(MixableFile):
    """See `MixableFile`.

    Args:
        model: The plain int8 file.
        originals: Of the graph it was made from.
    """

    def __init__(self, model: Path, originals: Originals) -> None:
        self._file = model
        self._originals = originals
        nodes = _nodes(model)
        self._place = {node.get_friendly_name(): place for place, node in enumerate(nodes)}
        constant = _constants(nodes)
        found = []
        begun = False
        for place, node in enumerate(nodes):
            kind = node.get_type_name()
            begun = begun or kind == "FakeQuantize"
            if kind not in _NO_LAYER and place not in constant and begun:
                found.append(self._described(place, node))
        layers, self._layer_of = grouped(found)
        self.layers = tuple(layers)
        self._nodes, self._constant = nodes, constant
        self._real: dict[int, dict[tuple[int, int], Array]] = {}

    def write(self, kept: Iterable[int], folder: Path) -> None:
        import openvino

        chosen = set(kept)
        if not chosen:
            for suffix in (".xml", ".bin"):
                content = self._file.with_suffix(suffix).read_bytes()
                (folder / MODEL_FILE).with_suffix(suffix).write_bytes(content)
            return
        model = openvino.Core().read_model(self._file)
        nodes = model.get_ordered_ops()
        for place, layer in self._layer_of.items():
            if layer in chosen:
                _keep(nodes[place], place, self._constants(layer))
        model.validate_nodes_and_infer_types()
        openvino.save_model(model, folder / MODEL_FILE, compress_to_fp16=False)

    def _described(self, place: int, node: Any) -> Operator:
        kind = node.get_type_name()
        return Operator(
            place=place,
            name=node.get_friendly_name().removesuffix("/WithoutBiases"),
            op=kind,
            multiply_adds=_multiply_adds(node) if kind in _KERNELS else 0,
            kernel=kind in _KERNELS,
            sources=tuple(self._origins(node)),
        )

    def _origins(self, node: Any) -> Iterator[int]:
        for port in node.input_values():
            source = port.get_node()
            while source.get_type_name() == "FakeQuantize":
                source = source.input_value(0).get_node()
            yield self._place[source.get_friendly_name()]

    def _constants(self, layer: int) -> dict[tuple[int, int], Array]:
        """Place of an operator and of its input → float values; the originals' where known."""
        if layer not in self._real:
            found: dict[tuple[int, int], Constant] = {}
            for place, of in self._layer_of.items():
                if of != layer:
                    continue
                for at, port in enumerate(self._nodes[place].input_values()):
                    source = port.get_node()
                    if self._place[source.get_friendly_name()] in self._constant and (
                        value := _value(source)
                    ):
                        found[place, at] = value
            real = self._originals.in_place_of(list(found.values()))
            self._real[layer] = dict(zip(found, real, strict=True))
        return self._real[layer]


def _nodes(file: Path) -> list[Any]:
    import openvino

    return list(openvino.Core().read_model(file).get_ordered_ops())


def _constants(nodes: list[Any]) -> set[int]:
    """Places of the nodes that depend on no input."""
    found: set[str] = set()
    places = set()
    for place, node in enumerate(nodes):
        sources = [port.get_node().get_friendly_name() for port in node.input_values()]
        if node.get_type_name() != "Parameter" and all(name in found for name in sources):
            found.add(node.get_friendly_name())
            places.add(place)
    return places


def _keep(node: Any, place: int, constants: Mapping[tuple[int, int], Array]) -> None:
    import numpy as np
    from openvino import opset13 as ops

    for at, port in enumerate(node.inputs()):
        source = port.get_source_output().get_node()
        if (place, at) in constants:
            value = np.ascontiguousarray(constants[place, at], np.float32)
            port.replace_source_output(ops.constant(value).output(0))
        elif source.get_type_name() == "FakeQuantize":
            port.replace_source_output(source.input_value(0))


def _value(node: Any) -> Constant | None:
    """A float constant, or one compressed to int8 as NNCF does; None of anything else."""
    import numpy as np

    kind = node.get_type_name()
    if kind == "Constant":
        value = node.data
        return Constant(value, value, 0.0) if value.dtype.name == "float32" else None
    if kind != "Multiply":
        return None
    inner, scale = (port.get_node() for port in node.input_values())
    zero: Array = np.zeros(1, np.float32)
    if inner.get_type_name() == "Subtract":
        shift = _plain(inner.input_value(1).get_node())
        if shift is None:
            return None
        inner, zero = inner.input_value(0).get_node(), shift
    codes, steps = _plain(inner), _plain(scale)
    if codes is None or steps is None or codes.dtype.name != "int8":
        return None
    real = (codes.astype(np.float32) - zero.astype(np.float32)) * steps.astype(np.float32)
    return Constant(codes, real, float(np.abs(steps).max()))


def _plain(node: Any) -> Array | None:
    """What a constant holds, behind a change of its type."""
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.data if node.get_type_name() == "Constant" else None


def _multiply_adds(node: Any) -> int:
    given = math.prod(map(int, node.output(0).get_shape()))
    data, kernel = ([int(size) for size in node.input(at).get_shape()] for at in (0, 1))
    kind = node.get_type_name()
    if kind == "MatMul":
        return given * data[-2 if node.get_attributes().get("transpose_a") else -1]
    if kind == "ConvolutionBackpropData":
        return math.prod(data) * math.prod(kernel[1:])
    if kind == "GroupConvolutionBackpropData":
        return math.prod(data) * math.prod(kernel[2:])
    return given * math.prod(kernel[2 if kind == "GroupConvolution" else 1 :])
