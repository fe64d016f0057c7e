"""Several copies of one model that train together, by `tf.distribute`.

"mirrored": one copy on each GPU of this machine. "multiworker": one on each of several processes,
maybe on several machines, that run the same command and know each other by TF_CONFIG. A batch is
shared out evenly, and losses and gradients are the means over all copies, so that one step moves
the weights as it would with the whole batch in one place.

What a copy normalises by (BatchNormalization) is its own part of the batch, as everywhere else in
Keras: parts should hold 16 samples and more. The moving statistics, which the finished model uses,
are the means over all copies.

Knows TensorFlow's strategies. Does not know what a step computes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from edgekit.errors import UsageError
from edgekit.fields import Fields

STRATEGIES = ("none", "mirrored", "multiworker")

_MOST_WORKERS = 1024
_HINT = (
    'TF_CONFIG=\'{"cluster": {"worker": ["10.0.0.1:9000", "10.0.0.2:9000"]}, '
    '"task": {"type": "worker", "index": 0}}\' on the first, index 1 on the second'
)


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among those that train together.

    Attributes:
        index: Its number; 0 is the one that writes files.
        count: How many there are.
    """

    index: int = 0
    count: int = 1


def read_workers(strategy: str) -> Workers:
    """Which worker this process is, by the environment variable TF_CONFIG; cheap, no TensorFlow.

    Raises:
        UsageError: The strategy is "multiworker" and TF_CONFIG is absent or says something else.
    """
    if strategy != "multiworker":
        return Workers()
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise UsageError("--strategy multiworker: TF_CONFIG is not set", hint=_HINT)
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"TF_CONFIG: not JSON: {error}", hint=_HINT) from None
    config = Fields(data, "TF_CONFIG", UsageError)
    cluster, task = config.table("cluster"), config.table("task")
    addresses = cluster.items("worker", least=1, most=_MOST_WORKERS)
    cluster.done()
    task.text("type", choices=("worker",))
    index = task.integer("index", high=len(addresses) - 1)
    return Workers(index, len(addresses))


class Replicas:
    """The copies of a model.

    Args:
        strategy: A `tf.distribute.Strategy`; None for a single copy.
        workers: This process among all.
    """

    def __init__(self, strategy: Any = None, workers: Workers | None = None) -> None:
        self._strategy = strategy
        self.workers = workers or Workers()

    @property
    def count(self) -> int:
        """Copies in all, on all workers."""
        return int(self._strategy.num_replicas_in_sync) if self._strategy else 1

    def scope(self) -> AbstractContextManager[Any]:
        """Where variables are made, so that every copy has its own."""
        return self._strategy.scope() if self._strategy else nullcontext()

    def run(self, step: Callable[..., Sequence[Any]], batch: Sequence[Any], *others: Any) -> Any:
        """Run `step(*batch, *others)` on every copy, inside a `tf.function`.

        Args:
            step: Gives scalars.
            batch: From `shared_out`.
            others: The same for every copy.

        Returns:
            The mean of each of the scalars over all copies.
        """
        if self._strategy is None:
            return step(*batch, *others)
        results = self._strategy.run(step, args=(*batch, *others))
        return [self._strategy.reduce("MEAN", result, axis=None) for result in results]

    def shared_out(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """This worker's samples [n, ...] as one part [n / copies here, ...] for each copy here.

        Inputs of a model with several are a tuple of tensors, and stay one.
        """
        if self._strategy is None or self.count == self.workers.count:
            return tensors
        here = self.count // self.workers.count

        def parts(tensor: Any) -> Any:
            if isinstance(tensor, tuple):
                return tuple(parts(one) for one in tensor)
            size = len(tensor) // here

            def part(context: Any) -> Any:
                at = context.replica_id_in_sync_group % here * size
                return tensor[at : at + size]

            return self._strategy.experimental_distribute_values_from_function(part)

        return [parts(tensor) for tensor in tensors]

    def mean(self, values: Sequence[Any]) -> Sequence[Any]:
        """Within a step: the mean of each tensor over all copies."""
        return self._reduced("MEAN", values)

    def total(self, values: Sequence[Any]) -> Sequence[Any]:
        """Within a step: the sum of each tensor over all copies."""
        return self._reduced("SUM", values)

    def _reduced(self, how: str, values: Sequence[Any]) -> Sequence[Any]:
        import tensorflow as tf

        if self.count == 1 or not values:
            return values
        # Computed here: what comes from outside the step lies on no copy's device.
        own = [tf.identity(value) for value in values]
        reduced: Sequence[Any] = tf.distribute.get_replica_context().all_reduce(how, own)
        return reduced

    def agreed(self, values: Sequence[float]) -> list[float]:
        """Outside of a step: the mean of each number over all workers, the same on all of them."""
        import tensorflow as tf

        if self.workers.count == 1:
            return list(values)

        # float64: counts of samples and epochs stay what they are.
        numbers = tf.constant(list(values), tf.float64)
        return [float(number) for number in self._strategy.reduce("MEAN", numbers, axis=None)]


def open_replicas(strategy: str, workers: Workers) -> Replicas:
    """Start a strategy. TensorFlow must have done nothing before in this process.

    Args:
        strategy: One of `STRATEGIES`.
        workers: From `read_workers`.
    """
    import tensorflow as tf

    if strategy == "mirrored":
        # Without a GPU: as many CPUs as TensorFlow was told to tell apart, mostly one.
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Replicas(tf.distribute.MirroredStrategy([device.name for device in devices]))
    if strategy == "multiworker":
        return Replicas(tf.distribute.MultiWorkerMirroredStrategy(), workers)
    return Replicas()
