"""Time of each op in LiteRT, by the profiler behind its public C interface.

The Python Interpreter has no profiler. `libLiteRt`, which lies in the same package, has one: its
CompiledModel gives the same file to the same XNNPACK kernels and tells the time of each, and of
each op that XNNPACK left to LiteRT's own kernels. The library is called by ctypes. Its structure of
events has grown between releases, so the size of one is found from what is in it, and nothing is
read where none fits.
"""

from __future__ import annotations

import ctypes
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.passes import Document, OpTimes, ops_document, unavailable
from edgekit.statistics import median

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_Handle = ctypes.c_void_p
_Index = ctypes.c_size_t
_LIBRARY = {"darwin": "libLiteRt.dylib", "win32": "libLiteRt.dll"}.get(sys.platform, "libLiteRt.so")
_CPU = 1  # LiteRtHwAccelerators
_XNNPACK, _BUILTIN = 0, 2  # LiteRtCpuKernelMode
_WRITE = 1  # LiteRtTensorBufferLockMode

# Event: name, kind, start, microseconds, two readings of memory of 2 or 3 numbers each, two
# numbers, source.
_EVENT_BYTES = (88, 104)
_LARGEST_EVENT = 256
_OWN_KERNEL, _DELEGATE_INTERNAL, _DELEGATE_OP = 2, 4, 8
_KINDS = tuple(1 << bit for bit in range(9))
_MOST_EVENTS = 1_000_000

_EVIDENCE = (
    "profiler of LiteRT's CompiledModel, in whole microseconds: the same file and kernels as "
    "the Interpreter's, which has no profiler"
)


class ProfilerAbsent(Exception):
    """This build of LiteRT has no such profiler, or it cannot be read."""


def profile_ops(
    package: Path,
    model: Path,
    arrays: Mapping[str, Array],
    *,
    threads: int,
    with_xnnpack: bool,
    warmup: int,
    calls: int,
) -> Document:
    """The document of the pass "ops", see `edgekit.passes`.

    Args:
        package: Folder of `ai_edge_litert`.
        model: The model file.
        arrays: One per input, by the name of its tensor.
        threads: Threads to compute with.
        with_xnnpack: Whether XNNPACK may take ops.
        warmup: Calls that are not counted.
        calls: Calls that are.
    """
    try:
        library = ctypes.CDLL(str(package / _LIBRARY))
        session = Session(library, model, threads, with_xnnpack=with_xnnpack)
        session.set_inputs(arrays)
        for _ in range(warmup):
            session.run()
        session.start()
        found: dict[str, OpTimes] = {}
        walls = []
        for _ in range(calls):
            session.reset()
            start = time.perf_counter_ns()
            session.run()
            walls.append(time.perf_counter_ns() - start)
            add_ops(found, session.events())
    except (ProfilerAbsent, OSError, AttributeError) as error:
        return unavailable(f"LiteRT's profiler: {error}")
    if not found:
        return unavailable("LiteRT's profiler told of no op")
    return ops_document(
        found, calls=calls, call_ms=median(walls) / 1e6, resolution_ms=0.001, evidence=_EVIDENCE
    )


class Session:
    """A compiled model with one buffer for each input and output. Lives as long as its process."""

    def __init__(self, library: Any, model: Path, threads: int, *, with_xnnpack: bool) -> None:
        self._library = library
        self._kept: list[Any] = []  # what the library points to
        self._environment = self._make("LiteRtCreateEnvironment", ctypes.c_int(0), None)
        self._model = self._make(
            "LiteRtCreateModelFromFile", self._environment, str(model).encode()
        )
        options = self._make("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
        self._add_options(options, b"runtime_options_string", b"enable_profiling = true\n")
        self._add_options(
            options,
            b"xnnpack",
            b"num_threads = %d\nkernel_mode = %d\n"
            % (threads, _XNNPACK if with_xnnpack else _BUILTIN),
        )
        self._compiled = self._make(
            "LiteRtCreateCompiledModel", self._environment, self._model, options
        )
        self._signature = self._make("LiteRtGetModelSignature", self._model, _Index(0))
        self._inputs = self._buffers("Input")
        outputs = self._buffers("Output")
        self._taken = (_Handle * len(self._inputs))(*(one for _, one in self._inputs))
        self._given = (_Handle * len(outputs))(*(one for _, one in outputs))
        self._profiler = self._make("LiteRtCompiledModelGetProfiler", self._compiled)
        if not self._profiler.value:
            raise ProfilerAbsent("it was asked for and is not there")

    def set_inputs(self, arrays: Mapping[str, Array]) -> None:
        for name, buffer in self._inputs:
            if name not in arrays:
                raise ProfilerAbsent(f"it takes an input {name!r}, which the Interpreter has not")
            data = arrays[name].tobytes()
            size = _Index()
            self._call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
            if size.value != len(data):
                raise ProfilerAbsent(f"input {name!r} takes {size.value} bytes, not {len(data)}")
            place = _Handle()
            self._call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), ctypes.c_int(_WRITE))
            ctypes.memmove(place, data, len(data))
            self._call("LiteRtUnlockTensorBuffer", buffer)

    def run(self) -> None:
        self._call(
            "LiteRtRunCompiledModel",
            self._compiled,
            _Index(0),
            _Index(len(self._taken)),
            self._taken,
            _Index(len(self._given)),
            self._given,
        )

    def start(self) -> None:
        self._call("LiteRtStartProfiler", self._profiler)

    def reset(self) -> None:
        """Forget what was told. The profiler stops with that in some releases."""
        self._call("LiteRtResetProfiler", self._profiler)
        self.start()

    def events(self) -> list[tuple[str, int, int, int]]:
        """Name, kind, microseconds and number of each event since `reset`."""
        count = ctypes.c_int()
        self._call("LiteRtGetNumProfilerEvents", self._profiler, ctypes.byref(count))
        if not 0 < count.value <= _MOST_EVENTS:
            return []
        raw = ctypes.create_string_buffer(count.value * _LARGEST_EVENT)
        self._call("LiteRtGetProfilerEvents", self._profiler, count, raw)
        return read_events(raw.raw, count.value)

    def _buffers(self, way: str) -> list[tuple[str, Any]]:
        """(tensor's name, buffer) of every input or output of the first signature."""
        count = _Index()
        self._call(f"LiteRtGetNumSignature{way}s", self._signature, ctypes.byref(count))
        made = []
        for index in map(_Index, range(count.value)):
            tensor = self._make(f"LiteRtGetSignature{way}TensorByIndex", self._signature, index)
            name = ctypes.c_char_p()
            self._call("LiteRtGetTensorName", tensor, ctypes.byref(name))
            kind = ctypes.create_string_buffer(512)  # LiteRtRankedTensorType, handed on unread
            self._call("LiteRtGetRankedTensorType", tensor, kind)
            needs = self._make(
                f"LiteRtGetCompiledModel{way}BufferRequirements", self._compiled, _Index(0), index
            )
            buffer = self._make(
                "LiteRtCreateManagedTensorBufferFromRequirements", self._environment, kind, needs
            )
            made.append(((name.value or b"").decode("utf-8", "replace"), buffer))
        return made

    def _add_options(self, options: Any, kind: bytes, text: bytes) -> None:
        payload = ctypes.create_string_buffer(text)
        leave = ctypes.CFUNCTYPE(None, _Handle)(lambda _place: None)
        self._kept += [payload, leave]
        place = ctypes.cast(payload, _Handle)
        made = self._make("LiteRtCreateOpaqueOptions", kind, place, leave)
        self._call("LiteRtAddOpaqueOptions", options, made)

    def _make(self, name: str, *arguments: Any) -> Any:
        made = _Handle()
        self._call(name, *arguments, ctypes.byref(made))
        return made

    def _call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name)
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status:
            raise ProfilerAbsent(f"{name} answered {status}")


def read_events(raw: bytes, count: int) -> list[tuple[str, int, int, int]]:
    """Name, kind, microseconds and number of `count` events, whose size is found from them.

    Raises:
        ProfilerAbsent: No known size fits all of them.
    """
    for size in _EVENT_BYTES:
        if all(_fits(raw, number * size, size) for number in range(count)):
            return [_event(raw, number * size, size) for number in range(count)]
    raise ProfilerAbsent("its events have a form that this edgekit does not know")


def _fits(raw: bytes, at: int, size: int) -> bool:
    name, kind = struct.unpack_from("=Qi", raw, at)
    (source,) = struct.unpack_from("=i", raw, at + size - 8)
    return bool(name) and kind in _KINDS and 0 <= source <= 2


def _event(raw: bytes, at: int, size: int) -> tuple[str, int, int, int]:
    name, kind, _, _, elapsed = struct.unpack_from("=QiiQQ", raw, at)
    (number,) = struct.unpack_from("=Q", raw, at + size - 24)
    return ctypes.string_at(name).decode("utf-8", "replace"), kind, elapsed, number


def add_ops(found: dict[str, OpTimes], events: Sequence[tuple[str, int, int, int]]) -> None:
    """Add the ops of one call; a partition is left out where its ops are told themselves."""
    inner = any(kind in (_DELEGATE_INTERNAL, _DELEGATE_OP) for _, kind, _, _ in events)
    spent: dict[str, float] = {}
    partition, last = 1, -1
    for name, kind, elapsed, number in events:
        if kind == _OWN_KERNEL:
            if inner and "Delegate" in name:
                continue
            key = f"node {number}"
        elif kind in (_DELEGATE_INTERNAL, _DELEGATE_OP):
            # Every partition counts its ops from 0.
            partition += number <= last
            last = number
            key = f"XNNPACK {number}" if partition == 1 else f"XNNPACK {number} of part {partition}"
        else:
            continue
        found.setdefault(key, OpTimes(name)).calls += 1
        spent[key] = spent.get(key, 0.0) + elapsed / 1000
    for key, ms in spent.items():
        found[key].ms.append(ms)
