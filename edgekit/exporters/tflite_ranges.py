"""Ranges of a calibrated float `.tflite`, observed by edgekit and written over the calibrator's.

TensorFlow's calibrator (2.21) notes wrong ranges for some tensors: a ReLU6 gets the range of the
product before it, a sum's operand that of the sum. What the interpreter holds with all tensors
preserved is right. Works on bytes; does not quantize.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgekit.exporters.tflite_file import dtype_name, pack, unpack
from edgekit.ranges.audit import Audit
from edgekit.ranges.limits import MINMAX
from edgekit.ranges.observing import Limits, Observations

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Samples that the calibrator has to see: its ranges are replaced, and compared over these.
PLACEHOLDER_SAMPLES = 2

_REPAIRED = 0.01  # of the right span: a smaller difference is none


def with_placeholders(content: bytes) -> bytes:
    """A float file that no calibrator has seen, with room for ranges in every float tensor."""
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content)
    main = model.subgraphs[0]
    made = {int(index) for operator in main.operators for index in operator.outputs}
    for index in made | {int(index) for index in main.inputs}:
        if dtype_name(main.tensors[index].type) == "float32":
            grid = schema.QuantizationParametersT()
            grid.min, grid.max = [0.0], [0.0]
            main.tensors[index].quantization = grid
    return pack(model)


def with_ranges(
    content: bytes, samples: Sequence[Array], method: str, *, calibrated: bool = True
) -> tuple[bytes, Audit]:
    """The same file with edgekit's ranges, and how far they can be trusted.

    Args:
        content: A float model whose tensors have ranges.
        samples: For each input, in the file's order, [N, *shape] of any dtype that converts to it.
        method: One of `edgekit.ranges.limits.METHODS`.
        calibrated: Whether its ranges are TensorFlow's, over the first `PLACEHOLDER_SAMPLES` of the
            samples, so that the audit says which of them were wrong.
    """
    model = unpack(content)
    main = model.subgraphs[0]
    wanted = [i for i, tensor in enumerate(main.tensors) if _limits(tensor) is not None]
    seen, first = _observe(content, samples, wanted)
    exact = {int(index) for index in (*main.inputs, *main.outputs)}
    right = first.limits(MINMAX)
    off = [_difference(_limits(main.tensors[i]), right[i]) for i in wanted if i in right]
    for index, found in seen.limits(method, exact).items():
        grid = main.tensors[index].quantization
        grid.min, grid.max = [found[0]], [found[1]]
    if not calibrated:
        return pack(model), seen.audit(method, wanted, exact)
    audit = replace(
        seen.audit(method, wanted, exact),
        repaired=sum(size > _REPAIRED for size in off),
        largest_repair=max(off, default=0.0),
    )
    return pack(model), audit


def _observe(
    content: bytes, samples: Sequence[Array], wanted: Sequence[int]
) -> tuple[Observations, Observations]:
    """What tensors hold for all samples, and for those that the calibrator saw."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # A delegate would compute whole partitions and leave nothing to read between.
    interpreter = Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()
    views = [(index, interpreter.tensor(index)) for index in wanted]
    seen = Observations(len(samples[0]))
    first = Observations(min(PLACEHOLDER_SAMPLES, seen.samples))
    for place, row in enumerate(zip(*samples, strict=True)):
        for entry, value in zip(taken, row, strict=True):
            interpreter.set_tensor(entry["index"], np.asarray(value, entry["dtype"])[None])
        interpreter.invoke()
        for index, view in views:
            rows = view()[None]
            seen.add(index, rows, place)
            if place < first.samples:
                first.add(index, rows, place)
            del rows  # invoke() refuses to run while somebody looks at a tensor
    return seen, first


def _limits(tensor: Any) -> Limits | None:
    grid = tensor.quantization
    if grid is None or grid.min is None or not len(grid.min):
        return None
    return float(grid.min[0]), float(grid.max[0])


def _difference(found: Limits | None, right: Limits) -> float:
    """How far two ranges lie apart, in spans of the right one; both are taken to contain 0."""
    assert found is not None
    low, high = min(found[0], 0.0), max(found[1], 0.0)
    span = right[1] - right[0]
    apart = max(abs(low - right[0]), abs(high - right[1]))
    return apart / span if span > 0 else float(apart > 0)
