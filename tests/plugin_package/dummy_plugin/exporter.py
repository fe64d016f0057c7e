"""A target whose file is the float TFLite file under another name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from edgekit.exporters import tflite_file
from edgekit.exporters.base import Conversion, Exporter, FileGraph


class DummyExporter(Exporter):
    """Follows the TFLite step, as OpenVINO follows ONNX."""

    target: ClassVar[str] = "dummy"
    runtime: ClassVar[str] = "litert"
    model_file: ClassVar[str] = "model.dummy"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    extra: ClassVar[str] = "tflite"

    def source(self, precision: str) -> str:
        return f"tflite-{precision}"

    def _convert(self, conversion: Conversion) -> None:
        shutil.copy(conversion.source / "model.tflite", conversion.destination / self.model_file)

    def inspect(self, folder: Path) -> FileGraph:
        return tflite_file.inspect(folder / self.model_file)
