"""What runs in the process that reads a file layer by layer. No TensorFlow, one runtime.

A runtime that crashes ends this process and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import extras
from edgekit.errors import EdgekitError, RuntimeFault, UsageError
from edgekit.process import Emit, Handler
from edgekit.quantization.explain.layers import LayeredFile
from edgekit.quantization.explain.onnx_layers import OnnxFile
from edgekit.quantization.explain.openvino_layers import OpenvinoFile
from edgekit.quantization.explain.tflite_layers import TfliteFile
from edgekit.samples import read_samples

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

ENTRY = "edgekit.quantization.explain.reading:handler"

_FILES: dict[str, Callable[[Path], LayeredFile]] = {
    "tflite": TfliteFile,
    "onnx": OnnxFile,
    "openvino": OpenvinoFile,
}
TARGETS = tuple(_FILES)

# Samples for which the file is also run as apps run it.
_PLAIN = 4


def handler() -> Handler:
    """For `edgekit.process`.

    {"do": "open", "target", "model"} answers {"layers", "left_out"};
    {"do": "read", "samples", "names", "start", "stop", "folder"} writes `<layer number>.npy` of
    [samples, *shape] float32 into the folder, and answers {"apart"}: the largest difference between
    the file's outputs read with and without its layers, relative to the largest output.
    """
    return _Reader()


class _Reader:
    def __init__(self) -> None:
        self._file: LayeredFile | None = None
        self._target = ""

    def __call__(self, request: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        try:
            return {"open": self._open, "read": self._read}[request["do"]](request)
        except EdgekitError:
            raise
        except ModuleNotFoundError as error:
            if error.name and (package := extras.owner_of(error.name)):
                raise extras.missing(package) from None
            raise
        except Exception as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), "")
            raise RuntimeFault(
                f"reading the layers of the {self._target} file failed: "
                f"{type(error).__name__}: {reason[:300]}"
            ) from error

    def _open(self, request: dict[str, Any]) -> dict[str, Any]:
        self._target = request["target"]
        if self._target not in _FILES:
            raise UsageError(
                f"layers of {self._target} files cannot be read",
                hint=f"targets whose layers can be: {', '.join(_FILES)}",
            )
        self._file = _FILES[self._target](Path(request["model"]))
        return {
            "layers": [layer.to_json() for layer in self._file.layers],
            "left_out": dict(self._file.left_out),
        }

    def _read(self, request: dict[str, Any]) -> dict[str, Any]:
        import numpy as np

        assert self._file is not None
        samples = read_samples(Path(request["samples"]), request["names"])
        names = self._file.inputs
        same = set(names) == set(request["names"])
        arrays = [samples[name] for name in (names if same else request["names"])]
        start, stop, folder = request["start"], request["stop"], Path(request["folder"])
        columns = [
            np.empty((stop - start, *layer.shape), np.float32) for layer in self._file.layers
        ]
        apart = 0.0
        for at in range(start, stop):
            row = [np.ascontiguousarray(array[at : at + 1]) for array in arrays]
            for column, values in zip(columns, self._file.read(row), strict=True):
                column[at - start] = values.reshape(column.shape[1:])
            if at < _PLAIN:
                apart = max(apart, _apart(self._file.plain(row), self._file.outputs()))
        for number, column in enumerate(columns):
            np.save(folder / f"{number}.npy", column)
        return {"apart": apart}


def _apart(plain: list[Array], read: list[Array]) -> float:
    import numpy as np

    found = 0.0
    for a, b in zip(plain, read, strict=True):
        largest = float(np.abs(a.astype(np.float64)).max(initial=0.0))
        difference = float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0))
        found = max(found, difference / largest if largest else difference)
    return found
