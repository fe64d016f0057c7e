"""Static quantization of a prepared float ONNX model with ranges that edgekit observed.

ONNX Runtime's `quantize_static` calibrates and quantizes; this does the first itself and lets its
quantizer do the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.exporters.onnx_file import stacks
from edgekit.ranges.audit import Audit
from edgekit.ranges.observing import Limits, Observations
from edgekit.samples import count_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_ERRORS_ONLY = 3
_FLOAT = "tensor(float)"


def quantize_with_ranges(
    file: Path, samples: Mapping[str, Array], method: str
) -> tuple[Any, Audit]:
    """The quantized `ModelProto`, and how far its ranges can be trusted.

    Unsigned activations with signed weights: the instruction every x86 with VNNI has, a third
    faster than signed with signed, and the same accuracy (docs/export.md).

    Args:
        file: The prepared float model.
        samples: Input → [N, *shape] of its dtype.
        method: One of `edgekit.ranges.limits.METHODS`.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    model = _with_flat_biases(load_model_with_shape_infer(file))
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
    seen = _observe(model, samples, wanted)
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


def _with_flat_biases(model: Any) -> Any:
    """The model with vectors as biases of matrix products; one whose rows differ is added instead.

    ONNX Runtime's quantizer (1.31) takes one number a column from the bias of a Gemm, and fails at
    one with rows: what is left where the first step of a loop has been computed in advance.
    """
    import numpy as np
    from onnx import helper, numpy_helper, shape_inference

    stored = {entry.name: entry for entry in model.graph.initializer}
    nodes, made = [], {}
    for node in model.graph.node:
        nodes.append(node)
        bias = stored.get(node.input[2]) if node.op_type == "Gemm" and node.input[2:] else None
        if bias is None or len(bias.dims) < 2:
            continue
        values, given = numpy_helper.to_array(bias), node.output[0]
        name = f"{given}_bias"
        if (values == values[:1]).all():
            made[name] = np.ascontiguousarray(values[0])
            node.input[2] = name
        else:
            beta = next((one.f for one in node.attribute if one.name == "beta"), 1.0)
            made[name] = values * values.dtype.type(beta)
            del node.input[2]
            node.output[0] = f"{given}_without_bias"
            nodes.append(helper.make_node("Add", [node.output[0], name], [given], name=name))
    if not made:
        return model
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [entry for name, entry in stored.items() if name in used]
    kept += [numpy_helper.from_array(values, name) for name, values in made.items()]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return shape_inference.infer_shapes(model)


def _pair(limits: Limits) -> tuple[Any, Any]:
    import numpy as np

    return np.float32(limits[0]), np.float32(limits[1])


def _observe(model: Any, samples: Mapping[str, Array], wanted: set[str]) -> Observations:
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
    # An optimized graph may not take an input that nothing reads.
    names = {entry.name for entry in session.get_inputs()}
    floats = [n for n, rows in samples.items() if rows.dtype == np.float32 and n in wanted]
    seen = Observations(count_of(samples))
    if not chosen:  # an empty list would ask for all outputs
        return seen
    for place in range(seen.samples):
        row = {name: np.asarray(rows[place])[None] for name, rows in samples.items()}
        given = session.run(chosen, {name: row[name] for name in names})
        for tensor, value in zip(chosen, given, strict=True):
            seen.add(tensor, value[None], place)
        for name in floats:
            seen.add(name, row[name], place)
    return seen
