"""The layers of a TFLite file, read by LiteRT's interpreter with every tensor preserved.

With a delegate nothing between its ends could be read, so LiteRT's own kernels compute. Bodies of
loops and branches are not looked into.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.quantization.explain.layers import Layer, LayeredFile
from edgekit.tensor import dequantize

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOVING = (
    "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "SHAPE", "BROADCAST_TO",
)  # fmt: skip


class TfliteFile(LayeredFile):
    """A `.tflite` file."""

    def __init__(self, model: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._plain = Interpreter(model_path=str(model), num_threads=1)
        self._plain.allocate_tensors()
        self._interpreter = Interpreter(
            model_path=str(model),
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        self._tensors = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        self._taken = [d["index"] for d in self._interpreter.get_input_details()]
        self._given = [d["index"] for d in self._interpreter.get_output_details()]
        self.inputs = tuple(str(self._tensors[index]["name"]) for index in self._taken)
        self._choose()

    def _choose(self) -> None:
        varying, left_out = set(self._taken), Counter[str]()
        layers: list[Layer] = []
        self._read: list[int] = []
        origins: dict[int, set[int]] = {}  # tensor → layers whose values it holds
        for op in self._interpreter._get_ops_details():  # noqa: SLF001  the only way to read it
            if not varying & {int(index) for index in op["inputs"]}:
                continue
            outputs = [int(index) for index in op["outputs"] if int(index) in self._tensors]
            varying |= set(outputs)
            kind = str(op["op_name"])
            sources = {n for i in op["inputs"] for n in origins.get(int(i), ())}
            origins |= dict.fromkeys(outputs, sources)
            real = [index for index in outputs if self._is_real(index)]
            if kind in _MOVING or not real or self._only_stored_anew(kind, op):
                left_out[kind] += 1
                continue
            for index in real:
                origins[index] = {len(layers)}
                layers.append(self._layer(kind, index, op, sources))
                self._read.append(index)
        self.layers, self.left_out = tuple(layers), dict(left_out)

    def _is_real(self, index: int) -> bool:
        detail = self._tensors[index]
        kind = str(detail["dtype"].__name__)
        if kind in ("int8", "uint8", "int16"):
            return len(detail["quantization_parameters"]["scales"]) > 0
        return kind in ("float32", "float16")

    def _only_stored_anew(self, kind: str, op: Any) -> bool:
        """An 8-bit tensor on another grid: what reads it shows the loss."""
        source = self._tensors[int(op["inputs"][0])]
        return kind == "QUANTIZE" and str(source["dtype"].__name__) != "float32"

    def _layer(self, kind: str, index: int, op: Any, sources: set[int]) -> Layer:
        detail = self._tensors[index]
        names = tuple(str(detail["name"]).split(";"))
        if kind == "QUANTIZE":  # an input, or what a float kernel gave: it has that one's name
            source = self._tensors[int(op["inputs"][0])]
            names = tuple(str(source["name"]).split(";"))
        return Layer(
            name=names[0],
            op=kind,
            names=names,
            shape=tuple(int(size) for size in detail["shape"]),
            dtype=str(detail["dtype"].__name__),
            sources=tuple(sorted(sources)),
        )

    def read(self, arrays: Sequence[Array]) -> list[Array]:
        _run(self._interpreter, self._taken, arrays)
        return [self._real(index) for index in self._read]

    def _real(self, index: int) -> Array:
        import numpy as np

        detail = self._tensors[index]
        value = self._interpreter.get_tensor(index)
        grid = detail["quantization_parameters"]
        if value.dtype.kind == "f":
            return np.asarray(value, np.float32)
        if len(grid["scales"]) == 1:
            return dequantize(value, float(grid["scales"][0]), int(grid["zero_points"][0]))
        axis = int(grid["quantized_dimension"])
        shape = [-1 if at == axis else 1 for at in range(value.ndim)]
        zero = np.asarray(grid["zero_points"], np.int64).reshape(shape)
        scale = np.asarray(grid["scales"], np.float32).reshape(shape)
        real: Array = (value.astype(np.int64) - zero).astype(np.float32) * scale
        return real

    def outputs(self) -> list[Array]:
        return [self._interpreter.get_tensor(index) for index in self._given]

    def plain(self, arrays: Sequence[Array]) -> list[Array]:
        _run(self._plain, [d["index"] for d in self._plain.get_input_details()], arrays)
        return [self._plain.get_tensor(d["index"]) for d in self._plain.get_output_details()]


def _run(interpreter: Any, indices: Sequence[int], arrays: Sequence[Array]) -> None:
    for index, array in zip(indices, arrays, strict=True):
        interpreter.set_tensor(index, array)
    interpreter.invoke()
