"""OpenVINO files from the float ONNX file; int8 by NNCF. No TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from edgekit.artifact import TensorInfo
from edgekit.errors import ConversionError
from edgekit.exporters.base import (
    Conversion,
    Exporter,
    FileGraph,
    calibration_arrays,
    wanted_io_dtype,
)


class OpenvinoExporter(Exporter):
    """OpenVINO's format: Intel CPUs, GPUs and NPUs, and Arm CPUs."""

    target: ClassVar[str] = "openvino"
    runtime: ClassVar[str] = "openvino"
    model_file: ClassVar[str] = "model.xml"
    extra: ClassVar[str] = "openvino"
    packages: ClassVar[tuple[str, ...]] = (
        "tensorflow", "keras", "tf2onnx", "onnx", "openvino", "nncf",
    )  # fmt: skip

    def source(self, precision: str) -> str:
        return "onnx-fp32"

    def _convert(self, conversion: Conversion) -> None:
        import openvino

        model = openvino.convert_model(conversion.source / "model.onnx")
        if conversion.precision == "dynamic":
            import nncf

            _quiet(nncf)
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
        elif conversion.precision == "int8":
            model = _int8(model, conversion)
        # The path of the ONNX file is no property of the model.
        model.set_rt_info("", ["conversion_parameters", "input_model"])
        openvino.save_model(
            model,
            conversion.destination / self.model_file,
            compress_to_fp16=conversion.precision == "fp16",
        )

    def inspect(self, folder: Path) -> FileGraph:
        import openvino

        model = openvino.Core().read_model(folder / self.model_file)
        ops: Counter[str] = Counter()
        dtypes: Counter[str] = Counter()
        for node in model.get_ordered_ops():
            if node.get_type_name() not in ("Parameter", "Result", "Constant"):
                ops[node.get_type_name()] += 1
            dtypes.update(_dtype(output.get_element_type()) for output in node.outputs())
        if "FakeQuantize" in ops:
            # The file keeps float arithmetic and marks the grid; the plug-in runs it in int8.
            dtypes["int8"] += 0
        return FileGraph(
            inputs=tuple(_describe(port) for port in model.inputs),
            outputs=tuple(_describe(port) for port in model.outputs),
            ops=dict(ops),
            dtypes=dict(dtypes),
        )


def _int8(model: Any, conversion: Conversion) -> Any:
    import nncf

    _quiet(nncf)
    if conversion.io in ("int8", "uint8"):
        raise ConversionError(
            f"openvino int8: no --io {conversion.io}: OpenVINO quantizes inside the graph and keeps "
            "real-valued outputs",
            hint="--io native (8-bit pictures stay 8-bit) or --io float",
        )
    arrays = calibration_arrays(conversion)
    count = len(next(iter(arrays.values())))
    quantized = nncf.quantize(
        model, nncf.Dataset(list(range(count)), lambda i: _row(arrays, i)), subset_size=count
    )
    return _with_float_inputs(quantized, conversion) if conversion.io == "float" else quantized


def _row(arrays: dict[str, Any], index: int) -> dict[str, Any]:
    import numpy as np

    return {name: np.asarray(values[index])[None] for name, values in arrays.items()}


def _with_float_inputs(model: Any, conversion: Conversion) -> Any:
    import openvino
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(model)
    for spec in conversion.inputs:
        if wanted_io_dtype(conversion.io, spec.dtype) != spec.dtype and spec.dtype in (
            "uint8",
            "int8",
        ):
            steps.input(spec.name).tensor().set_element_type(openvino.Type.f32)
    return steps.build()


def _quiet(nncf: Any) -> None:
    import logging

    nncf.set_log_level(logging.ERROR)


def _describe(port: Any) -> TensorInfo:
    shape = port.get_partial_shape()
    return TensorInfo(
        name=port.get_any_name(),
        dtype=_dtype(port.get_element_type()),
        shape=tuple(axis.get_length() if axis.is_static else -1 for axis in _axes(shape)),
    )


def _axes(shape: Any) -> Iterator[Any]:
    return iter(shape) if shape.rank.is_static else iter(())


def _dtype(kind: Any) -> str:
    names = {"f16": "float16", "f32": "float32", "f64": "float64", "boolean": "bool"}
    name: str = kind.get_type_name()
    if name in names:
        return names[name]
    if name[0] in "iu" and name[1:].isdigit():
        return f"{'uint' if name[0] == 'u' else 'int'}{name[1:]}"
    return name
