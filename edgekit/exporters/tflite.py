"""TFLite files from the frozen graph, by TensorFlow's converter and quantizer.

int8 is made in three separate stages (float file with statistics, ranges, quantization), so that
the ranges are edgekit's and not the calibrator's. Never emits Flex operators.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.errors import ConversionError
from edgekit.exporters import tflite_file
from edgekit.exporters.base import (
    KERAS,
    LOOPS,
    Conversion,
    Exporter,
    FileGraph,
    calibration_arrays,
    wanted_io_dtype,
)
from edgekit.exporters.metadata.facts import Facts
from edgekit.exporters.metadata.tflite import with_metadata, without_metadata
from edgekit.exporters.tflite_int16 import quantize_16x8
from edgekit.exporters.tflite_ranges import PLACEHOLDER_SAMPLES, with_placeholders, with_ranges
from edgekit.exporters.tflite_weights import halve, shrink_kernels
from edgekit.exporters.tracing import Trace
from edgekit.ranges.audit import Audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    Array = np.ndarray[Any, Any]

_BYTES = ("uint8", "int8")


class TfliteExporter(Exporter):
    """LiteRT's format: phones, boards, microcontrollers."""

    target: ClassVar[str] = "tflite"
    runtime: ClassVar[str] = "litert"
    model_file: ClassVar[str] = "model.tflite"
    extra: ClassVar[str] = "tflite"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16", "dynamic", "int8", "16x8")
    packages: ClassVar[tuple[str, ...]] = ("tensorflow", "keras", "ai-edge-litert")
    rewritten: ClassVar[tuple[str, ...]] = ("int8",)

    def source(self, precision: str) -> str:
        return KERAS

    def _convert(self, conversion: Conversion) -> Audit | None:
        if (conversion.source / self.model_file).is_file():  # a float file, not a trace
            return self._from_file(conversion)
        trace = Trace.read(conversion.source)
        audit = None
        if conversion.precision == "int8":
            content, audit = _int8(trace, conversion)
        elif conversion.precision == "16x8":
            _refuse_loops(trace.graph_def(), "16x8")
            content = quantize_16x8(_float(trace, "fp32"), _samples(conversion))
        else:
            content = _float(trace, conversion.precision)
        content = tflite_file.with_signature(content, [s.name for s in trace.inputs], trace.outputs)
        (conversion.destination / self.model_file).write_bytes(content)
        return audit

    def _from_file(self, conversion: Conversion) -> Audit | None:
        audit = None
        file = conversion.source / self.model_file
        content = without_metadata(file.read_bytes())
        if conversion.precision == "int8":
            content, audit = with_ranges(
                with_placeholders(content),
                _samples(conversion),
                conversion.ranges,
                calibrated=False,
            )
            content = _quantized(content, conversion)
        elif conversion.precision == "16x8":
            content = quantize_16x8(content, _samples(conversion))
        elif conversion.precision != "fp32":
            content = {"fp16": halve, "dynamic": shrink_kernels}[conversion.precision](content)
        graph = tflite_file.inspect(file)
        names = ([t.name for t in graph.inputs], [t.name for t in graph.outputs])
        content = tflite_file.with_signature(content, *names)
        (conversion.destination / self.model_file).write_bytes(content)
        return audit

    def _describe(self, folder: Path, facts: Facts) -> None:
        file = folder / self.model_file
        file.write_bytes(with_metadata(file.read_bytes(), facts))

    def inspect(self, folder: Path) -> FileGraph:
        return tflite_file.inspect(folder / self.model_file)


def _float(trace: Trace, precision: str) -> bytes:
    import tensorflow as tf

    converter = _converter(trace, trace.graph_def())
    if precision != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _int8(trace: Trace, conversion: Conversion) -> tuple[bytes, Audit]:
    import tensorflow as tf

    graph = trace.float_graph_def()
    _refuse_loops(graph, "int8")
    converter = _converter(trace, graph)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _placeholders(conversion)
    # Stop after the statistics: ranges are edgekit's, and those of 8-bit inputs are known.
    converter._experimental_calibrate_only = True  # noqa: SLF001  there is no public switch
    calibrated, audit = with_ranges(
        bytes(converter.convert()), _samples(conversion), conversion.ranges
    )
    return _quantized(calibrated, conversion), audit


def _quantized(content: bytes, conversion: Conversion) -> bytes:
    """A float file that has its ranges, by TensorFlow's quantizer, with the inputs asked for."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    calibrated = tflite_file.with_input_ranges(
        content, {s.name: s.range for s in conversion.inputs if s.dtype in _BYTES}
    )
    wanted = {s.name: wanted_io_dtype(conversion.io, s.dtype) for s in conversion.inputs}
    kinds = set(wanted.values()) & {"float32", *_BYTES}  # tokens and the like stay what they are
    # The quantizer is told one type for all inputs.
    kind = kinds.pop() if len(kinds) == 1 else "float32"
    output = wanted_io_dtype(conversion.io, "float32")
    quantized = mlir_quantize(
        calibrated,
        input_data_type=tf.as_dtype(kind),
        output_data_type=tf.as_dtype(output),
    )
    content = bytes(quantized)
    if "ONE_HOT" in tflite_file.operators(content):
        content = tflite_file.with_one_hot_values(content)
    if kind == "float32":  # bytes among floats are cast, which is exact
        exact = {name: dtype for name, dtype in wanted.items() if dtype in _BYTES}
        content = tflite_file.with_byte_inputs(content, exact)
    # Files for integers alone (--io uint8) are for devices that have no float.
    return tflite_file.with_cast_inputs(content) if conversion.io == "native" else content


def _refuse_loops(graph: Any, precision: str) -> None:
    """TensorFlow's quantizer dereferences a null pointer on a loop."""
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    if any(node.op in ("While", "StatelessWhile") for node in nodes):
        raise ConversionError(f"tflite-{precision}: a loop cannot be quantized", hint=LOOPS)


def _samples(conversion: Conversion) -> list[Array]:
    """Calibration samples of each input: a file's inputs are in the model's order."""
    return list(calibration_arrays(conversion).values())


def _placeholders(conversion: Conversion) -> Iterator[list[Any]]:
    import numpy as np

    floats = [spec.dtype in _BYTES for spec in conversion.inputs]
    some = [rows[:PLACEHOLDER_SAMPLES] for rows in _samples(conversion)]
    for row in zip(*some, strict=True):
        yield [
            np.asarray(value, np.float32 if as_float else None)[None]
            for value, as_float in zip(row, floats, strict=True)
        ]


def _converter(trace: Trace, graph: Any) -> Any:
    import tensorflow as tf

    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    pruned = wrapped.prune([f"{s.name}:0" for s in trace.inputs], list(trace.output_tensors))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([pruned])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter
