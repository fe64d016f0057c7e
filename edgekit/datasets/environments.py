"""Environments of gymnasium as data sets: `cartpole` and `acrobot`, for policies.

Sample i of a split is a state met in an episode of its own, under a behaviour between a simple
controller written by hand and pure chance: it serves calibration and parity, so it covers what a
good policy sees, and more. Its label is the seed of another episode, which a policy plays when its
return is measured. Needs no network; what a policy learns from comes from its own training.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit import extras
from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.metrics.playing import Moved, World
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a state may change: caches belong to one version. 1: the first.
VERSION = 1

_SIZES = {"train": 1_000_000, "validation": 2_000, "test": 4_000}
# Shares of random actions; one of them is drawn for each sample.
_CHANCE = (0.0, 0.2, 1.0)
_LONGEST = 120  # steps before a state is taken
# Seeds of episodes by split, apart from each other; those of trainings lie above.
_FIRST_SEED = {"train": 0, "validation": 10_000_000, "test": 20_000_000}
FREE_SEEDS = 30_000_000


class _Lanes(World):
    """Environments of gymnasium, one a lane, made as they are needed."""

    def __init__(self, name: str, actions: int) -> None:
        self.actions = actions
        self._name = name
        self._lanes: list[Any] = []

    def begin(self, lanes: Sequence[int], seeds: Sequence[int]) -> Array:
        import gymnasium
        import numpy as np

        while len(self._lanes) <= max(lanes, default=-1):
            # The checker looks at every step of an environment that is known to be sound.
            self._lanes.append(gymnasium.make(self._name, disable_env_checker=True))
        pairs = zip(lanes, seeds, strict=True)
        states = [self._lanes[lane].reset(seed=seed)[0] for lane, seed in pairs]
        return np.stack(states).astype(np.float32)

    def step(self, lanes: Sequence[int], actions: Array) -> Moved:
        import numpy as np

        taken = zip(lanes, actions.tolist(), strict=True)
        states, rewards, terminated, truncated, _ = zip(
            *(self._lanes[lane].step(action) for lane, action in taken), strict=True
        )
        return Moved(
            np.stack(states).astype(np.float32),
            np.array(rewards, np.float64),
            np.array(terminated, bool),
            np.array(truncated, bool),
        )


class Environment(Dataset):
    """A data set of an environment; classes are its actions.

    Attributes:
        environment: Its name in gymnasium.
        shape: Of a state.

    Raises:
        MissingExtraError: gymnasium is not installed.
    """

    environment: ClassVar[str]
    shape: ClassVar[tuple[int, ...]]
    task = "control"
    label_shape = (1,)
    licence = "MIT"
    split_rule = "seeds of episodes, apart by split"
    costly = False

    def __init__(self) -> None:
        from importlib.util import find_spec

        if find_spec("gymnasium") is None:
            package = extras.owner_of("gymnasium")
            assert package is not None
            raise extras.missing(package)

    @abstractmethod
    def control(self, state: Array) -> int:
        """The action of a simple controller for a state [*shape]."""

    def world(self) -> World:
        return _Lanes(self.environment, len(self.classes))

    def fingerprint(self) -> str:
        from importlib.metadata import version

        return digest_json(
            {"environment": self.environment, "version": VERSION, "gymnasium": version("gymnasium")}
        )

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> None:
        return None

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # each is drawn by itself

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        if spec.shape != self.shape or spec.dtype != "float32":
            raise DataError(
                f"{self.name}: a state is float32 {list(self.shape)}; "
                f"the input {spec.name} takes {spec.dtype} {list(spec.shape)}"
            )
        world = self.world()
        states = np.stack([self._state(world, split, int(index)) for index in indices])
        seeds = np.array([[_FIRST_SEED[split] + int(index)] for index in indices], np.int64)
        return Samples(states, seeds)

    def _state(self, world: World, split: str, index: int) -> Array:
        """The state after a drawn number of steps; an episode that ends before is followed by more.

        Returns:
            float32 [*shape].
        """
        import numpy as np

        if not 0 <= index < self.size(split):
            raise DataError(
                f"{self.name}: {split} has no sample {index}; it has {self.size(split):,}"
            )
        key = (VERSION << 8 | SPLITS.index(split), index)
        random = np.random.Generator(np.random.Philox(key=key))
        chance = _CHANCE[random.integers(len(_CHANCE))]
        state = world.begin([0], [int(random.integers(2**31))])[0]
        for _ in range(random.integers(_LONGEST)):
            by_chance = random.random() < chance
            action = random.integers(world.actions) if by_chance else self.control(state)
            moved = world.step([0], np.array([action]))
            state = moved.states[0]
            if moved.ended[0]:
                state = world.begin([0], [int(random.integers(2**31))])[0]
        return np.asarray(state)


class CartPole(Environment):
    """A pole on a cart that is pushed left or right; each step it stays up pays 1, at most 500.

    Barto, Sutton and Anderson 1983, doi:10.1109/TSMC.1983.6313077.
    """

    name = "cartpole"
    reference = "cartpole"
    environment = "CartPole-v1"
    classes = ("push left", "push right")
    shape = (4,)
    source = "gymnasium's CartPole-v1 (Barto, Sutton and Anderson 1983)"

    def control(self, state: Array) -> int:
        position, speed, angle, turning = (float(value) for value in state)
        return int(angle + 0.5 * turning + 0.05 * position + 0.1 * speed > 0)


class Acrobot(Environment):
    """Two links that hang, a motor between them; each step before the tip is high costs 1.

    At most 500 steps. Sutton 1996, "Generalization in reinforcement learning".
    """

    name = "acrobot"
    reference = "acrobot"
    environment = "Acrobot-v1"
    classes = ("torque down", "no torque", "torque up")
    shape = (6,)
    source = "gymnasium's Acrobot-v1 (Sutton 1996)"

    def control(self, state: Array) -> int:
        # Torque with the second link's turn adds energy to it.
        return 2 if float(state[5]) > 0 else 0
