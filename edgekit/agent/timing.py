"""The action "measure": time a loaded model call by call and keep every sample.

Load, first call and warm-up are kept apart from the timed calls. `invoke` and the whole call are
timed apart, because setting and reading tensors costs what the runtime's Python binding costs. The
process is fresh, pinned if the job says so, and the garbage collector is off. Summarises nothing.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edgekit.errors import DataError
from edgekit.job import Timing
from edgekit.measure import MOST_CALLS
from edgekit.tensor import TensorInfo

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Timed(Protocol):
    """What is timed: the three parts of a call."""

    def set_inputs(self, arrays: Sequence[Array]) -> None: ...
    def invoke(self) -> None: ...
    def get_outputs(self) -> list[Array]: ...


@dataclass(frozen=True, slots=True)
class Series:
    """Durations in nanoseconds, in call order; see `edgekit.measure.Measurement`."""

    samples_ns: tuple[int, ...]
    call_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    warmup_ns: tuple[int, ...]
    first_ns: int


def time_calls(
    model: Timed,
    inputs: Sequence[Array],
    timing: Timing,
    *,
    before_timed: Callable[[], None] = lambda: None,
    after_timed: Callable[[], None] = lambda: None,
) -> Series:
    """Make the first call, the warm-up and the timed calls.

    Args:
        model: Loaded, never called before.
        inputs: One array per input, with batch axis.
        timing: The rules.
        before_timed: Called right before the timed calls.
        after_timed: Called right after them.
    """
    first, warmup = begin(model, inputs, timing.warmup_calls)
    # Room for twice the calls that fit at the pace of the warm-up, so that nothing grows later.
    pace = max(1, min(warmup, default=first))
    room = int(2 * timing.seconds * 1e9 / pace) + timing.min_calls
    with no_collector():
        before_timed()
        samples, whole, cpu = calls(
            model, inputs, timing.min_calls, seconds=timing.seconds, room=min(room, MOST_CALLS)
        )
        after_timed()
    return Series(tuple(samples), tuple(whole), tuple(cpu), tuple(warmup), first)


def begin(model: Timed, inputs: Sequence[Array], warmup_calls: int) -> tuple[int, array[int]]:
    """Make the first call and the warm-up.

    Returns:
        Duration of the first whole call, and of `invoke` in each warm-up call, in nanoseconds.
    """
    clock = time.perf_counter_ns
    start = clock()
    model.set_inputs(inputs)
    model.invoke()
    model.get_outputs()
    first = clock() - start
    return first, calls(model, inputs, warmup_calls, seconds=0.0)[0]


@contextmanager
def no_collector() -> Iterator[None]:
    """Collect garbage now, and not again until the end."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def calls(
    model: Timed, inputs: Sequence[Array], at_least: int, *, seconds: float, room: int = 0
) -> tuple[array[int], array[int], array[int]]:
    """Call until `at_least` calls are made and `seconds` are over, at most `room` times.

    Returns:
        Wall time of invoke, of the whole call, and CPU time of invoke.
    """
    room = max(room, at_least)
    samples, whole, cpu = (array("q", bytes(8 * room)) for _ in range(3))
    clock, cpu_clock = time.perf_counter_ns, time.process_time_ns
    set_inputs, invoke, get_outputs = model.set_inputs, model.invoke, model.get_outputs
    done = 0
    end = clock() + int(seconds * 1e9)
    while done < room:
        t0 = clock()
        set_inputs(inputs)
        t1 = clock()
        c0 = cpu_clock()
        t2 = clock()
        invoke()
        t3 = clock()
        c1 = cpu_clock()
        t4 = clock()
        get_outputs()
        t5 = clock()
        samples[done] = t3 - t2
        # The CPU clock takes most of a microsecond: it stands outside all three parts.
        whole[done] = (t1 - t0) + (t3 - t2) + (t5 - t4)
        cpu[done] = c1 - c0
        done += 1
        if t5 >= end and done >= at_least:
            break
    return samples[:done], whole[:done], cpu[:done]


def random_inputs(inputs: Sequence[TensorInfo], seed: int = 0) -> list[Array]:
    """One sample of random values: integers over their whole range, floats in 0–1.

    Raises:
        DataError: A size besides the batch is not fixed, or the dtype is neither.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    sample: list[Array] = []
    for tensor in inputs:
        shape = (1, *tensor.shape[1:]) if tensor.shape else ()
        if any(size < 1 for size in shape):
            raise DataError(
                f"input {tensor.name} has open sizes {tensor.shape}", hint="give it real samples"
            )
        if tensor.dtype in ("int8", "uint8"):
            limits = np.iinfo(tensor.dtype)
            values = random.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True)
        elif tensor.dtype in ("float16", "float32", "float64"):
            values = random.random(shape).astype(tensor.dtype)
        elif tensor.dtype in ("bool", "int16", "int32", "int64"):
            # Wider integers are indices as a rule: 0 and 1 are always in range.
            values = random.integers(0, 2, shape).astype(tensor.dtype)
        else:
            raise DataError(f"input {tensor.name} is {tensor.dtype}", hint="give it real samples")
        sample.append(values)
    return sample
