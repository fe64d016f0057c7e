"""ONNX Runtime: one execution provider per job, and proof of which nodes it ran.

`get_providers()` lists providers that then run nothing, so fallback to the CPU is forbidden when a
provider is asked for, and the provider of each node is read from a profile of one call.
"""

from __future__ import annotations

import json
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
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
from edgekit.agent.runtimes.providers import (
    CPU,
    SUFFIX,
    AbsentError,
    Provider,
    find_provider,
    open_smallest,
)
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.measure import Placement
from edgekit.passes import Document, OpTimes, ops_document, unavailable
from edgekit.statistics import median
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_ERRORS_ONLY = 3
_EVIDENCE = "provider of each node in a profile of one call"
_DTYPES = {"float": "float32", "double": "float64", "bfloat16": "bfloat16"}


class Onnxruntime(Runtime):
    """The `onnxruntime` package or one of its builds for an accelerator."""

    name = "onnxruntime"
    module = "onnxruntime"

    takes_options = True

    def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
        provider = replace(self._provider(delegate), partly=self.partly)
        try:
            return _SessionModel(self._package, model, threads, provider, delegate == REFERENCE)
        except Exception as error:
            if provider.name == CPU:
                raise
            self._refuse_idle(str(delegate), provider)
            raise DeviceError(
                f"the delegate {delegate!r} cannot run all of {model.name}: {first_line(error)}",
                "falling back to the CPU is forbidden, since it would be measured as the delegate",
            ) from error

    def _look_for(self, delegate: str) -> Mapping[str, Any]:
        provider = self._provider(delegate)
        self._refuse_idle(delegate, provider)
        return {**provider.facts, "no_latency": provider.no_latency}

    def _refuse_idle(self, delegate: str, provider: Provider) -> None:
        """Raise if a provider that is listed cannot run the smallest model."""
        try:
            open_smallest(self._package, provider)
        except Exception as error:
            raise self.no_such_delegate(
                delegate, (), f"it is listed, and runs nothing: {first_line(error)}"
            ) from error

    def _provider(self, delegate: str | None) -> Provider:
        """The provider for `cuda`, `CUDA` or `CUDAExecutionProvider`."""
        if delegate in (None, NO_DELEGATE, REFERENCE):
            if self.options:
                raise DeviceError(
                    f"onnxruntime: options of no delegate: {', '.join(sorted(self.options))}"
                )
            return Provider()
        try:
            return find_provider(self._package, str(delegate), self.options)
        except AbsentError as absent:
            raise self.no_such_delegate(str(delegate), absent.present, *absent.details) from None


class _SessionModel(LoadedModel):
    def __init__(
        self, package: Any, model: Path, threads: int, provider: Provider, as_written: bool
    ) -> None:
        self._package = package
        self._as_written = as_written
        self._model = model
        self._threads = threads
        self._provider = provider
        self._session = self._open(self._options())
        # ORT registers the CPU provider behind any other; the first one is what was asked for.
        if self._session.get_providers()[0] != provider.name:
            raise RuntimeFault(f"onnxruntime put {self._session.get_providers()[0]} first")
        self._binding = self._session.io_binding()
        self._held: Sequence[Array] = ()
        self._run_options = None
        self.inputs = tuple(_describe(node) for node in self._session.get_inputs())
        self.outputs = tuple(_describe(node) for node in self._session.get_outputs())
        for tensor in self.outputs:
            self._binding.bind_output(tensor.name, "cpu")
        self.no_latency = provider.no_latency
        self.facts = {**provider.facts, "onnxruntime_build": package.get_build_info()}
        if provider.name != CPU:
            # As it was understood: a provider passes over what it does not know.
            self.facts["provider_options"] = self._session.get_provider_options()[provider.name]

    def set_inputs(self, arrays: Sequence[Array]) -> None:
        import numpy as np

        # The binding points into these arrays: they live until the next ones come.
        self._held = [np.ascontiguousarray(array) for array in arrays]
        for tensor, array in zip(self.inputs, self._held, strict=True):
            self._binding.bind_cpu_input(tensor.name, array)

    def invoke(self) -> None:
        self._session.run_with_iobinding(self._binding, self._run_options)

    def get_outputs(self) -> list[Array]:
        return list(self._binding.copy_outputs_to_cpu())

    def placement(self) -> Placement:
        profiled = self._profiled()
        providers = [event["provider"].removesuffix(SUFFIX) for event in profiled]
        name = self._provider.name
        wanted = "" if name == CPU else name.removesuffix(SUFFIX)
        return Placement(
            ops=len(providers),
            delegated=providers.count(wanted),
            partitions=pieces(providers, wanted),
            executors=Counter(providers),
            evidence=_EVIDENCE,
            left_out=Counter(
                event.get("op_name", "unknown")
                for event, provider in zip(profiled, providers, strict=True)
                if (provider != wanted if wanted else _in_float(event))
            ),
        )

    def placed(self) -> Document:
        # Names of fused nodes are not the file's; no node tells whose outputs it reads.
        wanted = "" if self._provider.name == CPU else self._provider.name.removesuffix(SUFFIX)
        ops = []
        for event in self._profiled():
            executor = event["provider"].removesuffix(SUFFIX)
            taken = executor == wanted if wanted else not _in_float(event)
            ops.append(
                {
                    "name": event["name"].removesuffix("_kernel_time"),
                    "place": None,
                    "kind": event.get("op_name", "unknown"),
                    "executor": executor if wanted or taken else f"{executor} in float",
                    "taken": taken,
                }
            )
        return {
            "wanted": wanted or INTEGERS,
            "ops": ops,
            "reasons": {},
            "evidence": _EVIDENCE,
        }

    def ops(self, warmup: int, calls: int) -> Document:
        walls, events = self._events(warmup + calls)
        runs = sorted(e["ts"] for e in events if e.get("name") == "model_run")
        if len(runs) != warmup + calls:
            return unavailable(f"onnxruntime's profile tells of {len(runs)} calls")
        found: dict[str, OpTimes] = {}
        spent: list[dict[str, float]] = [{} for _ in runs]
        for event in events:
            number = bisect_right(runs, event["ts"]) - 1
            if event.get("cat") != "Node" or number < warmup:
                continue
            told = event.get("args", {})
            kind = told.get("op_name", "unknown")
            name = event["name"].removesuffix("_kernel_time") or f"{kind} {told.get('node_index')}"
            found.setdefault(name, OpTimes(kind)).calls += 1
            spent[number][name] = spent[number].get(name, 0.0) + event["dur"] / 1000
        for one in spent:
            for name, ms in one.items():
                found[name].ms.append(ms)
        return ops_document(
            found,
            calls=calls,
            call_ms=median(walls[warmup:]) / 1e6,
            resolution_ms=0.001,
            evidence="onnxruntime's own profile, in whole microseconds",
        )

    def _profiled(self) -> list[Any]:
        """What is said of each node, in order of execution, by a second, profiling session."""
        nodes = {
            event["args"]["node_index"] + event["name"]: {**event["args"], "name": event["name"]}
            for event in self._events(1)[1]
            if event.get("cat") == "Node" and event.get("args", {}).get("provider")
        }
        return list(nodes.values())

    def _events(self, calls: int) -> tuple[list[int], list[Any]]:
        """Wall nanoseconds of each call of a second, profiling session, and what it wrote."""
        walls = []
        with tempfile.TemporaryDirectory(prefix="edgekit-ort-") as folder:
            options = self._options()
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = self._open(options)
            fed = {
                tensor.name: array for tensor, array in zip(self.inputs, self._held, strict=True)
            }
            for _ in range(calls):
                start = time.perf_counter_ns()
                session.run(None, fed)
                walls.append(time.perf_counter_ns() - start)
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return walls, events

    def _options(self) -> Any:
        options = self._package.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = self._package.ExecutionMode.ORT_SEQUENTIAL
        if self._as_written:  # node by node, nothing fused or folded
            options.graph_optimization_level = self._package.GraphOptimizationLevel.ORT_DISABLE_ALL
        # Spinning stays as apps get it, on. One thread has no pool to spin; with several, idle
        # ones burn CPU time between calls, so wall time is the figure to read there.
        return options

    def _open(self, options: Any) -> Any:
        return self._provider.open(self._package, str(self._model), options)


def _in_float(event: Mapping[str, Any]) -> bool:
    """Whether the first tensor that a node of a profile takes is float, and stays it."""
    first: Mapping[str, Any] = next(iter(event.get("input_type_shape", ())), {})
    return "float" in first and "QuantizeLinear" not in event.get("op_name", "")


def pieces(executors: Sequence[str], wanted: str) -> int:
    """How many unbroken stretches of `executors`, in order of execution, are `wanted`."""
    return sum(1 for name, _ in groupby(executors) if name == wanted)


def _describe(node: Any) -> TensorInfo:
    kind = node.type.removeprefix("tensor(").removesuffix(")")
    return TensorInfo(
        name=node.name,
        dtype=_DTYPES.get(kind, kind),
        shape=tuple(size if isinstance(size, int) else -1 for size in node.shape),
    )
