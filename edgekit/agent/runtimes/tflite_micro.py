"""TensorFlow Lite for Microcontrollers: its C++ interpreter, built for this machine.

The same interpreter and reference kernels that a board's firmware compiles in; a board's vendor may
replace kernels by faster ones. All memory is one arena of a size that is given. It aborts the
process where a file is too much for it: run it in a process of its own. Does not time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent.runtimes.base import NO_DELEGATE, REFERENCE, LoadedModel, Runtime, first_line
from edgekit.agent.runtimes.words import caught
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.fields import printable
from edgekit.measure import Placement
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Size of the arena in bytes; without it, one that is large enough.
ARENA_VARIABLE = "EDGEKIT_TFLITE_MICRO_ARENA"

_SMALLEST = 256 * 1024
_LARGEST = 2 * 1024**3
_TOO_SMALL = re.compile(r"missing: \d+|arena size is too small|Failed to (allocate|resize)")
_ARENA = re.compile(r"Arena allocation (total|head|tail) (\d{1,15}) bytes")
_MOST_WORDS = 16_384


@dataclass(frozen=True, slots=True)
class Arena:
    """What the interpreter says it takes of its arena, on this machine.

    Attributes:
        total_bytes: Of all that stays.
        tensor_bytes: Tensors and scratch buffers, which share memory as they come and go.
        persistent_bytes: What lives as long as the interpreter; pointers are as long as here.
    """

    total_bytes: int
    tensor_bytes: int
    persistent_bytes: int


class TfliteMicro(Runtime):
    """The `tflite-micro` package."""

    name = "tflite-micro"
    module = "tflite_micro"

    def read_version(self) -> str:
        """Without the commit: `0.dev20261023182759-g8f6596d` → `0.dev20261023182759`."""
        return str(self._package.__version__).partition("-")[0]

    def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
        if delegate not in (None, NO_DELEGATE, REFERENCE):
            raise self.no_such_delegate(str(delegate), (NO_DELEGATE, REFERENCE))
        if threads != 1:
            raise DeviceError(f"tflite-micro computes in one thread; {threads} were asked for")
        content = model.read_bytes()
        given = os.environ.get(ARENA_VARIABLE)
        arena = int(given) if given and given.isdecimal() else None
        interpreter = self.interpreter(content, model.name, arena)
        return _MicroModel(self._package.runtime, interpreter, content)

    def interpreter(self, content: bytes, name: str, arena: int | None) -> Any:
        """An interpreter with the file loaded and its tensors allocated.

        Args:
            content: Of the file.
            name: Of the file, for complaints.
            arena: Its bytes; None for one that is large enough.

        Raises:
            RuntimeFault: It refuses the file, in its own words, or the arena is too small.
        """
        size = arena or max(_SMALLEST, 2 * len(content))
        while True:
            words = _Words()
            try:
                return self._package.runtime.Interpreter.from_bytes(content, arena_size=size)
            except Exception as error:
                told = words.told()
                full = any(_TOO_SMALL.search(line) for line in told)
                if arena is None and full and size < _LARGEST:
                    size *= 2
                    continue
                said = next(iter(told), first_line(error))
                what = f"in an arena of {size:,} bytes: " if full else ""
                raise RuntimeFault(
                    f"tflite-micro {self.version} cannot load {name}: {what}{said}", *told[1:4]
                ) from error


class _MicroModel(LoadedModel):
    def __init__(self, package: Any, interpreter: Any, content: bytes) -> None:
        self._interpreter = interpreter
        graph = package.convert_bytearray_to_object(content)
        main = graph.subgraphs[0]
        names = _names(graph, main)
        self._ops = len(main.operators)
        self.inputs = tuple(
            _describe(names[place], interpreter.get_input_details(index))
            for index, place in enumerate(main.inputs)
        )
        self.outputs = tuple(
            _describe(names[place], interpreter.get_output_details(index))
            for index, place in enumerate(main.outputs)
        )
        arena = arena_of(interpreter)
        self.facts = {
            "arena_total_bytes": arena.total_bytes,
            "arena_tensor_bytes": arena.tensor_bytes,
            "arena_persistent_bytes": arena.persistent_bytes,
        }

    def set_inputs(self, arrays: Sequence[Array]) -> None:
        for index, array in enumerate(arrays):
            self._interpreter.set_input(array, index)

    def invoke(self) -> None:
        words = _Words()
        try:
            self._interpreter.invoke()
        except Exception as error:
            told = words.told()
            raise RuntimeFault(
                f"tflite-micro stops: {next(iter(told), first_line(error))}", *told[1:4]
            ) from error

    def get_outputs(self) -> list[Array]:
        return [self._interpreter.get_output(index).copy() for index in range(len(self.outputs))]

    def placement(self) -> Placement:
        return Placement(
            ops=self._ops,
            delegated=0,
            partitions=0,
            executors={"micro kernels": self._ops},
            evidence="operators of the primary subgraph; the interpreter has no other executor",
        )


def arena_of(interpreter: Any) -> Arena:
    """What the interpreter's recording allocator prints, read back.

    Raises:
        RuntimeFault: It printed something else.
    """
    with caught() as printed:
        interpreter.print_allocations()
    found = {kind: int(size) for kind, size in _ARENA.findall(printed[0])}
    if found.keys() != {"total", "head", "tail"}:
        raise RuntimeFault(
            f"tflite-micro printed its allocations in another form: {printed[0][:200]!r}"
        )
    return Arena(found["total"], found["head"], found["tail"])


class _Words:
    """What the interpreter writes to stderr from now on, if stderr is a file that can be read.

    That file is kept by whoever started this process, so that words survive an abort.
    """

    def __init__(self) -> None:
        self._start: int | None = None
        with suppress(OSError):  # a pipe, or a terminal
            self._start = os.lseek(2, 0, os.SEEK_CUR)

    def told(self) -> list[str]:
        if self._start is None:
            return []
        try:
            text = os.pread(2, _MOST_WORDS, self._start).decode("utf-8", "replace")
        except OSError:  # it can only be written
            return []
        return [printable(line.strip()[:400]) for line in text.splitlines() if line.strip()]


def _names(graph: Any, main: Any) -> Mapping[int, str]:
    """Tensor index → name in the model's only signature, else in the graph."""
    names = {
        place: (tensor.name or b"").decode("utf-8", "replace")
        for place, tensor in enumerate(main.tensors)
    }
    signatures = graph.signatureDefs or []
    if len(signatures) == 1:
        for entry in (*signatures[0].inputs, *signatures[0].outputs):
            names[entry.tensorIndex] = entry.name.decode("utf-8", "replace")
    return names


def _describe(name: str, details: Mapping[str, Any]) -> TensorInfo:
    import numpy as np

    grid = details["quantization_parameters"]
    quantized = len(grid["scales"]) == 1 and float(grid["scales"][0]) > 0
    return TensorInfo(
        name=name,
        dtype=np.dtype(details["dtype"]).name,
        shape=tuple(int(size) for size in details["shape"]),
        scale=float(grid["scales"][0]) if quantized else None,
        zero_point=int(grid["zero_points"][0]) if quantized else None,
    )
