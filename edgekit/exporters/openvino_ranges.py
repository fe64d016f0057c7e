"""Ranges of an OpenVINO model's activation FakeQuantize nodes, observed by edgekit.

NNCF decides where a model is quantized, how its weights are, and which activations get a range for
each channel (those before depthwise convolutions). Its ranges are means over samples of each one's
extremes, and clip what lies beyond. Here they are replaced. Weights stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.ranges.audit import Audit
from edgekit.ranges.limits import MINMAX, STEPS, limits
from edgekit.ranges.observing import Limits, Observations
from edgekit.samples import count_of

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
        shape: Of both ends; one value for the tensor, or one for each channel.
        symmetric: Whether that lies around 0.
    """

    node: Any
    key: _Key
    bounds: bytes
    shape: tuple[int, ...]
    symmetric: bool

    @property
    def by_channel(self) -> bool:
        """Inputs of depthwise convolutions: each channel has a range of its own."""
        return math.prod(self.shape) > 1


def set_ranges(quantized: Any, original: Any, samples: Mapping[str, Array], method: str) -> Audit:
    """Give a quantized model's activations edgekit's ranges, in place.

    Args:
        quantized: What NNCF made.
        original: The float model it was made from; not changed.
        samples: Input → [N, *shape] of its dtype.
        method: One of `edgekit.ranges.limits.METHODS`.

    Returns:
        How far the ranges can be trusted.
    """
    model = original.clone()
    points, exact = _points(quantized, model)
    keys = sorted({point.key for point in points})
    channels = {p.key: _Channels(p.shape) for p in points if p.by_channel}
    seen = _observe(model, keys, samples, channels)
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
                pairs = [(low, high)]
                if point.by_channel:
                    pairs = channels[point.key].limits(low, high)
                _set_bounds(point, [_grid(*pair, symmetric=point.symmetric) for pair in pairs])
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
        bounds = low.tobytes() + high.tobytes()
        found.append(_Point(node, (name, source.get_index()), bounds, low.shape, symmetric))
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


def _set_bounds(point: _Point, pairs: Sequence[Limits]) -> None:
    import numpy as np
    from openvino import opset13 as ops

    for place in range(1, 5):
        old = point.node.input_value(place).get_node()
        ends = [pair[(place - 1) % 2] for pair in pairs]
        new = ops.constant(np.reshape(np.array(ends, np.float32), point.shape))
        new.set_friendly_name(old.get_friendly_name())
        point.node.input(place).replace_source_output(new.output(0))


class _Channels:
    """Extremes of a tensor's channels.

    Args:
        shape: That of a range with one value for each channel, e.g. [1, C, 1, 1].
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._others = tuple(axis for axis, size in enumerate(shape) if size == 1)
        self._low: Array | float = 0.0
        self._high: Array | float = 0.0

    def add(self, value: Array) -> None:
        import numpy as np

        self._low = np.minimum(self._low, value.min(axis=self._others))
        self._high = np.maximum(self._high, value.max(axis=self._others))

    def limits(self, low: float, high: float) -> list[Limits]:
        """Each channel's extremes within the tensor's limits; those where it was always 0."""
        import numpy as np

        pairs = zip(np.ravel(self._low).tolist(), np.ravel(self._high).tolist(), strict=True)
        return [(max(a, low), min(b, high)) if b > a else (low, high) for a, b in pairs]


def _observe(
    model: Any,
    keys: list[_Key],
    samples: Mapping[str, Array],
    channels: Mapping[_Key, _Channels],
) -> Observations:
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
    seen = Observations(count_of(samples))
    for place in range(seen.samples):
        request.infer({name: np.asarray(rows[place])[None] for name, rows in samples.items()})
        for number, key in enumerate(keys, given):
            value = np.asarray(request.get_output_tensor(number).data, np.float32)
            seen.add(key, value[None], place)
            if key in channels:
                channels[key].add(value)
    return seen
