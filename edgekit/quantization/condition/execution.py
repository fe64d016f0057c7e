"""Execute single nodes of a frozen graph, traced for one sample, on many samples at once.

Knows TensorFlow's eager operators. Does not know what a node is for.

A tensor of many samples holds them one behind the other on its first axis. Most nodes keep that;
which of them do is found out by trying: a node that gives something else for two samples together
than for each alone is executed sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.errors import ConversionError


def execute(node: Any, inputs: Sequence[Any]) -> list[Any]:
    """Run one node.

    Args:
        node: A `NodeDef`.
        inputs: Tensors or arrays, in the node's order.

    Returns:
        Its outputs, as tensors.

    Raises:
        ConversionError: TensorFlow refuses it.
    """
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.eager import context
    from tensorflow.python.eager import execute as eager

    if node.op == "Const":
        return [tf.make_ndarray(node.attr["value"].tensor)]
    if node.op in ("Identity", "StopGradient", "PreventGradient", "Snapshot"):
        return [inputs[0]]
    tensors = [tf.constant(v) if isinstance(v, (np.ndarray, np.generic)) else v for v in inputs]
    attributes, outputs = _attributes(node)
    try:
        given = eager.execute(
            node.op.encode(), outputs, tensors, attributes, context.context(), node.name
        )
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConversionError(f"conditioning: {node.op} {node.name}: {reason[:300]}") from error
    return [given] if tf.is_tensor(given) else list(given or [])


def register_functions(functions: Sequence[Any]) -> None:
    """Make the bodies of loops and branches known, so that `execute` can run the nodes."""
    from tensorflow.python.eager import context

    for function in functions:
        if not context.context().has_function(function.signature.name):
            context.context().add_function_def(function)


@dataclass(frozen=True, slots=True)
class Samples:
    """A tensor that has to be kept sample by sample: what it is has no axis for them."""

    parts: tuple[Any, ...]


class Executor:
    """Runs nodes on many samples.

    Args:
        constant: Value of a tensor that depends on no input, else None.
    """

    def __init__(self, constant: Any) -> None:
        self._constant = constant
        self._together: dict[str, bool] = {}

    def probe(self, node: Any, first: Sequence[Any], second: Sequence[Any]) -> list[list[Any]]:
        """Run a node on two samples each alone, and note whether it can run on both together.

        Args:
            node: The node.
            first: Its inputs for one sample; for constants the constant.
            second: Its inputs for another.

        Returns:
            Its outputs for the first and for the second.
        """
        alone = [execute(node, first), execute(node, second)]
        self._together[node.name] = self._agrees(node, first, second, alone)
        return alone

    def run(self, node: Any, inputs: Sequence[Any], count: int) -> list[Any]:
        """Run a node on `count` samples."""
        if self._together[node.name] and not any(isinstance(v, Samples) for v in inputs):
            return execute(node, self._widened(node, inputs, count))
        varying = [self._constant(name) is None for name in node.input]
        split = [
            _split(value, count) if varies else [value] * count
            for value, varies in zip(inputs, varying, strict=True)
        ]
        rows = [execute(node, row) for row in zip(*split, strict=True)]
        return [_join(column) for column in zip(*rows, strict=True)]

    def _agrees(
        self, node: Any, first: Sequence[Any], second: Sequence[Any], alone: list[list[Any]]
    ) -> bool:
        joined = []
        for name, a, b in zip(node.input, first, second, strict=True):
            value = a if self._constant(name) is not None else _join((a, b))
            if isinstance(value, Samples):
                return False
            joined.append(value)
        wanted = [_join(pair) for pair in zip(*alone, strict=True)]
        if any(isinstance(value, Samples) for value in wanted):
            return False
        try:
            given = execute(node, self._widened(node, joined, 2))
        except ConversionError:
            return False
        return all(_close(a, b) for a, b in zip(given, wanted, strict=True))

    def _widened(self, node: Any, inputs: Sequence[Any], count: int) -> list[Any]:
        """A reshape for one sample made one for many."""
        import numpy as np

        values = list(inputs)
        if node.op == "Reshape":
            shape = self._constant(node.input[1])
            if shape is not None and shape.size and shape.flat[0] > 0:
                values[1] = np.concatenate([shape[:1] * count, shape[1:]]).astype(shape.dtype)
        return values


def _split(value: Any, count: int) -> list[Any]:
    import tensorflow as tf

    if isinstance(value, Samples):
        return list(value.parts)
    return tf.split(value, count) if count > 1 else [value]


def _join(parts: Sequence[Any]) -> Any:
    import tensorflow as tf

    shapes = {tuple(part.shape) for part in parts}
    if len(shapes) > 1 or shapes == {()}:
        return Samples(tuple(parts))
    return tf.concat(parts, 0) if len(parts) > 1 else parts[0]


def _close(a: Any, b: Any) -> bool:
    import numpy as np

    left, right = np.asarray(a), np.asarray(b)
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype.kind != "f":
        return bool((left == right).all())
    size = float(np.abs(right[np.isfinite(right)]).max(initial=0.0))
    return np.allclose(left, right, rtol=1e-4, atol=1e-5 * size + 1e-30, equal_nan=True)


def _attributes(node: Any) -> tuple[tuple[Any, ...], int]:
    """Attributes as the eager executor takes them, and the number of outputs."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        raise ConversionError(f"conditioning: unknown operator {node.op} ({node.name})")
    values: dict[str, Any] = {}
    for entry in definition.attr:
        if entry.name in node.attr:
            values[entry.name] = _attribute(node.attr[entry.name])
        elif entry.HasField("default_value"):
            values[entry.name] = _attribute(entry.default_value)
    outputs = 0
    for argument in definition.output_arg:
        if argument.number_attr:
            outputs += values[argument.number_attr]
        elif argument.type_list_attr:
            outputs += len(values[argument.type_list_attr])
        else:
            outputs += 1
    return tuple(part for item in values.items() for part in item), outputs


def _attribute(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        for name in ("s", "i", "f", "b", "type", "shape", "tensor", "func"):
            if items := list(getattr(value.list, name)):
                return [_plain(name, item) for item in items]
        return []
    return _plain(kind, getattr(value, kind))


def _plain(kind: str, value: Any) -> Any:
    if kind == "func":
        return value.name.encode()
    if kind == "shape":
        return None if value.unknown_rank else [axis.size for axis in value.dim]
    return value
