"""OpenVINO: one device per job, computing in f32 unless the file itself is quantized.

On CPUs with AVX512-BF16 or AMX the runtime computes in bf16 by default, which changes results:
the precision hint is set to f32, read back, and kept in the environment. int8 ops stay int8.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent.runtimes.base import (
    INTEGERS,
    NO_DELEGATE,
    REFERENCE,
    LoadedModel,
    Runtime,
    first_line,
)
from edgekit.errors import DeviceError
from edgekit.measure import Placement
from edgekit.passes import Document, OpTimes, ops_document
from edgekit.statistics import median
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CPU, _NPU = "CPU", "NPU"
_PRECISION = "INFERENCE_PRECISION_HINT"
_DTYPES = {
    "f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "boolean": "bool",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
}  # fmt: skip
# Quantized layers computed as they are written, in float between their grids; nothing is fused into
# generated code.
_AS_WRITTEN = {"LP_TRANSFORMS_MODE": "NO", "SNIPPETS_MODE": "DISABLE"}
_COMPILATIONS = 5
_CHOOSING = ("AUTO", "BATCH", "HETERO", "MULTI")
_MOST_REFUSED = 8
_FLOATS = ("f32", "f16", "bf16")
_NOT_COMPUTED = ("Input", "Output")
_EVIDENCE = "runtimePrecision of each op of the compiled model"


class Openvino(Runtime):
    """The `openvino` package."""

    name = "openvino"
    module = "openvino"
    takes_options = True

    def read_version(self) -> str:
        """Without the build: `2026.4.1-22982-…` → `2026.4.1`."""
        return str(self._package.__version__).partition("-")[0]

    def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
        core = self._package.Core()
        device = self._device(core, delegate)
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        # An NPU has no f32; what it computes in is read below.
        if device.partition(".")[0] != _NPU:
            options[_PRECISION] = "f32"
        if device == _CPU:
            options |= {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                # The job says which core; the runtime must not choose another.
                "ENABLE_CPU_PINNING": False,
            }
        if delegate == REFERENCE:
            options |= _AS_WRITTEN
        supported = core.get_property(device, "SUPPORTED_PROPERTIES")
        if unknown := sorted(set(self.options).difference(supported)):
            raise DeviceError(
                f"openvino: the device {device} has no property {unknown[0]!r}",
                hint=f"one of: {', '.join(sorted(supported))}",
            )
        options |= self.options
        try:
            compiled = core.compile_model(str(model), device, options)
        except RuntimeError as error:
            if device == _CPU:
                raise
            raise DeviceError(
                f"OpenVINO's {device} cannot run {model.name}: {first_line(error)}",
                *_refused(core, model, device),
            ) from error
        ran_on = list(compiled.get_property("EXECUTION_DEVICES"))
        if any(name.partition(".")[0] != device.partition(".")[0] for name in ran_on):
            raise DeviceError(f"OpenVINO was asked for {device} and chose {', '.join(ran_on)}")
        profiled = lambda: core.compile_model(  # noqa: E731  compiled again only where it is asked
            str(model), device, {**options, "PERF_COUNT": True}
        )
        return _CompiledModel(self._package, compiled, device, profiled)

    def _look_for(self, delegate: str) -> Mapping[str, Any]:
        core = self._package.Core()
        device = self._device(core, delegate)
        return {
            "openvino_device": device,
            "openvino_device_name": str(core.get_property(device, "FULL_DEVICE_NAME")),
        }

    def _device(self, core: Any, delegate: str | None) -> str:
        if delegate in (None, NO_DELEGATE, REFERENCE):
            return _CPU
        wanted = str(delegate).upper()
        if wanted.partition(":")[0] in _CHOOSING:
            raise DeviceError(
                f"openvino: {delegate} chooses a device for itself, so that nobody knows whose a "
                "figure is",
                hint=f"name one: {', '.join(core.available_devices)}",
            )
        if wanted not in core.available_devices:
            raise self.no_such_delegate(str(delegate), core.available_devices)
        return wanted


class _CompiledModel(LoadedModel):
    def __init__(
        self, package: Any, compiled: Any, device: str, profiled: Callable[[], Any]
    ) -> None:
        self._profiled = profiled
        self._tensor = package.Tensor
        self._compiled = compiled
        self._device = device
        self._request = compiled.create_infer_request()
        self._held: Sequence[Array] = ()
        self.inputs = tuple(_describe(port, index) for index, port in enumerate(compiled.inputs))
        self.outputs = tuple(_describe(port, index) for index, port in enumerate(compiled.outputs))
        precision = "unknown"
        if _PRECISION in compiled.get_property("SUPPORTED_PROPERTIES"):
            precision = compiled.get_property(_PRECISION).get_type_name()
        self.facts = {
            "inference_precision": precision,
            "openvino_device": device,
            "openvino_build": package.get_version(),
        }

    def set_inputs(self, arrays: Sequence[Array]) -> None:
        import numpy as np

        # The tensors share these arrays' memory: they live until the next ones come.
        self._held = [np.ascontiguousarray(array) for array in arrays]
        for index, array in enumerate(self._held):
            self._request.set_input_tensor(index, self._tensor(array, shared_memory=True))

    def invoke(self) -> None:
        self._request.infer(share_outputs=True)

    def get_outputs(self) -> list[Array]:
        return [
            self._request.get_output_tensor(index).data.copy() for index in range(len(self.outputs))
        ]

    def ops(self, warmup: int, calls: int) -> Document:
        found: dict[str, OpTimes] = {}
        each: dict[str, list[float]] = {}
        walls: list[int] = []
        part = -(-calls // _COMPILATIONS)
        for _ in range(_COMPILATIONS):
            for name, (kind, mean_ms) in self._counted(warmup, part, walls).items():
                found.setdefault(name, OpTimes(kind)).calls += part
                each.setdefault(name, []).append(mean_ms)
        for name, means in each.items():
            # A mean is not deaf to an interruption: one or two of these are of no use.
            found[name].ms = [median(means)]
        return ops_document(
            found,
            calls=part * _COMPILATIONS,
            call_ms=median(walls) / 1e6,
            resolution_ms=0.001,
            evidence=f"OpenVINO's performance counters, means in whole microseconds: median "
            f"over {_COMPILATIONS} compilations, warm-up subtracted",
        )

    def _counted(self, warmup: int, calls: int, walls: list[int]) -> dict[str, tuple[str, float]]:
        """Name → kind of kernel and mean milliseconds of every op that ran, compiled once more.

        A CPU's counter is the mean since the model was compiled, slow first calls and all, in whole
        microseconds: it can neither be reset nor read call by call.
        """
        request = self._profiled().create_infer_request()
        for index, array in enumerate(self._held):
            request.set_input_tensor(index, self._tensor(array, shared_memory=True))
        for _ in range(warmup):
            request.infer(share_outputs=True)
        before = _counters(request) if warmup else {}
        for _ in range(calls):
            start = time.perf_counter_ns()
            request.infer(share_outputs=True)
            walls.append(time.perf_counter_ns() - start)
        counted = _counters(request)
        if self._device != _CPU:
            return counted
        means = {}
        for name, (kind, mean_ms) in counted.items():
            in_warmup = before.get(name, ("", 0.0))[1] * warmup
            means[name] = (kind, max(0.0, mean_ms * (warmup + calls) - in_warmup) / calls)
        return means

    def placement(self) -> Placement:
        computed = list(self._computed())
        ops = len(computed)
        delegated = 0 if self._device == _CPU else ops
        return Placement(
            ops=ops,
            delegated=delegated,
            partitions=1 if delegated else 0,
            executors={self._device: ops}
            if delegated
            else Counter(precision for _, _, precision in computed),
            evidence=_EVIDENCE,
            left_out={}
            if delegated
            else Counter(kind for _, kind, precision in computed if precision in _FLOATS),
        )

    def placed(self) -> Document:
        on_cpu = self._device == _CPU
        return {
            "wanted": INTEGERS if on_cpu else self._device,
            "ops": [
                {
                    "name": name,
                    "place": None,
                    "kind": kind,
                    "executor": precision if on_cpu else self._device,
                    "taken": not on_cpu or precision not in _FLOATS,
                }
                for name, kind, precision in self._computed()
            ],
            "reasons": {},
            "evidence": _EVIDENCE,
        }

    def _computed(self) -> Iterator[tuple[str, str, str]]:
        """Name, kind and precision of each op of the compiled model, in order of execution."""
        constant: set[str] = set()
        for op in self._compiled.get_runtime_model().get_ordered_ops():
            info = op.get_rt_info()
            kind = _text(info, "layerType")
            sources = [port.get_source_output().get_node() for port in op.inputs()]
            # What depends on constants alone is computed once, when the model is compiled.
            if kind == "Const" or (
                sources and all(source.get_friendly_name() in constant for source in sources)
            ):
                constant.add(op.get_friendly_name())
            elif kind not in _NOT_COMPUTED:
                yield op.get_friendly_name(), kind, _text(info, "runtimePrecision")


def _refused(core: Any, model: Path, device: str) -> Iterator[str]:
    """Kinds of ops that a device says it does not take, with the first of each."""
    with suppress(RuntimeError):
        graph = core.read_model(model)
        able = core.query_model(graph, device)
        first: dict[str, str] = {}
        for op in graph.get_ordered_ops():
            if op.get_friendly_name() not in able:
                first.setdefault(op.get_type_name(), op.get_friendly_name())
        for kind, name in [*first.items()][:_MOST_REFUSED]:
            yield f"{device} does not take {kind}: the first is {name}"


def _counters(request: Any) -> dict[str, tuple[str, float]]:
    """Name → kind of kernel and mean milliseconds, of every op that ran."""
    return {
        info.node_name: (f"{info.node_type} {info.exec_type}", info.real_time.total_seconds() * 1e3)
        for info in request.get_profiling_info()
        if info.status == info.Status.EXECUTED
    }


def _text(info: Any, key: str) -> str:
    return str(info[key].astype(str)) if key in info else "unknown"


def _describe(port: Any, index: int) -> TensorInfo:
    kind = port.get_element_type().get_type_name()
    names = sorted(port.get_names())
    # Compiling gives an input the names of casts that do nothing, too: its node's is its own.
    own = port.get_node().get_friendly_name()
    return TensorInfo(
        name=own if own in names else names[0] if names else f"tensor_{index}",
        dtype=_DTYPES.get(kind, kind),
        shape=tuple(
            size.get_length() if size.is_static else -1 for size in port.get_partial_shape()
        ),
    )
