"""ONNX Runtime's execution providers: the one that is asked for, in the package or in a plug-in.

A provider comes with a build of onnxruntime (CUDA, TensorRT, CoreML) or, newer, as a package of its
own beside any onnxruntime (onnxruntime-qnn, onnxruntime-ep-webgpu), which is registered here. That
one is listed does not say that it runs anything: `open_smallest` gives it the smallest model.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import Setting

CPU = "CPUExecutionProvider"
SUFFIX = "ExecutionProvider"

# Which device of a plug-in that has several: an option of edgekit's.
_DEVICE = "device_type"
# TensorRT leaves what it does not take to CUDA, if CUDA may: an option of edgekit's.
_ALLOW_CUDA = "allow_cuda"
_TENSORRT, _CUDA, _QNN = (f"{name}{SUFFIX}" for name in ("Tensorrt", "CUDA", "QNN"))
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_KINDS = ("NPU", "GPU", "CPU")  # the best first
_INTEL = ("x86_64", "amd64")

# One Relu of four floats.
_SMALLEST = (
    b'\x08\x08:;\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x13\n\x01x\x12\x0e\n\x0c\x08\x01\x12\x08'
    b"\n\x02\x08\x01\n\x02\x08\x04b\x13\n\x01y\x12\x0e\n\x0c\x08\x01\x12\x08\n\x02\x08\x01\n\x02\x08"
    b"\x04B\x04\n\x00\x10\r"
)


@dataclass(frozen=True, slots=True)
class Provider:
    """What is asked to run the nodes.

    Attributes:
        name: "CUDAExecutionProvider".
        options: Its own settings, as text.
        devices: Of a plug-in: what onnxruntime found for it; the first is used.
        helpers: Providers that may run what it leaves.
        no_latency: Why its time is nobody's latency; None where it is one.
        partly: Whether the processor may run what it leaves: to see what that is.
    """

    name: str = CPU
    options: Mapping[str, str] | None = None
    devices: tuple[Any, ...] = ()
    helpers: tuple[str, ...] = ()
    no_latency: str | None = None
    partly: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """Which it is, for the environment."""
        if not self.devices:
            return {"provider": self.name}
        device = self.devices[0].device
        return {"provider": self.name, "provider_device": f"{device.type.name} {device.vendor}"}

    def open(self, package: Any, model: str | bytes, options: Any) -> Any:
        """An InferenceSession; the processor is forbidden as a fallback, unless `partly`.

        Args:
            package: onnxruntime.
            model: Its path, or its bytes.
            options: SessionOptions.
        """
        settings = dict(self.options or {})
        if self.name != CPU and not self.partly:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        if self.devices:
            options.add_provider_for_devices([self.devices[0]], settings)
            return package.InferenceSession(model, sess_options=options, enable_fallback=0)
        providers = [(self.name, settings) if settings else self.name, *self.helpers]
        return package.InferenceSession(
            model, sess_options=options, providers=providers, enable_fallback=0
        )


class AbsentError(Exception):
    """There is no such provider.

    Args:
        present: Those that there are.
        details: What is known besides.
    """

    def __init__(self, present: Sequence[str], *details: str) -> None:
        super().__init__()
        self.present = tuple(present)
        self.details = details


# Of this process: a plug-in can be registered once.
_registered: set[str] = set()


def find_provider(package: Any, delegate: str, options: Mapping[str, Setting]) -> Provider:
    """The provider that a person means by `cuda`, `CUDA` or `CUDAExecutionProvider`.

    Args:
        package: onnxruntime.
        delegate: As a person writes it.
        options: Its settings; `allow_cuda` of TensorRT and `device_type` ("npu", "gpu", "cpu") of a
            plug-in are edgekit's.

    Raises:
        AbsentError: This onnxruntime has no such provider, nor has a plug-in.
        DeviceError: A setting has another type.
    """
    wanted = delegate.removesuffix(SUFFIX).lower()
    helpers, settings = _settings(wanted, options)
    before = _listed(package)
    devices = _plug_in(package, wanted)
    if devices and _DEVICE in settings:
        kind = settings.pop(_DEVICE).upper()
        devices = tuple(one for one in devices if one.device.type.name == kind)
    if not devices and (devices is not None or wanted not in before):
        installed = devices is not None
        told = ["its plug-in finds no such device"] if installed else []
        raise AbsentError(sorted(before), *told)
    name = devices[0].ep_name if devices else before[wanted]
    if name == _QNN and not settings:
        settings = {"backend_type": "htp"}
    return Provider(name, settings, devices or (), helpers, _why_no_latency(name))


def open_smallest(package: Any, provider: Provider) -> None:
    """Open the smallest model with a provider; whatever is raised says that it runs nothing."""
    options = package.SessionOptions()
    options.log_severity_level = 4  # what is wrong is in the exception
    session = provider.open(package, _SMALLEST, options)
    if session.get_providers()[0] != provider.name:
        raise RuntimeError(f"onnxruntime put {session.get_providers()[0]} first")


def _listed(package: Any) -> dict[str, str]:
    return {name.removesuffix(SUFFIX).lower(): name for name in package.get_available_providers()}


def _settings(
    wanted: str, options: Mapping[str, Setting]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Providers that may help, and what the provider itself is told."""
    left = dict(options)
    helpers: tuple[str, ...] = ()
    if wanted == "tensorrt":
        allowed = left.pop(_ALLOW_CUDA, False)
        if not isinstance(allowed, bool):
            raise DeviceError(
                f"onnxruntime: {_ALLOW_CUDA}: {allowed!r} is no flag", hint="true or false"
            )
        helpers = (_CUDA,) if allowed else ()
    # Flags as onnxruntime reads them.
    return helpers, {
        key: str(int(value)) if isinstance(value, bool) else str(value)
        for key, value in left.items()
    }


def _plug_in(package: Any, wanted: str) -> tuple[Any, ...] | None:
    """Devices of a provider that an installed package brings, best first; None without one."""
    if not _NAME.fullmatch(wanted) or not hasattr(package, "register_execution_provider_library"):
        return None
    word = wanted.replace("-", "_")
    for module in (f"onnxruntime_ep_{word}", f"onnxruntime_{word}"):
        try:
            found = import_module(module)
            name, library = found.get_ep_name(), found.get_library_path()
        except (ImportError, AttributeError):
            continue
        if name not in _registered:
            package.register_execution_provider_library(name, library)
            _registered.add(name)
        devices = [one for one in package.get_ep_devices() if one.ep_name == name]
        return tuple(sorted(devices, key=lambda one: _KINDS.index(one.device.type.name)))
    return None


def _why_no_latency(name: str) -> str | None:
    if name == _QNN and platform.machine().lower() in _INTEL:
        return "Qualcomm's libraries for x86-64 play the Hexagon in software"
    return None
