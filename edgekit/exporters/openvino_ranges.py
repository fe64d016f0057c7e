"""Ranges of an OpenVINO model's activation FakeQuantize nodes, observed by edgekit.

NNCF decides where a model is quantized, and how its weights are; its ranges of activations are
means over samples of each one's extremes, clip what lies beyond, and are narrower still where each
channel has its own. Here they are replaced. Weights stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.ranges.audit import Audit
from edgekit.ranges.limits import MINMAX, STEPS, limits
from edgekit.ranges.observing import Limits, Observations

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_FAKE = "FakeQuantize"
_UP, _DOWN = 127, 128  # steps of a signed grid
_Key = tuple[str, int]  # a node's name and the place of one of its outputs


@dataclass(frozen=True, slots=True)
class _Point:
    """A FakeQuantize of an activation.

    Attributes:
        node: In the quantized model.
        key: What it quantizes, in the float model.
        bounds: The range NNCF gave it, as bytes of both ends.
        symmetric: Whether that lies around 0.
    """

    node: Any
    key: _Key
    bounds: bytes
    symmetric: bool


def set_ranges(quantized: Any, original: Any, name: str, samples: Array, method: str) -> Audit:
    """Give a quantized model's activations edgekit's ranges, in place.

    Args:
        quantized: What NNCF made.
        original: The float model it was made from; not changed.
        name: Its only input.
        samples: [N, *shape] of that input's dtype.
        method: One of `edgekit.ranges.limits.METHODS`.

    Returns:
        How far the ranges can be trusted.
    """
    model = original.clone()
    points, exact = _points(quantized, model)
    keys = sorted({point.key for point in points})
    seen = _observe(model, keys, name, samples)
    wholes = {key: seen.whole(key) for key in keys}
    # Equal bounds mark what NNCF wants on one grid: the operands of a concatenation.
    together: dict[bytes, list[_Point]] = {}
    for point in points:
        together.setdefault(point.bounds, []).append(point)
    for group in together.values():
        found = [
            limits(wholes[key], MINMAX if key in exact else method)
            for key in {point.key for point in group}
        ]
        low, high = min(pair[0] for pair in found), max(pair[1] for pair in found)
        if high > low:  # else nothing but zeros was seen: any grid will do
            for point in group:
                _set_bounds(point.node, _grid(low, high, symmetric=point.symmetric))
    quantized.validate_nodes_and_infer_types()
    return seen.audit(method, keys, exact)


def _points(quantized: Any, model: Any) -> tuple[list[_Point], set[_Key]]:
    """The activations' FakeQuantize nodes; and which of their tensors the model takes or gives."""
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    ends = {node.get_friendly_name() for node in model.get_parameters()}
    ends |= {r.input_value(0).get_node().get_friendly_name() for r in model.get_results()}
    found = []
    for node in quantized.get_ordered_ops():
        if node.get_type_name() != _FAKE or _is_constant(node.input_value(0)):
            continue
        source = node.input_value(0)
        name = source.get_node().get_friendly_name()
        low, high = _values(node.input_value(1)), _values(node.input_value(2))
        if name not in nodes or low is None or high is None:
            continue  # something that NNCF made itself
        # NNCF's signed grids reach one step further down than up.
        symmetric = bool((low < 0).all() and (abs(low * _UP / _DOWN + high) <= 1e-3 * high).all())
        found.append(
            _Point(node, (name, source.get_index()), low.tobytes() + high.tobytes(), symmetric)
        )
    return found, {point.key for point in found if point.key[0] in ends}


def _is_constant(port: Any) -> bool:
    """Whether a port's value depends on no input: a weight, stored in whatever way."""
    node = port.get_node()
    kind = node.get_type_name()
    if kind in ("Convert", "Multiply", "Subtract", "Reshape", "Transpose"):
        return all(_is_constant(node.input_value(i)) for i in range(node.get_input_size()))
    return bool(kind == "Constant")


def _values(port: Any) -> Array | None:
    import numpy as np

    node = port.get_node()
    return np.asarray(node.get_data()) if node.get_type_name() == "Constant" else None


def _grid(low: float, high: float, *, symmetric: bool) -> Limits:
    """The grid of 256 steps that covers the limits and holds 0 exactly."""
    if low == 0 or high == 0:
        return low, high
    if symmetric:
        end = max(high, -low * _UP / _DOWN)
        return -end * _DOWN / _UP, end
    step = (high - low) / STEPS
    zero = round(-low / step)
    return -zero * step, (STEPS - zero) * step


def _set_bounds(node: Any, bounds: Limits) -> None:
    import numpy as np
    from openvino import opset13 as ops

    for place, value in zip(range(1, 5), bounds * 2, strict=True):
        old = node.input_value(place)
        shape = [axis.get_length() for axis in old.get_partial_shape()]
        new = ops.constant(np.full(shape, value, np.float32))
        new.set_friendly_name(old.get_node().get_friendly_name())
        node.input(place).replace_source_output(new.output(0))


def _observe(model: Any, keys: list[_Key], name: str, samples: Array) -> Observations:
    """What the float model's tensors hold."""
    import numpy as np
    import openvino
    from openvino import opset13 as ops

    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    given = len(model.outputs)
    model.add_results([ops.result(nodes[node].output(place)) for node, place in keys])
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    request = compiled.create_infer_request()
    seen = Observations(len(samples))
    for place in range(len(samples)):
        request.infer({name: np.asarray(samples[place])[None]})
        for number, key in enumerate(keys, given):
            value = request.get_output_tensor(number).data
            seen.add(key, np.asarray(value, np.float32)[None], place)
    return seen
