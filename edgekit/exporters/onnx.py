"""ONNX files: float by tf2onnx from the frozen graph, the rest from that by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from edgekit.exporters import onnx_file
from edgekit.exporters.base import (
    KERAS,
    Conversion,
    Exporter,
    FileGraph,
    calibration_arrays,
    wanted_io_dtype,
)
from edgekit.exporters.metadata.facts import Facts
from edgekit.exporters.metadata.onnx import add_metadata
from edgekit.exporters.onnx_int4 import quantize_matrices
from edgekit.exporters.onnx_int16 import quantize_16x8
from edgekit.exporters.onnx_ranges import quantize_with_ranges
from edgekit.ranges.audit import Audit

# The newest that tf2onnx writes without rewriting its own output.
OPSET = 17

# Integer kernels that pay at run time; convolutions would get ConvInteger, ten times slower.
_DYNAMIC_OPS = ["MatMul", "Gemm", "LSTM", "GRU", "Attention"]


class OnnxExporter(Exporter):
    """ONNX Runtime's format: desktops, servers, browsers, phones."""

    target: ClassVar[str] = "onnx"
    runtime: ClassVar[str] = "onnxruntime"
    model_file: ClassVar[str] = "model.onnx"
    extra: ClassVar[str] = "onnx"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "dynamic", "int4", "int8", "16x8")
    packages: ClassVar[tuple[str, ...]] = (
        "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime",
    )  # fmt: skip
    rewritten: ClassVar[tuple[str, ...]] = ("int8",)

    def source(self, precision: str) -> str:
        return KERAS if precision == "fp32" else "onnx-fp32"

    def _convert(self, conversion: Conversion) -> Audit | None:
        audit = None
        source = conversion.source / self.model_file
        if conversion.precision == "fp32":
            from edgekit.exporters.tf_to_onnx import frozen_to_onnx

            model = frozen_to_onnx(conversion.source, OPSET)
        elif conversion.precision == "int8":
            model, audit = _int8(conversion, source)
            onnx_file.sort_nodes(model)
        else:
            steps = {"fp16": _fp16, "dynamic": _dynamic, "int4": _int4, "16x8": _16x8}
            model = steps[conversion.precision](conversion, source)
            onnx_file.sort_nodes(model)
        onnx_file.save(model, conversion.destination / self.model_file)
        return audit

    def _describe(self, folder: Path, facts: Facts) -> None:
        import onnx

        model = onnx.load(folder / self.model_file)
        add_metadata(model, facts, self.inspect(folder).outputs)
        onnx_file.save(model, folder / self.model_file)

    def inspect(self, folder: Path) -> FileGraph:
        return onnx_file.inspect(folder / self.model_file)


def _fp16(_: Conversion, source: Path) -> Any:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    # Inputs and outputs stay float32: an app should not have to know the precision.
    model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    return model


def _dynamic(conversion: Conversion, source: Path) -> Any:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    file = _prepared(conversion, source)
    quantized = conversion.destination / ".dynamic.onnx"
    stacked = list(onnx_file.stacks(onnx.load(file)))

    def quantize(source: Path, *, per_channel: bool, **which: list[str]) -> None:
        quantize_dynamic(
            source,
            quantized,
            op_types_to_quantize=_DYNAMIC_OPS,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            extra_options={"MatMulConstBOnly": True},
            **which,
        )

    quantize(file, per_channel=True, nodes_to_exclude=stacked)
    if stacked:
        quantize(quantized, per_channel=False, nodes_to_quantize=stacked)
    model = onnx.load(quantized)
    _discard(file, quantized)
    onnx_file.quantize_convolution_weights(model)
    return model


def _int8(conversion: Conversion, source: Path) -> tuple[Any, Audit]:
    samples = calibration_arrays(conversion)
    file = _prepared(conversion, source)
    model, audit = quantize_with_ranges(file, samples, conversion.ranges)
    _discard(file)
    _set_io(model, conversion, samples)
    return model, audit


def _int4(_: Conversion, source: Path) -> Any:
    import onnx

    return quantize_matrices(onnx.load(source))


def _16x8(conversion: Conversion, source: Path) -> Any:
    file = _prepared(conversion, source)
    model = quantize_16x8(file, calibration_arrays(conversion))
    _discard(file)
    return model


def _set_io(model: Any, conversion: Conversion, samples: Mapping[str, Any]) -> None:
    """Give the graph the inputs and outputs that `--io` asks for."""
    for spec in conversion.inputs:
        wanted = wanted_io_dtype(conversion.io, spec.dtype)
        if spec.dtype in ("uint8", "int8", "float32") and wanted != spec.dtype:
            exact, rows = spec.dtype in ("uint8", "int8"), samples[spec.name]
            limits = spec.range if exact else (float(rows.min()), float(rows.max()))
            onnx_file.retype_input(model, spec.name, wanted, limits)
    if conversion.io in ("int8", "uint8"):
        onnx_file.quantize_outputs(model, conversion.io)


def _prepared(conversion: Conversion, source: Path) -> Path:
    """The float model with batch norms and constants folded: what the quantizer expects."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    file = conversion.destination / ".prepared.onnx"
    # Symbolic shape inference fails on transformers and NMS, and all shapes here are fixed.
    quant_pre_process(source, file, skip_symbolic_shape=True)
    return file


def _discard(*files: Path) -> None:
    for file in files:
        file.unlink()
