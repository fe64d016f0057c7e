"""Samples that the policy under training gathers itself, by acting in the world of a data set.

Two ways to use what was met: `Replay` keeps transitions and draws from all of them (off-policy, and
to learn a model of the world), `Rollouts` uses the latest ones a few times and forgets them
(on-policy). Both act in the very step that needs it, never ahead, so that a training repeats. Knows
policies as functions; minimizes nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.datasets.environments import FREE_SEEDS
from edgekit.metrics.playing import Moved, Policy, World, chosen
from edgekit.training.feed import Source

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Lanes:
    """Episodes side by side without end: one that is over is followed by the next.

    Args:
        world: Where.
        count: How many episodes at a time.

    Attributes:
        states: float32 [count, *shape], now.
    """

    def __init__(self, world: World, count: int) -> None:
        self.world = world
        self._all = list(range(count))
        self.states: Array

    def begin(self, random: np.random.Generator) -> None:
        """Begin anew in all lanes; `random` gives the seeds of episodes from now on."""
        self._random = random
        self.states = self.world.begin(self._all, self._seeds(len(self._all)))

    def step(self, actions: Array) -> Moved:
        """Let a time step pass; `states` are those to act in next, of new episodes too.

        Args:
            actions: int64 [count].

        Returns:
            What it brought: states of episodes that are over are their last ones.
        """
        moved = self.world.step(self._all, actions)
        self.states = moved.states.copy()
        over = [lane for lane in self._all if moved.ended[lane]]
        if over:
            self.states[over] = self.world.begin(over, self._seeds(len(over)))
        return moved

    def _seeds(self, count: int) -> list[int]:
        return [int(n) for n in self._random.integers(FREE_SEEDS, 2**31, count)]


class Experience(Source):
    """A source that acts; an epoch begins new episodes, so that it repeats after a stop.

    Args:
        world: Of the data set.
        seed: Of the training.
        lanes: Episodes at a time.
    """

    ahead = False

    def __init__(self, world: World, *, seed: int, lanes: int) -> None:
        self.lanes = Lanes(world, lanes)
        self._seed = seed
        self._epoch = 0
        self.random: np.random.Generator

    def read(self, batches: Array) -> Iterator[tuple[Array, Array]]:
        import numpy as np

        keys = ((self._seed, 2 * self._epoch), (self._seed, 2 * self._epoch + 1))
        seeds, self.random = (np.random.Generator(np.random.Philox(key=key)) for key in keys)
        self.lanes.begin(seeds)
        yield from self.gather(*batches.shape)
        self._epoch += 1

    @abstractmethod
    def gather(self, steps: int, batch: int) -> Iterator[tuple[Array, Array]]:
        """Inputs [batch, *shape] and labels [batch, k] of so many steps of the optimizer."""

    def arrays(self) -> list[Array]:
        import numpy as np

        return [np.array(self._epoch)]

    def restore(self, arrays: Sequence[Array]) -> None:
        self._epoch = int(arrays[0])

    def close(self, *, failed: bool) -> None:
        pass  # environments hold nothing


class Replay(Experience):
    """Transitions, drawn at random from the latest `capacity` (Lin 1992, doi:10.1007/BF00992699).

    Labels are float32 [batch, 3 + size of a state]: action, reward, 1 where the episode came to its
    end (not where its time was up), and the next state. What is kept goes into the state of the
    training, so that one that was stopped goes on with it.

    Args:
        policy: Acts: the action of its highest score.
        world: Of the data set.
        seed: Of the training.
        chance: Share of random actions after so many time steps of a lane.
        capacity: Transitions that are kept.
        first: Transitions before the first batch, all of random actions.
        lanes: Episodes at a time; each batch lets one time step pass.
    """

    def __init__(
        self,
        policy: Policy,
        world: World,
        *,
        seed: int,
        chance: Callable[[int], float],
        capacity: int = 50_000,
        first: int = 1000,
        lanes: int = 8,
    ) -> None:
        super().__init__(world, seed=seed, lanes=lanes)
        self._policy, self._chance = policy, chance
        self._capacity, self._first, self._count = capacity, first, lanes
        self._passed = 0  # transitions met
        self._states: Array | None = None
        self._labels: Array | None = None

    def gather(self, steps: int, batch: int) -> Iterator[tuple[Array, Array]]:
        for _ in range(steps):
            self._act()
            while self._passed < self._first:
                self._act()
            assert self._states is not None
            assert self._labels is not None
            kept = min(self._passed, self._capacity)
            rows = self.random.integers(kept, size=batch)
            yield self._states[rows], self._labels[rows]

    def _act(self) -> None:
        """One time step in every lane."""
        import numpy as np

        states, count = self.lanes.states, self._count
        actions = self.random.integers(self.lanes.world.actions, size=count)
        if self._passed >= self._first:
            by_chance = self.random.random(count) < self._chance(self._passed // count)
            actions = np.where(by_chance, actions, chosen(self._policy(states)))
        moved = self.lanes.step(actions)
        columns = [actions, moved.rewards, moved.terminated]
        flat = moved.states.reshape(count, -1)
        labels = np.concatenate([np.stack(columns, 1), flat], axis=1).astype(np.float32)
        if self._states is None or self._labels is None:
            self._states = np.zeros((self._capacity, *states.shape[1:]), np.float32)
            self._labels = np.zeros((self._capacity, labels.shape[1]), np.float32)
        rows = (self._passed + np.arange(count)) % self._capacity
        self._states[rows], self._labels[rows] = states, labels
        self._passed += count

    def arrays(self) -> list[Array]:
        import numpy as np

        found = [*super().arrays(), np.array(self._passed)]
        if self._states is not None and self._labels is not None:
            kept = min(self._passed, self._capacity)
            found += [self._states[:kept].copy(), self._labels[:kept].copy()]
        return found

    def restore(self, arrays: Sequence[Array]) -> None:
        import numpy as np

        epoch, passed, *kept = arrays
        super().restore([epoch])
        self._passed = int(passed)
        if kept:
            self._states, self._labels = (
                np.zeros((self._capacity, *one.shape[1:]), np.float32) for one in kept
            )
            self._states[: len(kept[0])], self._labels[: len(kept[1])] = kept


@dataclass(frozen=True, slots=True)
class Advantages:
    """How advantages are estimated (Schulman et al. 2016, arXiv 1506.02438).

    Attributes:
        discount: Of a reward one step later.
        decay: λ: 0 trusts the values of states, 1 what was paid.
    """

    discount: float = 0.99
    decay: float = 0.95

    def of(self, moves: Sequence[Moved], values: Array, after: Array) -> Array:
        """Advantages of consecutive time steps.

        Args:
            moves: T of them, in n lanes.
            values: float [T, n], of the states acted in.
            after: float [T, n], of the states that followed: the last ones of episodes.

        Returns:
            float64 [T, n].
        """
        import numpy as np

        found, later = np.zeros(values.shape), np.zeros(values.shape[1])
        for at in range(len(moves) - 1, -1, -1):
            moved = moves[at]
            # An episode whose time was up would have gone on: its last state is worth something.
            worth = np.where(moved.terminated, 0.0, after[at])
            surprise = moved.rewards + self.discount * worth - values[at]
            later = surprise + self.discount * self.decay * np.where(moved.ended, 0.0, later)
            found[at] = later
        return found


class Rollouts(Experience):
    """What the policy met just now, each transition seen a few times and then forgotten.

    Actions are drawn by the softmax of the policy's scores. Labels are float32 [batch, 4]: action,
    advantage (of a rollout's mean 0 and deviation 1), return, and the logarithm of the chance that
    the action had.

    Args:
        policy: Gives the scores.
        values: Worth of states [n, *shape] → float [n].
        world: Of the data set.
        seed: Of the training.
        advantages: How they are estimated.
        steps: Time steps of a rollout.
        passes: Times that each transition is seen.
        lanes: Episodes at a time.
    """

    def __init__(
        self,
        policy: Policy,
        values: Callable[[Any], Any],
        world: World,
        *,
        seed: int,
        advantages: Advantages,
        steps: int = 128,
        passes: int = 4,
        lanes: int = 16,
    ) -> None:
        super().__init__(world, seed=seed, lanes=lanes)
        self._policy, self._values, self._advantages = policy, values, advantages
        self._steps, self._passes, self._count = steps, passes, lanes

    def gather(self, steps: int, batch: int) -> Iterator[tuple[Array, Array]]:
        done = 0
        while done < steps:
            states, labels = self._rollout()
            for _ in range(self._passes):
                order = self.random.permutation(len(states))
                for at in range(0, len(order) - batch + 1, batch):
                    if done == steps:
                        return
                    rows = order[at : at + batch]
                    yield states[rows], labels[rows]
                    done += 1

    def _rollout(self) -> tuple[Array, Array]:
        import numpy as np

        met: list[Array] = []
        moves: list[Moved] = []
        taken: list[tuple[Array, Array]] = []
        for _ in range(self._steps):
            states = self.lanes.states
            shares = _log_softmax(self._policy(states)[-1])
            # The largest of Gumbel noise on logarithms of chances is a draw by these chances.
            actions = (shares + self.random.gumbel(size=shares.shape)).argmax(axis=1)
            taken.append((actions, np.take_along_axis(shares, actions[:, None], 1)[:, 0]))
            met.append(states)
            moves.append(self.lanes.step(actions))
        before, after = np.stack(met), np.stack([moved.states for moved in moves])
        shape = (-1, *before.shape[2:])
        values, later = (
            np.asarray(self._values(one.reshape(shape)), np.float64).reshape(before.shape[:2])
            for one in (before, after)
        )
        advantages = self._advantages.of(moves, values, later)
        scaled = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        actions, chances = (np.stack(column) for column in zip(*taken, strict=True))
        columns = (actions, scaled, advantages + values, chances)
        labels = np.stack([column.ravel() for column in columns], axis=1).astype(np.float32)
        return before.reshape(shape), labels


def _log_softmax(scores: Array) -> Array:
    """float64 [n, actions]."""
    import numpy as np

    values = scores.reshape(len(scores), -1).astype(np.float64)
    values = values - values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))
