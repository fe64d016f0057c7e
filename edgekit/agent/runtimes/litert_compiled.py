"""LiteRT's accelerators, GPU and NPU, by its newer API: `CompiledModel`.

The processor is forbidden as a fallback: where it is allowed, LiteRT calls a model "fully
accelerated" that it runs itself, with no accelerator there at all. So all of a file runs on the
accelerator, or nothing does. A GPU's call returns before the work is done, so outputs are read in
`invoke`, which is what is timed. Which GPU it is LiteRT tells on stderr only.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.agent.runtimes.base import LoadedModel
from edgekit.agent.runtimes.words import caught
from edgekit.errors import DeviceError
from edgekit.fields import Setting, printable
from edgekit.measure import Placement
from edgekit.passes import Document
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

GPU, NPU = "gpu", "npu"
ACCELERATORS = (GPU, NPU)

_EVIDENCE = "LiteRT: fully accelerated, with the processor forbidden"
# Kind of an option → how it is written in TOML.
_KINDS = {bool: "true or false", int: "a whole number", str: "text"}
# A Vulkan driver that is none of the system's, by the path of its JSON file.
_DRIVER = "vulkan_driver"
_LIBRARIES = ("dispatch_library_path", "compiler_plugin_path")

_ADAPTER = re.compile(
    r"Selected adapter: (?P<name>[^\n]{1,200}?), arch=[^\n]*backend=(?P<backend>\w+)"
    r"(?:, adapterType=(?P<kind>[^\n]{1,40}))?"
)
_SOFTWARE = re.compile(r"(?i)swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bcpu\b")
_TELLING = {
    GPU: re.compile(r"(?i)No adapters found|Couldn't load Vulkan|only supports|not supported"),
    NPU: re.compile(r"(?i)\.so[.\d]*: cannot open|No compiler plugin found|not supported"),
}
_FROM = re.compile(r"^\W*((ERROR|WARNING|Warning): )?(\[\S+:\d+\] ?)?")
_MOST_SAID = 3  # lines

# One ADD of four floats with themselves.
_SMALLEST = base64.b64decode(
    "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAYAAAA6AAAAAMAAAABAAAABAAAACD///8BAAAAEAAAAAwAFA"
    "AQAAwACAAEAAwAAAAQAAAAUAAAAFQAAABYAAAAAQAAABQAAAAAAA4AFAAAABAADAALAAQADgAAABAAAAAAAAALDAAA"
    "ABAAAAB4////AQAAAAEAAAACAAAAAAAAAAAAAAABAAAAAQAAAAEAAAAAAAAAAgAAADQAAAAEAAAA4P///wgAAAAMAA"
    "AAAQAAAGIAAAACAAAAAQAAAAQAAAAMAAwACAAAAAAABAAMAAAACAAAAAwAAAABAAAAYQAAAAIAAAABAAAABAAAAAEA"
    "AAAIAAAABAAEAAQAAAA="
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """The GPU that computes.

    Attributes:
        name: As its driver calls it.
        backend: "Vulkan", "Metal", …
        software: A processor plays it.
    """

    name: str
    backend: str
    software: bool


def adapter_of(said: str) -> Adapter | None:
    """The GPU that LiteRT says it chose; None where it names none."""
    found = _ADAPTER.search(said)
    if found is None:
        return None
    name = printable(found["name"])
    return Adapter(name, found["backend"], _SOFTWARE.search(f"{name} {found['kind']}") is not None)


class RefusedError(Exception):
    """LiteRT does not load a file for an accelerator; its arguments are what it said."""


def load_compiled(
    model: Path,
    accelerator: str,
    options: Mapping[str, Setting],
    *,
    tensors: Mapping[int, TensorInfo],
    ops: int,
) -> LoadedModel:
    """Load a file for an accelerator alone.

    Args:
        model: The file.
        accelerator: One of `ACCELERATORS`.
        options: `vulkan_driver` and the fields of LiteRT's GpuOptions; for an NPU the folders of
            its libraries.
        tensors: The file's inputs and outputs, by their index.
        ops: Operators of the file.

    Raises:
        RefusedError: LiteRT refuses the file, or has no such accelerator: `look_for` says.
        DeviceError: The accelerator has no such option.
    """
    compiled, said = _compiled(str(model), accelerator, options)
    if not compiled.is_fully_accelerated():
        raise RefusedError("LiteRT says that it takes only a part")
    return _AcceleratedModel(compiled, tensors, accelerator, ops, adapter_of(said))


def look_for(accelerator: str, options: Mapping[str, Setting]) -> dict[str, Any]:
    """Load the smallest file for an accelerator.

    Returns:
        Facts of it, and "no_latency": why its time is nobody's latency, or None.

    Raises:
        RefusedError: It is not there.
        DeviceError: It has no such option.
    """
    adapter = adapter_of(_compiled(_SMALLEST, accelerator, options)[1])
    return {**_facts(accelerator, adapter), "no_latency": _why_no_latency(accelerator, adapter)}


def _facts(accelerator: str, adapter: Adapter | None) -> dict[str, Any]:
    if accelerator != GPU:
        return {"accelerator": accelerator}
    return {
        "accelerator": accelerator,
        "gpu": adapter.name if adapter else None,
        "gpu_backend": adapter.backend if adapter else None,
    }


def _why_no_latency(accelerator: str, adapter: Adapter | None) -> str | None:
    if accelerator != GPU:
        return None
    if adapter is None:
        return "LiteRT does not say which GPU computes: it may be a processor"
    return f"{adapter.name}: a processor plays the GPU" if adapter.software else None


def _compiled(
    source: str | bytes, accelerator: str, options: Mapping[str, Setting]
) -> tuple[Any, str]:
    """LiteRT's model of a file, or of its bytes, and what LiteRT said meanwhile."""
    try:
        package = import_module("ai_edge_litert.compiled_model")
    except ImportError as error:
        raise RefusedError(f"this ai-edge-litert is too old: {error}") from error
    settings, places = _settings(package, accelerator, options)
    make = package.CompiledModel.from_file
    if isinstance(source, bytes):
        make = package.CompiledModel.from_buffer
    failure: Exception | None = None
    with caught() as words:
        try:
            compiled = make(
                source, environment=package.Environment.create(**places), options=settings
            )
        except (RuntimeError, ValueError) as error:
            failure = error
    if failure is not None:
        raise RefusedError(*_complaints(failure, words[0], accelerator)) from failure
    return compiled, words[0]


def _settings(
    package: Any, accelerator: str, options: Mapping[str, Setting]
) -> tuple[Any, dict[str, str]]:
    """LiteRT's Options, and the folders of its environment.

    Raises:
        DeviceError: No such option.
    """
    kind = package.HardwareAccelerator
    if accelerator == NPU:
        _refuse_unknown(accelerator, options, _LIBRARIES)
        places = {name: str(value) for name, value in options.items()}
        return package.Options(hardware_accelerators=kind.NPU), places
    known = {one.name for one in fields(package.GpuOptions)}
    _refuse_unknown(accelerator, options, (_DRIVER, *sorted(known)))
    if driver := options.get(_DRIVER):
        # The loader of Vulkan has had two names for it.
        os.environ["VK_DRIVER_FILES"] = os.environ["VK_ICD_FILENAMES"] = str(driver)
    # By default a GPU computes in 16 bits, which changes results.
    usual = package.GpuOptions()
    for name in known.intersection(options):
        kind_of_value = type(getattr(usual, name))
        if kind_of_value in (bool, int, str) and type(options[name]) is not kind_of_value:
            raise DeviceError(
                f"litert: the delegate {accelerator!r}: {name} is {options[name]!r}",
                hint=f"runtime.options.{name} in the device's TOML file: {_KINDS[kind_of_value]}",
            )
    wanted = {"enforce_f32": True, **{name: options[name] for name in options if name in known}}
    return package.Options(
        hardware_accelerators=kind.GPU, gpu_options=package.GpuOptions(**wanted)
    ), {}


def _refuse_unknown(accelerator: str, options: Mapping[str, Setting], known: Sequence[str]) -> None:
    unknown = sorted(set(options).difference(known))
    if unknown:
        raise DeviceError(
            f"litert: the delegate {accelerator!r} has no option {unknown[0]!r}",
            hint=f"one of: {', '.join(known)}",
        )


def _complaints(failure: Exception, said: str, accelerator: str) -> list[str]:
    """What LiteRT says went wrong: the end of its exception, and telling lines of stderr."""
    lines = [str(failure).strip().rpartition("\n")[2]]
    lines += [line for line in said.splitlines() if _TELLING[accelerator].search(line)]
    told = [_FROM.sub("", line).strip() for line in lines]
    return [printable(line[:400]) for line in dict.fromkeys(told) if line][:_MOST_SAID]


class _AcceleratedModel(LoadedModel):
    def __init__(
        self,
        compiled: Any,
        tensors: Mapping[int, TensorInfo],
        accelerator: str,
        ops: int,
        adapter: Adapter | None,
    ) -> None:
        self._compiled = compiled
        self._executor = accelerator.upper()
        self._ops = ops
        signature, names = next(iter(compiled.get_signature_list().items()))
        taken = compiled.get_input_tensor_details(signature)
        given = compiled.get_output_tensor_details(signature)
        self.inputs = tuple(_described(taken[name], name, tensors) for name in names["inputs"])
        self.outputs = tuple(_described(given[name], name, tensors) for name in names["outputs"])
        self._fed = compiled.create_input_buffers(0)
        self._filled = compiled.create_output_buffers(0)
        self._outputs: list[Array] = []
        self.facts = _facts(accelerator, adapter)
        self.no_latency = _why_no_latency(accelerator, adapter)

    def set_inputs(self, arrays: Sequence[Array]) -> None:
        for buffer, array in zip(self._fed, arrays, strict=True):
            buffer.write(array)

    def invoke(self) -> None:
        import numpy as np

        self._compiled.run_by_index(0, self._fed, self._filled)
        # A GPU is at work still: reading waits for it.
        self._outputs = [
            buffer.read(int(np.prod(tensor.shape)), np.dtype(tensor.dtype)).reshape(tensor.shape)
            for buffer, tensor in zip(self._filled, self.outputs, strict=True)
        ]

    def get_outputs(self) -> list[Array]:
        return [array.copy() for array in self._outputs]

    def placement(self) -> Placement:
        return Placement(
            ops=self._ops,
            delegated=self._ops,
            partitions=1,
            executors={self._executor: self._ops},
            evidence=_EVIDENCE,
        )

    def placed(self) -> Document:
        # All of a file runs there, or it was refused: LiteRT tells of no op.
        ops = [
            {"name": "", "place": place, "kind": "", "executor": self._executor, "taken": True}
            for place in range(self._ops)
        ]
        return {"wanted": self._executor, "ops": ops, "reasons": {}, "evidence": _EVIDENCE}


def _described(
    detail: Mapping[str, Any], name: str, tensors: Mapping[int, TensorInfo]
) -> TensorInfo:
    known = tensors.get(int(detail["index"]))
    return TensorInfo(
        name=name,
        dtype=str(detail["dtype"]),
        shape=tuple(int(size) for size in detail["shape"]),
        scale=known.scale if known else None,
        zero_point=known.zero_point if known else None,
    )
