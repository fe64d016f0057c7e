"""Find the smallest arena in which tflite-micro loads a file, in a child process.

Allocates only; that the arena serves an inference, too, is shown by whoever then runs in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekit.agent.runtimes.tflite_micro import TfliteMicro, arena_of
from edgekit.errors import RuntimeFault

ENTRY = "edgekit.agent.runtimes.tflite_micro_arena:handler"

_ALIGNMENT = 16
_MOST_STEPS = 24


def handler() -> Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]:
    """For `edgekit.process`: `{"model": …}` → `{"smallest_bytes", "total_bytes", …}`.

    Raises:
        RuntimeFault: The interpreter refuses the file.
    """

    def handle(payload: dict[str, Any], _emit: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        model = Path(payload["model"])
        runtime, content = TfliteMicro(), model.read_bytes()
        taken = arena_of(runtime.interpreter(content, model.name, None))

        def loads(size: int) -> bool:
            try:
                runtime.interpreter(content, model.name, size)
            except RuntimeFault:
                return False
            return True

        return {"smallest_bytes": smallest(taken.total_bytes, loads), **asdict(taken)}

    return handle


def smallest(total: int, loads: Callable[[int], bool]) -> int:
    """The smallest arena, in steps of the interpreter's alignment.

    What stays is `total`; while tensors are prepared a little more is needed. Far below it the
    interpreter does not refuse but crashes, so the search begins there and goes up.

    Args:
        total: What the allocator says it took, in bytes.
        loads: Whether an arena of so many bytes will do.

    Raises:
        RuntimeFault: None of a reasonable size will.
    """
    low = max(0, -(-total // _ALIGNMENT) - 1)  # in steps; does not do
    step = 1
    while not loads(_ALIGNMENT * (high := low + step)):
        low, step = high, 2 * step
        if step > 2**_MOST_STEPS:
            raise RuntimeFault(f"no arena up to {_ALIGNMENT * high:,} bytes will do")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if loads(_ALIGNMENT * middle) else (middle, high)
    return _ALIGNMENT * high
