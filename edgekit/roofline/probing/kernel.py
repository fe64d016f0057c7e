"""A kernel that is timed, and how: in the child, the best of many calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

# Kernels are of many millions of operations: long against the clock and the call, short against
# the system's time slices, so that among many calls some are undisturbed.
SQUARES = (512, 1024)

# Channels in and out, height and width, height and width of the kernel.
CONVOLUTIONS = ((256, 28, 3), (512, 14, 3), (512, 14, 1))

_LEAST_CALLS = 5


@dataclass(frozen=True, slots=True)
class Kernel:
    """Something to time.

    Attributes:
        kind: "fp32" or "int8", or the size in bytes of what is moved.
        name: Of the kernel, for people.
        amount: Operations or bytes of one call.
        run: One call.
    """

    kind: str
    name: str
    amount: int
    run: Callable[[], Any]


def best_rates(kernels: Iterator[Kernel], seconds: float) -> Iterator[dict[str, Any]]:
    """The best rate of each kernel: the shortest of its calls in `seconds`.

    What else the machine does only ever lengthens a call, so the shortest is nearest to the limit.
    """
    clock = time.perf_counter_ns
    for kernel in kernels:
        run = kernel.run
        run()
        run()
        shortest, calls, end = 2**62, 0, clock() + int(seconds * 1e9)
        while calls < _LEAST_CALLS or clock() < end:
            start = clock()
            run()
            shortest = min(shortest, clock() - start)
            calls += 1
        yield {
            "kind": kernel.kind,
            "name": kernel.name,
            "per_s": kernel.amount / max(1, shortest) * 1e9,
        }


def square_operations(size: int) -> int:
    """Of a product of two square matrices."""
    return 2 * size**3


def convolution_operations(channels: int, size: int, kernel: int) -> int:
    """Of a convolution that keeps channels and size."""
    return 2 * (channels * kernel * size) ** 2
