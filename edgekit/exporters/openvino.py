"""OpenVINO files from the float ONNX file; int8 by NNCF. No TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from edgekit.errors import ConversionError
from edgekit.exporters.base import (
    LOOPS,
    Conversion,
    Exporter,
    FileGraph,
    calibration_arrays,
    wanted_io_dtype,
)
from edgekit.exporters.metadata.facts import Facts
from edgekit.exporters.metadata.openvino import add_metadata
from edgekit.exporters.openvino_ranges import set_ranges
from edgekit.ranges.audit import Audit
from edgekit.samples import count_of
from edgekit.tensor import TensorInfo, affine_grid

_Grids = dict[str, tuple[float, int]]  # input or output → scale and zero point
_SHORT = {"int8": "i8", "uint8": "u8"}
_COUNTED = re.compile(r"[A-Z][A-Za-z]*_\d+")  # names that OpenVINO makes up
_PLACING_SAMPLES = 4  # enough to see where a tensor has a sign
_BLOCK = 32  # values with one step, in 4 bits
_NOTE = "edgekit"  # heading of what edgekit notes in a model


class OpenvinoExporter(Exporter):
    """OpenVINO's format: Intel CPUs, GPUs and NPUs, and Arm CPUs."""

    target: ClassVar[str] = "openvino"
    runtime: ClassVar[str] = "openvino"
    model_file: ClassVar[str] = "model.xml"
    extra: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "dynamic", "int4", "int8")
    packages: ClassVar[tuple[str, ...]] = (
        "tensorflow", "keras", "tf2onnx", "onnx", "openvino", "nncf",
    )  # fmt: skip
    rewritten: ClassVar[tuple[str, ...]] = ("int8",)

    def source(self, precision: str) -> str:
        return "onnx-fp32"

    def _convert(self, conversion: Conversion) -> Audit | None:
        import openvino

        audit = None

        try:
            model = openvino.convert_model(conversion.source / "model.onnx")
        except Exception as error:
            failed = re.findall(r"Conversion is failed for: (.+)", str(error))
            if not failed:
                raise
            names = sorted({name.partition("-")[0].strip() for name in failed[0].split(",")})
            raise ConversionError(
                f"openvino {conversion.precision}: OpenVINO has no counterpart for "
                f"{', '.join(names)}",
                hint=LOOPS if "Loop" in names else "choose another --target",
            ) from error
        _number_by_place(model)  # NNCF builds names of its own on these
        if conversion.precision == "dynamic":
            import nncf

            _quiet(nncf)
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
        elif conversion.precision == "int4":
            model = _int4(model)
        elif conversion.precision == "int8":
            model, audit = _int8(model, conversion)
        # The path of the ONNX file is no property of the model.
        model.set_rt_info("", ["conversion_parameters", "input_model"])
        _number_by_place(model)
        openvino.save_model(
            model,
            conversion.destination / self.model_file,
            compress_to_fp16=conversion.precision == "fp16",
        )
        return audit

    def _describe(self, folder: Path, facts: Facts) -> None:
        import openvino

        file = folder / self.model_file
        outputs = self.inspect(folder).outputs
        weights = file.with_suffix(
            ".bin"
        ).read_bytes()  # a file would be mapped while it is written
        model = openvino.Core().read_model(file.read_bytes(), weights)
        add_metadata(model, facts, outputs)
        openvino.save_model(model, file, compress_to_fp16=False)

    def inspect(self, folder: Path) -> FileGraph:
        import openvino

        model = openvino.Core().read_model(folder / self.model_file)
        ops: Counter[str] = Counter()
        dtypes: Counter[str] = Counter()
        for node in model.get_ordered_ops():
            if node.get_type_name() not in ("Parameter", "Result", "Constant"):
                ops[node.get_type_name()] += 1
            dtypes.update(dtype_name(output.get_element_type()) for output in node.outputs())
        return FileGraph(
            inputs=tuple(_describe(model, port) for port in model.inputs),
            outputs=tuple(_describe(model, port) for port in model.outputs),
            ops=dict(ops),
            dtypes=dict(dtypes),
        )


def _int4(model: Any) -> Any:
    """Matrices in 4 bits, each block with a step of its own; tables and the last one in 8 bits."""
    import nncf

    _quiet(nncf)
    return nncf.compress_weights(
        model,
        mode=nncf.CompressWeightsMode.INT4_SYM,
        group_size=_BLOCK,
        advanced_parameters=nncf.AdvancedCompressionParameters(
            # Matrices whose rows don't make whole blocks.
            group_size_fallback_mode=nncf.GroupSizeFallbackMode.IGNORE
        ),
    )


def _int8(model: Any, conversion: Conversion) -> tuple[Any, Audit]:
    import nncf

    _quiet(nncf)
    samples = calibration_arrays(conversion)
    data = nncf.Dataset(list(range(count_of(samples))), lambda i: _row(samples, i))
    how = nncf.AdvancedQuantizationParameters(
        # By default the first layer's kernels get 7 bits: another grid than in the other targets.
        # Only x86 without VNNI needs that; ONNX Runtime's files don't have it either.
        overflow_fix=nncf.OverflowFix.DISABLE,
        # A conditioned model's biases are right already, and NNCF's ranges are replaced below.
        disable_bias_correction=conversion.conditioned,
    )
    count = _PLACING_SAMPLES if conversion.conditioned else count_of(samples)
    quantized = nncf.quantize(model, data, subset_size=count, advanced_parameters=how)
    audit = set_ranges(quantized, model, samples, conversion.ranges)
    if conversion.io != "native":
        quantized = _with_io(quantized, conversion, samples)
    return quantized, audit


def _row(samples: Mapping[str, Any], index: int) -> dict[str, Any]:
    import numpy as np

    return {name: np.asarray(rows[index])[None] for name, rows in samples.items()}


def _with_io(model: Any, conversion: Conversion, samples: Mapping[str, Any]) -> Any:
    """Give the graph the inputs and outputs that `--io` asks for, and note their grids in it.

    OpenVINO has no quantized tensors at a model's boundary: the grid is arithmetic inside the
    graph, and edgekit's entry in the model's runtime information says what it is.
    """
    grids: _Grids = {}
    integer = conversion.io in _SHORT
    limits = _output_limits(model, samples) if integer else []
    model = _with_inputs(model, conversion, samples, grids)
    for result, bounds in zip(model.get_results(), limits, strict=False):
        _quantize_result(result, bounds, conversion.io, grids)
    model.validate_nodes_and_infer_types()
    for name, (scale, zero) in grids.items():
        model.set_rt_info(repr(scale), [_NOTE, name, "scale"])
        model.set_rt_info(str(zero), [_NOTE, name, "zero_point"])
    return model


def _with_inputs(
    model: Any, conversion: Conversion, samples: Mapping[str, Any], grids: _Grids
) -> Any:
    import openvino
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    types = {"int8": openvino.Type.i8, "uint8": openvino.Type.u8, "float32": openvino.Type.f32}
    for spec in conversion.inputs:
        wanted = wanted_io_dtype(conversion.io, spec.dtype)
        if wanted == spec.dtype or spec.dtype not in types:
            continue
        tensor = steps.input(spec.name)
        tensor.tensor().set_element_type(types[wanted])
        if wanted != "float32":
            exact, rows = spec.dtype in _SHORT, samples[spec.name]
            bounds = spec.range if exact else (float(rows.min()), float(rows.max()))
            scale, zero = grids[spec.name] = affine_grid(bounds, wanted)
            chain = tensor.preprocess().convert_element_type(openvino.Type.f32)
            chain.mean(float(zero)).scale(1.0 / scale).convert_element_type(types[spec.dtype])
    return steps.build()


def _quantize_result(result: Any, bounds: tuple[float, float], io: str, grids: _Grids) -> None:
    import numpy as np
    from openvino import opset13 as ops

    port = result.input_value(0)
    names = port.get_names()
    scale, zero = grids[port.get_any_name()] = affine_grid(bounds, io)
    limits = np.iinfo(io)
    rounded = ops.round(ops.divide(port, np.float32(scale)), "half_to_even")
    shifted = ops.add(rounded, np.float32(zero))
    last = ops.convert(ops.clamp(shifted, float(limits.min), float(limits.max)), _SHORT[io])
    port.set_names(set())
    last.output(0).set_names(names)
    result.input(0).replace_source_output(last.output(0))


def _output_limits(model: Any, samples: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Lowest and highest value of each output over the calibration samples."""
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    request = compiled.create_infer_request()
    limits = [(0.0, 0.0)] * len(compiled.outputs)
    for index in range(count_of(samples)):
        request.infer(_row(samples, index))
        values = [request.get_output_tensor(i).data for i in range(len(limits))]
        limits = [
            (min(low, float(value.min())), max(high, float(value.max())))
            for (low, high), value in zip(limits, values, strict=True)
        ]
    return limits


def _number_by_place(model: Any) -> None:
    """Rename `Convert_228290` and the like: that counter depends on how threads took turns."""
    for place, node in enumerate(model.get_ordered_ops()):
        if _COUNTED.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{node.get_type_name()}_{place}")


def _quiet(nncf: Any) -> None:
    import logging

    nncf.set_log_level(logging.ERROR)


def _describe(model: Any, port: Any) -> TensorInfo:
    # As the runtime says it: an input may have the names of casts that do nothing, too.
    own = port.get_node().get_friendly_name()
    name = own if own in port.get_names() else port.get_any_name()
    grid = [_NOTE, name, "scale"]
    quantized = model.has_rt_info(grid)
    return TensorInfo(
        name=name,
        dtype=dtype_name(port.get_element_type()),
        shape=tuple(
            axis.get_length() if axis.is_static else -1 for axis in _axes(port.get_partial_shape())
        ),
        scale=float(model.get_rt_info(grid).astype(str)) if quantized else None,
        zero_point=int(model.get_rt_info([*grid[:2], "zero_point"]).astype(str))
        if quantized
        else None,
    )


def _axes(shape: Any) -> Iterator[Any]:
    return iter(shape) if shape.rank.is_static else iter(())


def dtype_name(kind: Any) -> str:
    """OpenVINO's name of an element type in numpy's words: `f32` → `float32`."""
    names = {"f16": "float16", "f32": "float32", "f64": "float64", "boolean": "bool"}
    name: str = kind.get_type_name()
    if name in names:
        return names[name]
    if name[0] in "iu" and name[1:].isdigit():
        return f"{'uint' if name[0] == 'u' else 'int'}{name[1:]}"
    return name
