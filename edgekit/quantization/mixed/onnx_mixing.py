"""Mixed ONNX files: some operators of a QDQ file in float, the rest as it was.

Three things need care. ONNX Runtime's quantizer takes out activations whose clipping the grid does,
so a tensor that stays float gets its activation back from the float file. A convolution that reads
a dequantized tensor is quantized anew when ONNX Runtime loads the file (its optimizer
WeightBiasQuantization, one scale for the whole kernel, which ruins a depthwise one), but only where
the tensor has a single scale: kept operators read through a DequantizeLinear with that scale once
for each channel, which computes the same. And pairs of QuantizeLinear and DequantizeLinear between
kept operators go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters import onnx_file
from edgekit.quantization.condition.originals import Constant, Originals
from edgekit.quantization.mixed.layers import MixableFile, Operator, grouped

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MODEL_FILE = "model.onnx"

_KERNELS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_QUANTIZED_ANEW = ("Conv", "ConvTranspose", "Gemm")
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"
_ACTIVATIONS = ("Relu", "Clip")


class MixableOnnx(MixableFile):
    """See `MixableFile`.

    Args:
        model: The plain int8 file.
        source: The float file it was made from.
        originals: Of the graph that was made from.
    """

    def __init__(self, model: Path, source: Path, originals: Originals) -> None:
        import onnx

        self._content = model.read_bytes()
        self._originals = originals
        self._model = onnx.load_from_string(self._content)
        self._nodes = list(self._model.graph.node)
        self._maker = {name: node for node in self._nodes for name in node.output}
        self._places = {
            name: place for place, node in enumerate(self._nodes) for name in node.output
        }
        self._readers: dict[str, list[Any]] = {}
        for node in self._nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._initializers = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._shapes = _shapes(self._model)
        origin = onnx.load(source)
        self._removed = _removed_activations(origin, self._maker)
        self._known = {tensor.name: tensor for tensor in origin.graph.initializer}
        found = [
            self._described(place, node)
            for place, node in enumerate(self._nodes)
            if self._is_mixable(node)
        ]
        layers, self._layer_of = grouped(found)
        self.layers = tuple(layers)
        self._real: dict[int, dict[str, Array]] = {}

    def write(self, kept: Iterable[int], folder: Path) -> None:
        chosen = set(kept)
        places = {place: layer for place, layer in self._layer_of.items() if layer in chosen}
        if not places:
            (folder / MODEL_FILE).write_bytes(self._content)
            return
        constants = {place: self._constants(layer) for place, layer in places.items()}
        model = _Rewrite(self._content, constants, self._shapes, self._removed).model
        onnx_file.save(model, folder / MODEL_FILE)

    def _described(self, place: int, node: Any) -> Operator:
        kernel = node.op_type in _KERNELS
        return Operator(
            place=place,
            name=node.output[0].removesuffix(":0"),
            op=node.op_type,
            multiply_adds=self._multiply_adds(node) if kernel else 0,
            kernel=kernel,
            sources=tuple(self._origins(node)),
        )

    def _is_mixable(self, node: Any) -> bool:
        """Whether it takes and gives what is 8 bits wide."""
        if node.op_type in (_Q, _DQ) or any(
            attribute.HasField("g") for attribute in node.attribute
        ):
            return False
        makers = [self._maker[name] for name in node.input if name in self._maker]
        return any(maker.op_type == _DQ for maker in makers) and any(
            reader.op_type == _Q for name in node.output for reader in self._readers.get(name, ())
        )

    def _origins(self, node: Any) -> Iterable[int]:
        """Places of the operators behind its inputs, seen through pairs of Q and DQ."""
        for name in node.input:
            source = name
            while source in self._maker and self._maker[source].op_type in (_Q, _DQ):
                source = self._maker[source].input[0]
            if source in self._places:
                yield self._places[source]

    def _multiply_adds(self, node: Any) -> int:
        given = math.prod(self._shapes.get(node.output[0], (0,)))
        second = self._shapes.get(node.input[1], ())
        if node.op_type == "ConvTranspose":
            return math.prod(self._shapes.get(node.input[0], (0,))) * math.prod(second[1:])
        if node.op_type == "Conv":
            return given * math.prod(second[1:])
        left = self._shapes.get(node.input[0], (0,))
        turned = any(a.name == "transA" and a.i for a in node.attribute)
        return given * left[-2 if turned else -1]

    def _constants(self, layer: int) -> dict[str, Array]:
        """Input name → its float values, of a layer's constants; the originals' where known."""
        from onnx import numpy_helper

        if layer not in self._real:
            found: dict[str, Constant] = {}
            for place, of in self._layer_of.items():
                for name in self._nodes[place].input if of == layer else ():
                    maker = self._maker.get(name)
                    if name in self._initializers:
                        value = numpy_helper.to_array(self._initializers[name])
                        if value.dtype.name == "float32":
                            found[name] = Constant(value, value, 0.0)
                    elif maker is not None and (constant := self._dequantized(maker)):
                        found[name] = constant
            real = self._originals.in_place_of(list(found.values()))
            self._real[layer] = dict(zip(found, real, strict=True))
        return self._real[layer]

    def _dequantized(self, node: Any) -> Constant | None:
        """The constant a DequantizeLinear gives; None where it depends on the input."""
        import numpy as np
        from onnx import numpy_helper

        if node.op_type != _DQ or any(name not in self._initializers for name in node.input):
            return None
        given = [numpy_helper.to_array(self._initializers[name]) for name in node.input]
        codes, scale = given[0], given[1].astype(np.float32)
        zero = given[2] if len(given) > 2 else np.zeros(1)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [1] * codes.ndim
        if scale.size > 1:
            shape[axis] = scale.size
        zero = zero.reshape(shape if zero.size > 1 else [1] * codes.ndim)
        steps = (codes.astype(np.int64) - zero.astype(np.int64)).astype(np.float32)
        real = steps * scale.reshape(shape)
        # Tables and factors of the float file, which conditioning left alone, are in it by name.
        named = self._known.get(node.input[0].removesuffix("_quantized"))
        if named is not None and tuple(named.dims) == real.shape:
            real = numpy_helper.to_array(named).astype(np.float32)
        return Constant(codes, real, float(scale.max()))


class _Rewrite:
    """One mixed model in the making.

    Args:
        content: The plain file.
        kept: Place of each node to keep in float → its constants' float values by input.
        shapes: Of tensors, as far as they are known.
        removed: Tensor → the activation that once gave it, and its constants.
    """

    def __init__(
        self,
        content: bytes,
        kept: Mapping[int, Mapping[str, Array]],
        shapes: Mapping[str, tuple[int, ...]],
        removed: Mapping[str, tuple[Any, list[Any]]],
    ) -> None:
        import onnx

        self.model = onnx.load_from_string(content)
        self._graph = self.model.graph
        self._shapes = shapes
        nodes = list(self._graph.node)
        self._maker = {name: node for node in nodes for name in node.output}
        kinds = (_Q, _DQ)
        self._in_8_bits = {
            name
            for place, node in enumerate(nodes)
            if place not in kept and node.op_type not in kinds and self._takes_8_bits(node)
            for name in node.output
        }
        self._nodes: list[Any] = []
        self._spread: dict[str, str] = {}
        for place, node in enumerate(nodes):
            if place in kept:
                self._keep(node, kept[place], removed)
            else:
                self._nodes.append(node)
        self._straighten()
        self._drop_unread()

    def _takes_8_bits(self, node: Any) -> bool:
        return any(n in self._maker and self._maker[n].op_type == _DQ for n in node.input)

    def _keep(
        self,
        node: Any,
        constants: Mapping[str, Array],
        removed: Mapping[str, tuple[Any, list[Any]]],
    ) -> None:
        for at, name in enumerate(node.input):
            if name in constants:
                node.input[at] = self._constant(f"{node.output[0]}/float_{at}", constants[name])
            else:
                node.input[at] = self._read(name, at, node)
        self._nodes.append(node)
        given = node.output[0]
        if given in removed:
            from onnx import helper

            activation, values = removed[given]
            node.output[0] = f"{given}/linear"
            names = [self._constant(f"{given}/limit_{at}", v) for at, v in enumerate(values)]
            inputs = [node.output[0], *names]
            name = f"{activation.name}/float"
            self._nodes.append(helper.make_node(activation.op_type, inputs, [given], name))

    def _read(self, name: str, at: int, node: Any) -> str:
        """The name under which a kept node gets what it took."""
        last = self._maker.get(name)
        if last is None or last.op_type != _DQ:
            return name
        first = self._maker.get(last.input[0])
        if first is not None and first.op_type == _Q and first.input[0] not in self._in_8_bits:
            return str(first.input[0])
        if at == 0 and node.op_type in _QUANTIZED_ANEW:
            return self._spread_scale(last)
        return name

    def _spread_scale(self, last: Any) -> str:
        """The output of a DequantizeLinear like this one, with a scale for each channel."""
        import numpy as np
        from onnx import helper, numpy_helper

        given = last.output[0]
        shape = self._shapes.get(given, ())
        axis = next((a for a in (1, *range(2, len(shape))) if a < len(shape) and shape[a] > 1), 0)
        if given not in self._spread and axis:
            known = {tensor.name: tensor for tensor in self._graph.initializer}
            names = []
            for kind, source in zip(("scale", "zero_point"), last.input[1:], strict=True):
                value = numpy_helper.to_array(known[source]).reshape(-1)
                if value.size != 1:
                    return str(given)
                names.append(self._constant(f"{given}/{kind}", np.repeat(value, shape[axis])))
            new = f"{given}/spread"
            inputs = [last.input[0], *names]
            self._nodes.append(
                helper.make_node(_DQ, inputs, [new], f"{last.name}/spread", axis=axis)
            )
            self._spread[given] = new
        return self._spread.get(given, str(given))

    def _constant(self, name: str, value: Array) -> str:
        import numpy as np
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _straighten(self) -> None:
        """Let a kept node give the model's output itself, not by way of 8 bits."""
        for value in self._graph.output:
            last = self._maker.get(value.name)
            first = self._maker.get(last.input[0]) if last and last.op_type == _DQ else None
            if first is None or first.op_type != _Q or first.input[0] in self._in_8_bits:
                continue
            old = first.input[0]
            if old not in {name for node in self._nodes for name in node.output}:
                continue
            self._nodes = [node for node in self._nodes if node is not last]
            for node in self._nodes:
                for field in (node.input, node.output):
                    field[:] = [value.name if name == old else name for name in field]

    def _drop_unread(self) -> None:
        needed = {value.name for value in self._graph.output}
        nodes = []
        for node in reversed(self._nodes):
            if needed & set(node.output):
                needed |= set(node.input)
                nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(reversed(nodes))
        initializers = [t for t in self._graph.initializer if t.name in needed]
        del self._graph.initializer[:]
        self._graph.initializer.extend(initializers)
        given = {name for node in nodes for name in node.output}
        values = [value for value in self._graph.value_info if value.name in given]
        del self._graph.value_info[:]
        self._graph.value_info.extend(values)
        onnx_file.sort_nodes(self.model)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        axes = value.type.tensor_type.shape.dim
        found[value.name] = tuple(axis.dim_value for axis in axes)
    return found


def _removed_activations(
    source: Any, maker: Mapping[str, Any]
) -> dict[str, tuple[Any, list[Array]]]:
    """Tensors that an activation gives in the float file, and another operator now."""
    from onnx import numpy_helper

    known = {tensor.name: tensor for tensor in source.graph.initializer}
    return {
        node.output[0]: (node, [numpy_helper.to_array(known[name]) for name in node.input[1:]])
        for node in source.graph.node
        if node.op_type in _ACTIVATIONS
        and node.output[0] in maker
        and maker[node.output[0]].op_type != node.op_type
        and all(name in known for name in node.input[1:])
    }
