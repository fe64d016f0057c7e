"""The return of a policy: it acts in a world, and what it is paid in each episode is added up.

A policy cannot be judged by outputs for given samples: what it does decides what it sees next. So
a metric that plays asks for the policy as a function, wherever that runs. Pairs of episodes with
the same seed begin alike, which is what differences between two policies are measured on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError
from edgekit.metrics.base import SCALES, Judged
from edgekit.metrics.means import SampleMean

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# States [n, *shape] → one output [n, ...] each; the last scores the actions, the highest is taken.
Policy = Callable[["np.ndarray[Any, Any]"], "Sequence[np.ndarray[Any, Any]]"]
# Told how many episodes are over.
Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What one time step brought, lane by lane.

    Attributes:
        states: float32 [n, *shape], after it.
        rewards: float64 [n].
        terminated: bool [n]: the episode came to its end.
        truncated: bool [n]: its time was up.
    """

    states: Array
    rewards: Array
    terminated: Array
    truncated: Array

    @property
    def ended(self) -> Array:
        """bool [n]: the episode is over, one way or the other."""
        return self.terminated | self.truncated


class World(ABC):
    """Episodes of one environment side by side, each in a lane of its own.

    Attributes:
        actions: How many there are to choose from.
    """

    actions: int

    @abstractmethod
    def begin(self, lanes: Sequence[int], seeds: Sequence[int]) -> Array:
        """Begin an episode in each of these lanes; the same seed, the same episode.

        Returns:
            float32 [n, *shape]: the states they begin with.
        """

    @abstractmethod
    def step(self, lanes: Sequence[int], actions: Array) -> Moved:
        """Let a time step pass in each of these lanes, whose episodes are not over.

        Args:
            lanes: Where.
            actions: int64 [n], one a lane.
        """


def chosen(outputs: Sequence[Array]) -> Array:
    """The action of the highest score in the last output: int64 [n]."""
    import numpy as np

    scores = outputs[-1]
    return np.asarray(scores.reshape(len(scores), -1).argmax(axis=1))


def returns(policy: Policy, world: World, seeds: Array, told: Told | None = None) -> Array:
    """What a policy is paid in one episode for each seed; all are played at once.

    The policy is asked once a time step, for the states of all episodes that are not over.

    Args:
        policy: Asked for the score of each action.
        world: Where; it forgets what it was doing.
        seeds: int64 [N].
        told: Told whenever episodes are over.

    Returns:
        float64 [N].
    """
    import numpy as np

    lanes = np.arange(len(seeds))
    paid = np.zeros(len(seeds))
    states = world.begin(lanes.tolist(), seeds.tolist())
    while len(lanes):
        moved = world.step(lanes.tolist(), chosen(policy(states)))
        paid[lanes] += moved.rewards
        if told is not None and moved.ended.any():
            told(len(seeds) - len(lanes) + int(moved.ended.sum()))
        lanes, states = lanes[~moved.ended], moved.states[~moved.ended]
    return paid


class Played(SampleMean):
    """The mean return of episodes.

    `judge` takes what `play` gives, not outputs for samples. Intervals are a bootstrap of episodes.
    """

    samples_are = "episodes"
    interval = SampleMean.interval.replace("samples", "episodes")
    paired_interval = SampleMean.paired_interval.replace("samples", "episodes")

    def __init__(self, name: str, task: str = "control") -> None:
        super().__init__(name, task, lambda paid, _seeds: paid, SCALES["return"])

    def play(
        self, policy: Policy, world: World, labels: Array, told: Told | None = None
    ) -> list[Array]:
        """The return of the episode of each sample, as `judge` takes it: [float64 [N]].

        Args:
            policy: See `Policy`.
            world: Of the samples' data set.
            labels: int64 [N, 1]: seeds of episodes.
            told: Told whenever episodes are over.

        Raises:
            DataError: The labels are no seeds.
        """
        if labels.ndim != 2 or labels.shape[1] != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"{self.name}: the samples' labels are no seeds of episodes")
        return [returns(policy, world, labels[:, 0], told)]

    def judge(self, outputs: Sequence[Array], labels: Array) -> Judged:
        if outputs[0].shape != (len(labels),):
            raise DataError(f"{self.name} is measured by playing: these are outputs for samples")
        return super().judge(outputs, labels)
