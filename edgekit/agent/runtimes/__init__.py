"""The runtimes an agent can load models in; each is imported when a job names it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edgekit.agent.runtimes.base import Runtime

# In the zipapp no entry points exist: what is built in is found here.
BUILT_IN = {
    "litert": ("edgekit.agent.runtimes.litert", "Litert"),
    "tflite-runtime": ("edgekit.agent.runtimes.litert", "TfliteRuntime"),
    "onnxruntime": ("edgekit.agent.runtimes.onnxruntime", "Onnxruntime"),
    "openvino": ("edgekit.agent.runtimes.openvino", "Openvino"),
    "tflite-micro": ("edgekit.agent.runtimes.tflite_micro", "TfliteMicro"),
}


def runtime_class(name: str) -> type[Runtime]:
    """The class of a runtime, built in or from a plug-in; its package is not imported yet.

    Raises:
        UsageError: No runtime of that name.
    """
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        found: type[Runtime] = getattr(import_module(module), attribute)
        return found
    from edgekit import registry

    loaded: Any = registry.load(registry.RUNTIMES, name)
    return loaded  # type: ignore[no-any-return]
