"""What runs in the process that prepares and conditions a file: no TensorFlow.

Answers as the TensorFlow process of an export does, so that one pipeline serves both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.errors import MissingExtraError
from edgekit.process import Emit, Handler
from edgekit.quantization.files.description import Reading

ENTRY = "edgekit.quantization.files.worker:handler"


def handler() -> Handler:
    """For `edgekit.process`: requests are {"do": "prepare" | "condition", ...}.

    "prepare" takes "file", "folder" and "reading"; "condition" takes "source", "calibration" and
    "destination".
    """
    return _answer


def _answer(request: dict[str, Any], _emit: Emit) -> dict[str, Any]:
    try:
        return _prepare(request) if request["do"] == "prepare" else _condition(request)
    except ImportError as error:
        package = (error.name or "a package").partition(".")[0]
        extra = "onnx" if package.startswith("onnx") else "tflite"
        raise MissingExtraError(package, extra, "edgekit quantize") from error


def _prepare(request: dict[str, Any]) -> dict[str, Any]:
    file, folder = Path(request["file"]), Path(request["folder"])
    folder.mkdir(exist_ok=True)
    reading = Reading.from_json(request["reading"])
    if file.suffix == ".onnx":
        from edgekit.quantization.files.onnx_source import prepare_onnx

        return prepare_onnx(file, folder, reading).to_json()
    from edgekit.quantization.files.tflite_source import prepare_tflite

    return prepare_tflite(file, folder, reading).to_json()


def _condition(request: dict[str, Any]) -> dict[str, Any]:
    places = (Path(request[name]) for name in ("source", "calibration", "destination"))
    if (Path(request["source"]) / "model.onnx").is_file():
        from edgekit.quantization.files.onnx_source import condition_onnx

        return condition_onnx(*places).to_json()
    from edgekit.quantization.files.tflite_source import condition_tflite

    return condition_tflite(*places).to_json()
