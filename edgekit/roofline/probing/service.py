"""The child: asks one library for its rates and ends. A fresh process each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from edgekit.agent import machine
from edgekit.process import Emit
from edgekit.roofline.probing.kernel import Kernel, best_rates

MEMORY = "memory"
LIBRARIES = ("numpy", "onnxruntime", "openvino")


def handler() -> Callable[[dict[str, Any], Emit], dict[str, Any]]:
    """For `edgekit.process`.

    Takes "library" (one of `LIBRARIES`, or `MEMORY`), "threads", "cpu" (a core to stay on, or
    null), "seconds" for each kernel and "sizes" in bytes. Answers with "rates", one {"kind",
    "name", "per_s"} a kernel, or with "missing", the package that is not installed.
    """

    def handle(payload: dict[str, Any], _emit: Emit) -> dict[str, Any]:
        if payload["cpu"] is not None:
            machine.pin(int(payload["cpu"]))  # before numpy and the runtime start their threads
        try:
            return {"rates": list(best_rates(_kernels(payload), float(payload["seconds"])))}
        except ModuleNotFoundError as error:
            return {"missing": error.name or "a package"}

    return handle


def _kernels(payload: dict[str, Any]) -> Iterator[Kernel]:
    library, threads = payload["library"], int(payload["threads"])
    if library == MEMORY:
        from edgekit.roofline.probing.numpy import memory_kernels

        return memory_kernels(threads, [int(size) for size in payload["sizes"]])
    kernels: Iterator[Kernel] = import_module(
        f"edgekit.roofline.probing.{library}"
    ).compute_kernels(threads)
    return kernels
