"""A model file that stays loaded in its runtime, on its device, and is asked step by step.

A runtime that crashes takes down a process of its own, never edgekit. Judges nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgekit.datasets import Dataset, require_world
from edgekit.errors import ConversionError, RuntimeFault
from edgekit.feeding import real, typed
from edgekit.generating.asking import Ask
from edgekit.job import Job
from edgekit.metrics.playing import Played, Policy
from edgekit.tensor import TensorInfo
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@contextmanager
def asking(
    transport: Transport, job: Job, *, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
) -> Iterator[Ask]:
    """While active, a model file as a function, loaded once.

    It takes one array [N, *shape] per input in the order of `inputs`, in the model's own units, and
    gives one array [N, ...] of real values per output in the order of `outputs`.

    Args:
        transport: The way to the device.
        job: Runtime, model, threads and delegate.
        inputs: What the file takes, in the order that arrays will come in.
        outputs: What it gives, in the order that is wanted.

    Raises:
        DeviceError: The device keeps no model loaded.
        RuntimeFault: As it is asked, too: the runtime failed, or gave NaN or infinite values.
    """
    import numpy as np

    whole = replace(job, action="measure", inputs=None, outputs=None)
    with transport.answering(whole) as answering:
        # A runtime may use other names than the file's (":0"); the order is the file's then.
        taken = _order([tensor.name for tensor in inputs], answering.inputs)
        given = _order([tensor.name for tensor in answering.outputs], outputs)

        def ask(arrays: Sequence[Array]) -> list[Array]:
            fed = [typed(array, tensor) for array, tensor in zip(arrays, inputs, strict=True)]
            found = answering([fed[at] for at in taken])
            ordered = zip([found[at] for at in given], outputs, strict=True)
            values = [real(one, tensor) for one, tensor in ordered]
            if not all(np.isfinite(one).all() for one in values):
                raise RuntimeFault(
                    f"{job.runtime}: output values are NaN or infinite for a state it met",
                    hint="fp16 overflows beyond 65504: try fp32 for this target",
                )
            return values

        yield ask


def _order(names: Sequence[str], wanted: Sequence[TensorInfo]) -> list[int]:
    """Where each of the wanted stands among names; as they come, where names differ."""
    known = {name: at for at, name in enumerate(names)}
    if set(known) != {tensor.name for tensor in wanted}:
        return list(range(len(names)))
    return [known[tensor.name] for tensor in wanted]


@contextmanager
def acting(
    transport: Transport, job: Job, *, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]
) -> Iterator[Policy]:
    """While active, a model file as a policy.

    Args:
        transport: The way to the device.
        job: Runtime, model, threads and delegate.
        inputs: What the file takes: one state.
        outputs: What it gives, in the order of the source model's; the last scores actions.

    Raises:
        ConversionError: It has several inputs.
        DeviceError: The device keeps no model loaded.
        RuntimeFault: As it acts, too: the runtime failed, or gave NaN or infinite values.
    """
    if len(inputs) != 1:
        raise ConversionError(f"a policy has one input, the state; this file has {len(inputs)}")
    with asking(transport, job, inputs=inputs, outputs=outputs) as ask:
        yield lambda states: ask([states])


class Episodes:
    """Episodes that the files of an export and their source model play, alike by seed.

    Args:
        metric: Counts what they are paid.
        dataset: Has a world.
        source: The source model.
        wanted: Names of its outputs.
    """

    def __init__(
        self, metric: Played, dataset: Dataset, source: Policy, wanted: Callable[[], Sequence[str]]
    ) -> None:
        self._metric, self._dataset, self._source = metric, dataset, source
        self._wanted = wanted
        self._lock = threading.Lock()
        self._known: dict[bytes, Array] = {}

    def of_source(self, labels: Array) -> Array:
        """What the source model is paid in the episodes of samples, played once: float64 [N]."""
        with self._lock:
            key = labels.tobytes()
            if key not in self._known:
                world = require_world(self._dataset)
                self._known[key] = self._metric.play(self._source, world, labels)[0]
            return self._known[key]

    def of_file(
        self, job: Job, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], labels: Array
    ) -> Array:
        """What a file is paid in them on this machine: float64 [N].

        Args:
            job: Runtime and model.
            inputs: What the file takes.
            outputs: What it gives, in its order.
            labels: int64 [N, 1]: seeds of episodes.

        Raises:
            RuntimeFault: The runtime failed.
        """
        wanted, named = self._wanted(), {tensor.name: tensor for tensor in outputs}
        ordered = [named[n] for n in wanted] if set(named) == set(wanted) else outputs
        with acting(LocalTransport(), job, inputs=inputs, outputs=ordered) as policy:
            return self._metric.play(policy, require_world(self._dataset), labels)[0]
