"""16-bit activations with 8-bit weights in an ONNX file, by ONNX Runtime's quantizer.

Ranges are the lowest and highest values of the samples: 65,536 steps need no better ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.samples import count_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def quantize_16x8(file: Path, samples: Mapping[str, Array]) -> Any:
    """The model with activations in int16, kernels in int8, and inputs and outputs as they are.

    Args:
        file: A float model, batch norms folded; a second file is written beside it and removed.
        samples: Input → [N, *shape] of its dtype.
    """
    import numpy as np
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.places = iter(range(count_of(samples)))

        def get_next(self) -> dict[str, Any] | None:
            place = next(self.places, None)
            if place is None:
                return None
            return {name: np.asarray(rows[place])[None] for name, rows in samples.items()}

    quantized = file.with_name(".16x8.onnx")
    quantize_static(
        file,
        quantized,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt16,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    model = onnx.load(quantized)
    quantized.unlink()
    # The quantizer lists every domain that it knows; other readers stop at those they don't.
    used = {node.domain or "" for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model
