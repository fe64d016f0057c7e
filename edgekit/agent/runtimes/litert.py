"""LiteRT and its ancestor tflite-runtime: one Interpreter API under two package names.

Placement is exact for the primary subgraph: a delegated partition shows as a DELEGATE node beside
the original ops, and the ops it swallowed are those between its inputs and its outputs. Bodies of
WHILE and IF are not looked into.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.agent.runtimes.base import NO_DELEGATE, REFERENCE, LoadedModel, Runtime, first_line
from edgekit.agent.runtimes.litert_compiled import (
    ACCELERATORS,
    RefusedError,
    load_compiled,
    look_for,
)
from edgekit.agent.runtimes.litert_profiler import profile_ops
from edgekit.errors import DeviceError, RuntimeFault
from edgekit.measure import Placement
from edgekit.passes import Document, unavailable
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_XNNPACK = "xnnpack"
_EVIDENCE = "DELEGATE nodes of the primary subgraph"
_OWN_ENVIRONMENT = (
    "python -m venv legacy && legacy/bin/pip install tflite-runtime==2.14.0 'numpy<2', "
    'then python = "legacy/bin/python" in the device\'s TOML file'
)


class Litert(Runtime):
    """`ai-edge-litert`'s Interpreter."""

    name = "litert"
    module = "ai_edge_litert.interpreter"
    distribution: ClassVar[str] = "ai-edge-litert"
    accelerators: ClassVar[tuple[str, ...]] = ACCELERATORS
    takes_options = True

    def read_version(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return "unknown"

    def _load(self, model: Path, threads: int, delegate: str | None) -> LoadedModel:
        if delegate is not None and delegate.lower() in self.accelerators:
            return self._accelerated(model, delegate)
        if self.options and delegate in (None, NO_DELEGATE, REFERENCE, _XNNPACK):
            raise DeviceError(
                f"{self.name}: the delegate {delegate!r} has no options; "
                f"{', '.join(sorted(self.options))} were given"
            )
        options: dict[str, Any] = {"model_path": str(model), "num_threads": threads}
        if delegate == NO_DELEGATE:
            options["experimental_op_resolver_type"] = (
                self._package.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            )
        elif delegate == REFERENCE:
            options["experimental_op_resolver_type"] = self._package.OpResolverType.BUILTIN_REF
        elif delegate not in (None, _XNNPACK):
            options["experimental_delegates"] = [self._external(delegate)]
        interpreter = self._package.Interpreter(**options)
        # External delegates take their ops here, the default one when tensors are allocated.
        external = len(_delegate_nodes(interpreter))
        if "experimental_delegates" in options and not external:
            raise DeviceError(
                f"the delegate {delegate!r} was asked for and takes no op of {model.name}"
            )
        interpreter.allocate_tensors()
        executor = "XNNPACK" if not external else Path(str(delegate)).stem
        package = Path(str(self._package.__file__)).parent
        kernels = "reference kernels" if delegate == REFERENCE else "kernels"
        source = _Source(model, package, threads, delegate)
        return _InterpreterModel(interpreter, executor, kernels, source)

    def _look_for(self, delegate: str) -> Mapping[str, Any]:
        if delegate.lower() not in self.accelerators:
            if delegate != _XNNPACK:
                self._external(delegate)
            return {}
        try:
            return look_for(delegate.lower(), self.options)
        except RefusedError as refused:
            raise self._not_here(delegate, *refused.args) from refused

    def _accelerated(self, model: Path, delegate: str) -> LoadedModel:
        """The file on an accelerator of LiteRT's own."""
        # Nothing is allocated or delegated: it describes the file.
        plain = self._package.Interpreter(
            model_path=str(model),
            experimental_op_resolver_type=(
                self._package.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
        )
        tensors = {
            detail["index"]: _describe(detail, {})
            for detail in (*plain.get_input_details(), *plain.get_output_details())
        }
        ops = len(plain._get_ops_details())  # noqa: SLF001  the only way to read it
        try:
            return load_compiled(model, delegate.lower(), self.options, tensors=tensors, ops=ops)
        except RefusedError as refused:
            self._look_for(delegate)
            raise DeviceError(
                f"the delegate {delegate!r} cannot run all of {model.name}",
                *refused.args,
                "falling back to the CPU is forbidden, since it would be measured as the delegate",
            ) from refused

    def _not_here(self, delegate: str, *said: str) -> DeviceError:
        here = (_XNNPACK, NO_DELEGATE, REFERENCE, "the path of a delegate library")
        return self.no_such_delegate(delegate, here, *said)

    def _external(self, delegate: str) -> Any:
        """A delegate from a shared library; a bare name is no delegate this runtime has."""
        # A library may be meant by a name that the system's loader finds: "libedgetpu.so.1".
        if not Path(delegate).is_file() and ".so" not in Path(delegate).name:
            raise self._not_here(delegate)
        options = {name: str(value) for name, value in self.options.items()}
        try:
            return self._package.load_delegate(delegate, options or None)
        except OSError as error:
            if not Path(delegate).is_file():
                raise self._not_here(delegate, first_line(error)) from error
            raise DeviceError(
                f"the delegate {delegate} does not load: {first_line(error)}"
            ) from error
        except ValueError as error:  # it loads, and finds nothing to compute on
            raise self._not_here(delegate, first_line(error)) from error


class TfliteRuntime(Litert):
    """`tflite-runtime` 2.14.0, the last release under the old name.

    It needs numpy 1 and a process that never imported TensorFlow; otherwise it fails with a
    SystemError or `vector::reserve`, so both are refused first.
    """

    name = "tflite-runtime"
    module = "tflite_runtime.interpreter"
    distribution = "tflite-runtime"
    accelerators = ()

    def refuse_environment(self) -> None:
        import importlib.util
        import sys

        import numpy as np

        if importlib.util.find_spec("tflite_runtime") is None:
            return  # the import below says that it is missing
        if "tensorflow" in sys.modules:
            raise RuntimeFault(
                "tflite-runtime cannot run in a process that imported TensorFlow",
                hint=f"an environment of its own: {_OWN_ENVIRONMENT}",
            )
        if int(np.__version__.partition(".")[0]) >= 2:
            raise RuntimeFault(
                f"tflite-runtime needs numpy 1; this environment has numpy {np.__version__}",
                hint=f"an environment of its own: {_OWN_ENVIRONMENT}",
            )


@dataclass(frozen=True)
class _Source:
    """What it takes to load the model once more.

    Attributes:
        model: The file.
        package: Folder of the runtime's package.
        threads: Threads of the interpreter.
        delegate: As in the job.
    """

    model: Path
    package: Path
    threads: int
    delegate: str | None


class _InterpreterModel(LoadedModel):
    def __init__(self, interpreter: Any, executor: str, kernels: str, source: _Source) -> None:
        self._interpreter = interpreter
        self._kernels = kernels
        self._source = source
        self._executor = executor
        names = _signature_names(interpreter)
        input_details = interpreter.get_input_details()
        output_details = interpreter.get_output_details()
        self._input_indices = [detail["index"] for detail in input_details]
        self._output_indices = [detail["index"] for detail in output_details]
        self.inputs = tuple(_describe(detail, names) for detail in input_details)
        self.outputs = tuple(_describe(detail, names) for detail in output_details)
        self.facts = {}

    def set_inputs(self, arrays: Sequence[Array]) -> None:
        for index, array in zip(self._input_indices, arrays, strict=True):
            self._interpreter.set_tensor(index, array)

    def invoke(self) -> None:
        self._interpreter.invoke()

    def get_outputs(self) -> list[Array]:
        return [self._interpreter.get_tensor(index) for index in self._output_indices]

    def ops(self, warmup: int, calls: int) -> Document:
        if self._source.delegate not in (None, NO_DELEGATE, _XNNPACK):
            return unavailable(
                "edgekit profiles LiteRT's own kernels and XNNPACK, no other delegate"
            )
        details = self._interpreter.get_input_details()
        if any(-1 in one["shape_signature"] for one in details):
            return unavailable("LiteRT's profiler takes no file with open sizes")
        return profile_ops(
            self._source.package,
            self._source.model,
            {one["name"]: self._interpreter.get_tensor(one["index"]) for one in details},
            threads=self._source.threads,
            with_xnnpack=self._source.delegate != NO_DELEGATE,
            warmup=warmup,
            calls=calls,
        )

    def placement(self) -> Placement:
        delegates, ops, taken = self._shared_out()
        executors = {self._executor: len(taken), self._kernels: len(ops) - len(taken)}
        return Placement(
            ops=len(ops),
            delegated=len(taken),
            partitions=len(delegates),
            executors={name: count for name, count in executors.items() if count},
            evidence=_EVIDENCE,
            left_out=Counter(n["op_name"] for n in ops if n["index"] not in taken),
        )

    def placed(self) -> Document:
        delegates, ops, taken = self._shared_out()
        names = {one["index"]: one["name"] for one in self._interpreter.get_tensor_details()}
        return {
            "wanted": self._executor if delegates else self._kernels,
            "ops": [
                {
                    "name": str(names.get(int(node["outputs"][0]), "")),
                    "place": node["index"],
                    "kind": node["op_name"],
                    "executor": self._executor if node["index"] in taken else self._kernels,
                    "taken": node["index"] in taken or not delegates,
                }
                for node in ops
            ],
            "reasons": {},
            "evidence": _EVIDENCE,
        }

    def _shared_out(self) -> tuple[list[Any], list[Any], set[int]]:
        """Nodes of delegates, those of the file, and the numbers of those that were swallowed."""
        nodes = self._interpreter._get_ops_details()  # noqa: SLF001  the only way to read it
        delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
        ops = [node for node in nodes if node["op_name"] != "DELEGATE"]
        producer = {
            int(tensor): node["index"] for node in ops for tensor in node["outputs"] if tensor >= 0
        }
        by_index = {node["index"]: node for node in ops}
        swallowed: set[int] = set()
        for partition in delegates:
            fed = {int(tensor) for tensor in partition["inputs"]}
            todo = [int(tensor) for tensor in partition["outputs"]]
            while todo:
                tensor = todo.pop()
                index = producer.get(tensor)
                if tensor in fed or index is None or index in swallowed:
                    continue
                swallowed.add(index)
                todo += [int(source) for source in by_index[index]["inputs"] if source >= 0]
        return delegates, ops, swallowed


def _delegate_nodes(interpreter: Any) -> list[Any]:
    nodes = interpreter._get_ops_details()  # noqa: SLF001  the only way to read it
    return [node for node in nodes if node["op_name"] == "DELEGATE"]


def _signature_names(interpreter: Any) -> dict[int, str]:
    """Tensor index → name in the model's only signature; empty where there is none."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    details = {**runner.get_output_details(), **runner.get_input_details()}
    return {detail["index"]: name for name, detail in details.items()}


def _describe(detail: dict[str, Any], names: dict[int, str]) -> TensorInfo:
    import numpy as np

    scale, zero_point = detail["quantization"]
    quantized = scale > 0
    return TensorInfo(
        name=names.get(detail["index"], detail["name"]),
        dtype=np.dtype(detail["dtype"]).name,
        shape=tuple(int(size) for size in detail["shape"]),
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )
