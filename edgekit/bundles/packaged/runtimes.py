"""Load a model file and call it: one class for each runtime, which is imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edgekit.errors import ArtifactError, DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Loaded(Protocol):
    """A model that can be called."""

    def __call__(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Outputs, with batch axis, of inputs by name, with batch axis, as the file takes them."""


class Litert:
    """LiteRT, or tflite-runtime where that is what there is."""

    def __init__(self, file: Path, threads: int, outputs: Sequence[str]) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ModuleNotFoundError:
            from tflite_runtime.interpreter import Interpreter
        self._interpreter = Interpreter(str(file), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._outputs = outputs
        signatures = self._interpreter.get_signature_list()
        self._run = (
            self._interpreter.get_signature_runner(next(iter(signatures)))
            if len(signatures) == 1
            else None
        )

    def __call__(self, inputs: Mapping[str, Array]) -> list[Array]:
        if self._run is not None:
            found = self._run(**inputs)
            return [found[name] for name in self._outputs]
        details = self._interpreter.get_input_details()
        for detail, array in zip(details, inputs.values(), strict=True):
            self._interpreter.set_tensor(detail["index"], array)
        self._interpreter.invoke()
        given = self._interpreter.get_output_details()
        return [self._interpreter.get_tensor(detail["index"]) for detail in given]


class Onnxruntime:
    """ONNX Runtime on the CPU."""

    def __init__(self, file: Path, threads: int, outputs: Sequence[str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(file), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._outputs = list(outputs)

    def __call__(self, inputs: Mapping[str, Array]) -> list[Array]:
        return list(self._session.run(self._outputs, dict(inputs)))


class Openvino:
    """OpenVINO on the CPU, in float32 where the file is not quantized."""

    def __init__(self, file: Path, threads: int, outputs: Sequence[str]) -> None:
        import openvino

        self._compiled = openvino.Core().compile_model(
            str(file),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
            },
        )

    def __call__(self, inputs: Mapping[str, Array]) -> list[Array]:
        found = self._compiled(list(inputs.values()))
        return [found[port] for port in self._compiled.outputs]


# Target → the runtime, and the module it needs.
RUNTIMES: dict[str, tuple[type[Litert | Onnxruntime | Openvino], str]] = {
    "tflite": (Litert, "ai_edge_litert"),
    "onnx": (Onnxruntime, "onnxruntime"),
    "openvino": (Openvino, "openvino"),
}


def load(target: str, file: Path, threads: int, outputs: Sequence[str]) -> Loaded:
    """Load a model file of a target in its runtime.

    Raises:
        ArtifactError: The runtime is not installed.
        DataError: No number of threads.
    """
    if threads < 1:
        raise DataError(f"threads: at least 1, not {threads}")
    kind, package = RUNTIMES[target]
    try:
        return kind(file, threads, outputs)
    except ModuleNotFoundError as error:
        raise ArtifactError(
            f"{target} files need a runtime that is not installed: "
            f"pip install {package.replace('_', '-')}"
        ) from error
