"""Static quantization of a prepared float ONNX model with ranges that edgekit observed.

ONNX Runtime's `quantize_static` calibrates and quantizes; this does the first itself and lets its
quantizer do the second.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters.onnx_file import stacks
from edgekit.ranges.audit import Audit
from edgekit.ranges.observing import Limits, Observations

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_ERRORS_ONLY = 3
_FLOAT = "tensor(float)"


def quantize_with_ranges(file: Path, name: str, samples: Array, method: str) -> tuple[Any, Audit]:
    """The quantized `ModelProto`, and how far its ranges can be trusted.

    Unsigned activations with signed weights: the instruction every x86 with VNNI has, a third
    faster than signed with signed, and the same accuracy (docs/export.md).

    Args:
        file: The prepared float model.
        name: Its only input.
        samples: [N, *shape] of that input's dtype.
        method: One of `edgekit.ranges.limits.METHODS`.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    model = load_model_with_shape_infer(file)
    graph = model.graph
    exact = {entry.name for entry in (*graph.input, *graph.output)}
    kinds = sorted({*QLinearOpsRegistry, *QDQRegistry})
    wanted = {
        tensor
        for node in graph.node
        if node.op_type in kinds
        for tensor in (*node.input, *node.output)
        if tensor
    } - {entry.name for entry in graph.initializer}
    seen = _observe(model, name, samples, wanted)
    found = {tensor: _pair(pair) for tensor, pair in seen.limits(method, exact).items()}
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, found),
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=kinds,
        extra_options={"TensorQuantOverrides": {c: [{}] for c in stacks(model).values()}},
    )
    quantizer.quantize_model()
    made = quantizer.model.model
    stored = {node.input[0] for node in made.graph.node if node.op_type == "QuantizeLinear"}
    return made, seen.audit(method, sorted(stored & set(found)), exact)


def _pair(limits: Limits) -> tuple[Any, Any]:
    import numpy as np

    return np.float32(limits[0]), np.float32(limits[1])


def _observe(model: Any, name: str, samples: Array, wanted: set[str]) -> Observations:
    """What the float model's tensors hold."""
    import numpy as np
    import onnxruntime
    from onnx import ValueInfoProto

    extended = type(model)()
    extended.CopyFrom(model)
    given = {entry.name for entry in model.graph.output}
    taken = {entry.name for entry in model.graph.input}
    extended.graph.output.extend(
        ValueInfoProto(name=tensor) for tensor in sorted(wanted - given - taken)
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(
        extended.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    chosen = [o.name for o in session.get_outputs() if o.type == _FLOAT and o.name in wanted]
    is_float = samples.dtype == np.float32
    seen = Observations(len(samples))
    if not chosen:  # an empty list would ask for all outputs
        return seen
    for place in range(len(samples)):
        row = np.asarray(samples[place])[None]
        for tensor, value in zip(chosen, session.run(chosen, {name: row}), strict=True):
            seen.add(tensor, value[None], place)
        if is_float and name in wanted:
            seen.add(name, row, place)
    return seen
