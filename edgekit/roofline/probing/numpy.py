"""numpy: float32 products by its BLAS, and memory gone through by its loops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from edgekit.roofline.probing.kernel import SQUARES, Kernel, square_operations

_COLUMNS = 1024
# Of one timed call, so that starting it (and threads, and waiting for the last) costs little.
_AT_LEAST_BYTES = 16 * 2**20


def compute_kernels(threads: int) -> Iterator[Kernel]:
    """Products of square matrices; the environment says how many threads BLAS uses."""
    import numpy as np

    del threads
    random = np.random.default_rng(0)
    for size in SQUARES:
        left, right = (random.random((size, size), np.float32) for _ in range(2))
        result = np.empty_like(left)
        yield Kernel(
            "fp32",
            f"matmul {size} × {size}",
            square_operations(size),
            lambda left=left, right=right, result=result: np.matmul(left, right, out=result),  # type: ignore[misc]
        )


def memory_kernels(threads: int, sizes: list[int]) -> Iterator[Kernel]:
    """Copy, add and products with a vector over `sizes` bytes in all, each thread on its own part.

    Bytes are those that the kernel reads and writes; a line fetched only to be overwritten is not
    counted.
    """
    for size in sizes:
        own = size // threads // 12 * 12
        repeats = max(1, _AT_LEAST_BYTES // size)
        for name in ("copy", "add", "dot", "matrix × vector"):
            jobs = [_job(name, own) for _ in range(threads)]
            moved = sum(amount for amount, _ in jobs) * repeats
            calls = [call for _, call in jobs]
            run = _alone(calls[0], repeats) if threads == 1 else _together(calls, repeats)
            yield Kernel(str(size), f"{name}, {size:,} bytes", moved, run)


def _job(name: str, size: int) -> tuple[int, Callable[[], Any]]:
    """Bytes of a call over arrays of `size` bytes in all, and the call."""
    import numpy as np

    if name == "copy":
        source, target = (np.ones(size // 8, np.float32) for _ in range(2))
        return 8 * source.size, lambda: np.copyto(target, source)
    if name == "add":
        left, right, result = (np.ones(size // 12, np.float32) for _ in range(3))
        return 12 * left.size, lambda: np.add(left, right, out=result)
    if name == "dot":
        left, right = (np.ones(size // 8, np.float32) for _ in range(2))
        return 8 * left.size, lambda: np.dot(left, right)
    rows = max(1, size // 4 // _COLUMNS)
    matrix, vector = np.ones((rows, _COLUMNS), np.float32), np.ones(_COLUMNS, np.float32)
    given = np.empty(rows, np.float32)
    return 4 * matrix.size, lambda: np.matmul(matrix, vector, out=given)


def _alone(call: Callable[[], Any], repeats: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(repeats):
            call()

    return run


def _together(calls: list[Callable[[], Any]], repeats: int) -> Callable[[], None]:
    """All calls at once, a thread each: numpy lets others run while it computes."""
    start, end = threading.Barrier(len(calls)), threading.Barrier(len(calls))

    def work(call: Callable[[], Any]) -> None:
        while True:
            start.wait()
            for _ in range(repeats):
                call()
            end.wait()

    for call in calls[1:]:
        threading.Thread(target=work, args=(call,), daemon=True).start()
    time.sleep(0.001)

    def run() -> None:
        start.wait()
        for _ in range(repeats):
            calls[0]()
        end.wait()

    return run
