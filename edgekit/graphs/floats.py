"""What of an int8 file is computed in float, read from its graph.

An operator is in 8 bits where all it is fed was quantized, be it that tensors are integers (TFLite,
which computes in float whatever a DEQUANTIZE gives) or that they come from a DequantizeLinear or
FakeQuantize right before it (ONNX, OpenVINO). What a runtime fuses with it (a bias, an activation)
goes with it. Knows graphs. Runs nothing: whether a runtime has an 8-bit kernel for what the file
offers is placement's question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.graphs.graph import Graph, Node

_BORDERS = ("QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "FakeQuantize")
_UNPACKED = "DEQUANTIZE"
# They move values; what they are fed is what they give.
_MOVING = {
    "reshape", "transpose", "squeeze", "unsqueeze", "flatten", "slice", "stridedslice", "split",
    "splitv", "variadicsplit", "gather", "identity", "expanddims", "concat", "concatenation",
    "pad", "maxpool", "maxpool2d", "tile", "spacetodepth", "depthtospace", "spacetobatchnd",
    "batchtospacend", "broadcast", "broadcastto", "pack", "unpack", "shapeof", "reversev2",
    "gathernd",
}  # fmt: skip
# One runtime or another computes these as part of the product before them.
_FUSED = {
    "add", "biasadd", "relu", "relu6", "clip", "clamp", "hardsigmoid", "hardswish", "swish",
    "sigmoid", "tanh", "gelu", "elu", "leakyrelu", "prelu", "mul", "multiply", "subtract", "sub",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Floats:
    """Operators of an int8 file that compute in float, by kind.

    Attributes:
        before: Between the file's inputs and the first that are quantized: scaling of pictures.
        inside: Fed by, and feeding, what is in 8 bits: islands.
        after: Behind the last quantized ones.
    """

    before: Mapping[str, int]
    inside: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def wholly(self) -> bool:
        """Whether no multiplication is in float, nor anything between quantized operators."""
        return not self.inside

    def to_json(self) -> dict[str, dict[str, int]]:
        return {"before": dict(self.before), "inside": dict(self.inside), "after": dict(self.after)}


def floats(graph: Graph) -> Floats:
    """What of a file is computed in float. Of a float file: everything."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    readers: Counter[str] = Counter(name for node in graph.nodes for name in node.inputs if name)
    narrow: set[str] = set()
    fixed: set[str] = set()
    whole: set[int] = set()
    in_float: list[Node] = []
    for node in graph.nodes:
        fed = [name for name in node.inputs if _is_data(graph, name) and name not in fixed]
        given = [name for name in node.outputs if name in graph.tensors]
        if all(_is_fixed(graph, name) or name in fixed for name in node.inputs if name):
            fixed.update(given)  # weights are unpacked by operators, too
            narrow.update(given)
        elif not any(_is_float(graph, name) for name in given):
            narrow.update(given)  # sizes, places
        elif node.op == _UNPACKED:
            pass  # TFLite computes in float what is fed floats, wherever they come from
        elif node.op in _BORDERS or node.narrowed:
            narrow.update(given)
        elif _kind(node) in _MOVING:
            if all(name in narrow for name in fed):
                narrow.update(given)
        elif all(name in narrow for name in fed) or _is_fused(node, fed, makers, whole, readers):
            whole.add(id(node))
        else:
            in_float.append(node)
    return _placed(graph, in_float)


def _kind(node: Node) -> str:
    return node.op.lower().replace("_", "")


def _is_float(graph: Graph, name: str) -> bool:
    tensor = graph.tensors.get(name)
    return tensor is None or tensor.dtype.startswith(("float", "bfloat", "f16", "f32"))


def _is_fixed(graph: Graph, name: str) -> bool:
    tensor = graph.tensors.get(name)
    return tensor is not None and tensor.constant


def _is_data(graph: Graph, name: str) -> bool:
    """Whether an input is a float that is not a constant: what decides how it is computed."""
    return bool(name) and _is_float(graph, name) and not _is_fixed(graph, name)


def _is_fused(
    node: Node, fed: list[str], makers: Mapping[str, Node], whole: set[int], readers: Counter[str]
) -> bool:
    if len(fed) != 1 or _kind(node) not in _FUSED or readers[fed[0]] != 1:
        return False
    maker = makers.get(fed[0])
    return maker is not None and id(maker) in whole


def _placed(graph: Graph, in_float: list[Node]) -> Floats:
    """Floats by where they stand: behind something quantized or not, before something or not."""
    behind: set[str] = set()
    for node in graph.nodes:
        if node.op in _BORDERS or any(name in behind for name in node.inputs):
            behind.update(node.outputs)
    ahead: set[str] = set()
    for node in reversed(graph.nodes):
        if _quantizes(node) or any(name in ahead for name in node.outputs):
            ahead.update(name for name in node.inputs if _is_data(graph, name))
    before: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for node in in_float:
        follows = any(name in behind for name in node.inputs)
        leads = any(name in ahead for name in node.outputs)
        place = inside if follows == leads or node.macs else after if follows else before
        place[node.op] += 1
    return Floats(dict(before), dict(inside), dict(after))


def _quantizes(node: Node) -> bool:
    return node.op in ("QUANTIZE", "QuantizeLinear", "FakeQuantize")
