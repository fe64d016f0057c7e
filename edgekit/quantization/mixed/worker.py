"""What runs in the process that writes and tries mixed files. One runtime, no TensorFlow.

A runtime that crashes ends this process and nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.agent.runtimes import runtime_class
from edgekit.agent.samples import SampleReader
from edgekit.errors import ConversionError, EdgekitError, UsageError
from edgekit.process import Emit, Handler
from edgekit.quantization.condition.originals import Originals
from edgekit.quantization.mixed.layers import MixableFile
from edgekit.quantization.mixed.noise import noise_power
from edgekit.quantization.mixed.onnx_mixing import MixableOnnx
from edgekit.quantization.mixed.openvino_mixing import MixableOpenvino
from edgekit.quantization.mixed.tflite_mixing import MixableTflite
from edgekit.samples import read_samples
from edgekit.tensor import TensorInfo, dequantize

if TYPE_CHECKING:
    import numpy as np

    from edgekit.agent.runtimes.base import LoadedModel

    Array = np.ndarray[Any, Any]

ENTRY = "edgekit.quantization.mixed.worker:handler"

_FILES: dict[str, Callable[[Path, Path, Originals], MixableFile]] = {
    "tflite": lambda model, _source, originals: MixableTflite(model, originals),
    "onnx": MixableOnnx,
    "openvino": lambda model, _source, originals: MixableOpenvino(model, originals),
}
TARGETS = tuple(_FILES)


def handler() -> Handler:
    """For `edgekit.process`.

    {"do": "open", "target", "model", "source", "originals"} answers {"layers"};
    {"do": "write", "kept", "folder"} writes a mixed file into an existing folder and answers
    {"graph"}, what is in it;
    {"do": "try", "kept", "folder", …} writes one, runs it and answers {"noise", "seconds"}: the
    power of its error against the reference (None without one), and how long the samples took.
    """
    return _Mixer()


class _Mixer:
    def __init__(self) -> None:
        self._file: MixableFile | None = None
        self._target = ""

    def __call__(self, request: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        steps = {"open": self._open, "write": self._write, "try": self._try}
        try:
            return steps[request["do"]](request)
        except (EdgekitError, OSError):
            raise
        except Exception as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), "")
            raise ConversionError(
                f"keeping layers in float failed: {type(error).__name__}: {reason[:300]}"
            ) from error

    def _open(self, request: dict[str, Any]) -> dict[str, Any]:
        self._target = target = request["target"]
        if target not in _FILES:
            raise UsageError(f"layers of {target} files cannot be kept in float")
        originals = Originals.read([Path(place) for place in request["originals"]])
        self._file = _FILES[target](Path(request["model"]), Path(request["source"]), originals)
        return {"layers": [layer.to_json() for layer in self._file.layers]}

    def _write(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._file is not None
        folder = Path(request["folder"])
        self._file.write(request["kept"], folder)
        exporter = registry.load(registry.EXPORTERS, self._target)()
        return {"graph": exporter.inspect(folder).to_json()}

    def _try(self, request: dict[str, Any]) -> dict[str, Any]:
        folder = Path(request["folder"])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        assert self._file is not None
        self._file.write(request["kept"], folder)
        model = runtime_class(request["runtime"])().load(
            folder / request["model_file"], threads=1, delegate=None
        )
        start = time.monotonic()
        outputs = _run(model, request)
        seconds = time.monotonic() - start
        if request["reference"] is None:
            return {"noise": None, "seconds": seconds}
        reference = read_samples(Path(request["reference"]), request["output_names"])
        return {"noise": noise_power(outputs, list(reference.values())), "seconds": seconds}


def _run(model: LoadedModel, request: dict[str, Any]) -> list[Array]:
    """Real outputs for the first samples, in the order of the reference's outputs."""
    import numpy as np

    reader = SampleReader(Path(request["samples"]), model.inputs)
    grids = [TensorInfo.from_json(entry, ConversionError) for entry in request["outputs"]]
    rows = [model(reader[at]) for at in range(request["count"])]
    arrays = [np.concatenate(column) for column in zip(*rows, strict=True)]
    reported = [tensor.name for tensor in model.outputs]
    named = dict(zip(reported, arrays, strict=True))
    if {grid.name for grid in grids} == set(reported):
        arrays = [named[grid.name] for grid in grids]
    real = [
        dequantize(array, grid.scale, grid.zero_point or 0)
        if grid.scale is not None and array.dtype.kind in "iu"
        else array
        for array, grid in zip(arrays, grids, strict=True)
    ]
    names = [grid.name for grid in grids]
    if set(names) == set(request["output_names"]):
        return [real[names.index(name)] for name in request["output_names"]]
    return real
