"""Let a model file act: it stays loaded in its runtime, on its device, and is asked each time step.

A runtime that crashes takes down a process of its own, never edgekit. Judges nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgekit.datasets import Dataset, require_world
from edgekit.errors import ConversionError
from edgekit.feeding import answering
from edgekit.job import Job
from edgekit.metrics.playing import Played, Policy
from edgekit.tensor import TensorInfo
from edgekit.transports.base import Transport
from edgekit.transports.local import LocalTransport

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


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
    with answering(transport, job, inputs=inputs, outputs=outputs) as asked:

        def policy(states: Array) -> list[Array]:
            found = asked({inputs[0].name: states})
            return [found[tensor.name] for tensor in outputs]

        yield policy


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
