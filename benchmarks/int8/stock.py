"""Quantized files as the converters make them by their own means, one process for each.

    python -m benchmarks.int8.stock ORDER.json METHOD

ORDER holds "target", "model", "parameters" (of `edgekit.models.resolve_model`), "weights",
"classes", "fp32" (the target's float file made by edgekit), "calibration" (a `.npy`), "input" (its
name) and "out". Of edgekit, only the model is taken: the converters are called as their
documentation says. Prints one JSON object: how long it took, or why there is no file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STOCK = "stock"  # each converter's own int8, as its documentation calls it


def main() -> None:
    """Make one file."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(order["out"]) / sys.argv[2]
    folder.mkdir(parents=True)
    begun = time.perf_counter()
    try:
        METHODS[order["target"]][sys.argv[2]](order, folder)
        said: dict[str, Any] = {"seconds": round(time.perf_counter() - begun, 2)}
    except Exception as error:  # whatever a converter throws is its result
        lines = str(error).strip().splitlines() or [type(error).__name__]
        said = {"error": f"{type(error).__name__}: {lines[-1][:200]}"}
    print(json.dumps(said), flush=True)


def _samples(order: dict[str, Any]) -> Any:
    import numpy as np

    return np.load(order["calibration"], mmap_mode="r")


# -- TFLite ----------------------------------------------------------------------------------------


def _tflite(order: dict[str, Any], folder: Path) -> None:
    _from_keras(order, folder, calibrated=True)


def _tflite_dynamic(order: dict[str, Any], folder: Path) -> None:
    _from_keras(order, folder, calibrated=False)


def _from_keras(order: dict[str, Any], folder: Path, *, calibrated: bool) -> None:
    import tensorflow as tf

    from edgekit.loading import build_keras
    from edgekit.models import resolve_model

    source = resolve_model(**order["model"])
    model = build_keras(source, weights=Path(order["weights"]), classes=order["classes"])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibrated:

        def rows() -> Iterator[list[Any]]:
            for row in _samples(order):
                yield [row[None]]

        converter.representative_dataset = rows
    (folder / "model.tflite").write_bytes(converter.convert())


def _ai_edge(order: dict[str, Any], folder: Path) -> None:
    from ai_edge_quantizer import quantizer, recipe

    tool = quantizer.Quantizer(order["fp32"])
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    rows = [{order["input"]: row[None]} for row in _samples(order)]
    calibrated = tool.calibrate({"serving_default": rows})
    tool.quantize(calibrated).export_model(str(folder / "model.tflite"))


# -- ONNX ------------------------------------------------------------------------------------------


def _onnx(order: dict[str, Any], folder: Path) -> None:
    _quantize_static(order, folder)


def _onnx_percentile(order: dict[str, Any], folder: Path) -> None:
    from onnxruntime.quantization import CalibrationMethod

    _quantize_static(order, folder, calibrate_method=CalibrationMethod.Percentile)


def _quantize_static(order: dict[str, Any], folder: Path, **options: Any) -> None:
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(_samples(order))

        def get_next(self) -> dict[str, Any] | None:
            row = next(self.rows, None)
            return None if row is None else {order["input"]: row[None]}

    prepared = folder / "prepared.onnx"
    quant_pre_process(order["fp32"], prepared, skip_symbolic_shape=True)
    quantize_static(prepared, folder / "model.onnx", Reader(), per_channel=True, **options)
    prepared.unlink()


def _onnx_dynamic(order: dict[str, Any], folder: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(order["fp32"], folder / "model.onnx")


# -- OpenVINO --------------------------------------------------------------------------------------


def _openvino(order: dict[str, Any], folder: Path) -> None:
    _nncf(order, folder)


def _openvino_mixed(order: dict[str, Any], folder: Path) -> None:
    import nncf

    _nncf(order, folder, preset=nncf.QuantizationPreset.MIXED)


def _nncf(order: dict[str, Any], folder: Path, **options: Any) -> None:
    import nncf
    import openvino

    rows = [{order["input"]: row[None]} for row in _samples(order)]
    model = openvino.Core().read_model(order["fp32"])
    quantized = nncf.quantize(model, nncf.Dataset(rows), subset_size=len(rows), **options)
    openvino.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


Method = Callable[[dict[str, Any], Path], None]
METHODS: dict[str, dict[str, Method]] = {
    "tflite": {STOCK: _tflite, "dynamic": _tflite_dynamic, "ai-edge-quantizer": _ai_edge},
    "onnx": {STOCK: _onnx, "percentile": _onnx_percentile, "dynamic": _onnx_dynamic},
    "openvino": {STOCK: _openvino, "mixed": _openvino_mixed},
}


if __name__ == "__main__":
    main()
