"""`gestures` and `gesture-streams`: what a device on a wrist measures, made on demand.

The default for sequences: any sample of any split is made from its index alone. Test shows people
(tempo, reach, how the device sits) and surroundings that training and validation never show. Owns
splits, labels and the sensor's faults; how a hand moves is `gesture_motion`'s.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.datasets.gesture_motion import (
    CHANNELS,
    CLASSES,
    MOST_G,
    MOST_RAD_S,
    RATE_HZ,
    Interval,
    Motion,
    People,
    move,
    uniforms_for,
)
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a value may change: checkpoints and caches belong to one version.
# 1: the first.
VERSION = 1

TRAINING = People(
    tempo=((0.8, 1.2),),
    reach=((0.75, 1.25),),
    grip=((0.0, 25.0),),
    slant=((0.0, 15.0),),
    forearm=((0.25, 0.33),),
    noise=(0.01, 0.03),
    surroundings=("resting", "walking", "cycling"),
)
# Nobody of these is in the training: quicker or slower, smaller or larger, turned further.
TESTED = People(
    tempo=((0.72, 0.8), (1.2, 1.28)),
    reach=((0.68, 0.75), (1.25, 1.32)),
    grip=((25.0, 30.0),),
    slant=((15.0, 20.0),),
    forearm=((0.22, 0.25), (0.33, 0.36)),
    noise=(0.03, 0.04),
    surroundings=("running", "vehicle"),
)
PEOPLE = {"train": TRAINING, "validation": TRAINING, "test": TESTED}

_SIZES = {"train": 100_000 * len(CLASSES), "validation": 10_000, "test": 10_000}
_BIAS_G, _BIAS_RAD_S = 0.04, 0.08
_OF_SENSOR = 7  # uniform numbers: of its noise and of six biases


class _Sensed(Dataset):
    """Windows of readings; a subclass says which gestures are in them.

    Attributes:
        steps: Of a window.
        gestures: At most so many in a window.
        first: Seconds before the first begins.
    """

    classes = CLASSES
    split_rule = "test: people, surroundings and noise that training and validation never show"
    costly = False
    steps: ClassVar[int]
    gestures: ClassVar[int]
    first: ClassVar[Interval]

    def fingerprint(self) -> str:
        return digest_json({self.name: VERSION})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # any run of samples is balanced

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        wanted = (self.steps, CHANNELS)
        if spec.shape != wanted or not spec.dtype.startswith("float"):
            raise DataError(
                f"{self.name}: the input {spec.name!r} takes {spec.dtype} {list(spec.shape)}, "
                f"not {self.steps} readings of {CHANNELS} sensors",
                hint=f'an input for it has dtype = "float32" and shape = {list(wanted)}',
            )
        values, motion = self.sense(split, indices)
        return Samples(values.astype(spec.dtype), self._labels(np.asarray(indices), motion))

    def sense(self, split: str, indices: Sequence[int]) -> tuple[Array, Motion]:
        """Samples as the sensors give them, float64 [N, T, 6], and what happened in them.

        Raises:
            DataError: No such sample.
        """
        import numpy as np

        known, people = self.size(split), PEOPLE[split]
        of_sensor = _OF_SENSOR + self.gestures
        chance = np.empty((len(indices), of_sensor + uniforms_for(self.gestures)))
        noise = np.empty((len(indices), self.steps, CHANNELS))
        stream = VERSION << 16 | self.gestures << 8 | SPLITS.index(split)
        for row, index in enumerate(indices):
            if not 0 <= index < known:
                raise DataError(f"{self.name}: {split} has no sample {index}; it has {known:,}")
            random = np.random.Generator(np.random.Philox(key=(stream, int(index))))
            chance[row] = random.random(chance.shape[1])
            noise[row] = random.standard_normal(noise.shape[1:])
        own, movement = chance[:, :of_sensor], chance[:, of_sensor:]
        kinds = self._kinds(np.asarray(indices), own[:, _OF_SENSOR:])
        motion = move(kinds, movement, people, self.steps, self.first)
        low, high = people.noise
        deviation = (low + (high - low) * own[:, 0])[:, None, None]
        units = np.array([1.0] * 3 + [5.0] * 3)  # a gyroscope's noise beside an accelerometer's
        bias = (2 * own[:, 1:7] - 1) * np.array([_BIAS_G] * 3 + [_BIAS_RAD_S] * 3)
        values = motion.readings + bias[:, None] + noise * deviation * units
        most = np.array([MOST_G] * 3 + [MOST_RAD_S] * 3)
        return np.clip(values, -most, most), motion

    @abstractmethod
    def _kinds(self, indices: Array, chance: Array) -> Array:
        """int64 [N, gestures] of the samples; `chance` is float64 [N, gestures] in 0–1."""

    @abstractmethod
    def _labels(self, indices: Array, motion: Motion) -> Array:
        """int64 [N, *label_shape]."""

    def facts(self) -> dict[str, str]:
        return {"window": f"{self.steps} steps, {self.steps / RATE_HZ:.2f} s at {RATE_HZ:.0f} Hz"}


class Gestures(_Sensed):
    """Sample i of a split shows gesture i modulo 10; the rest is seeded by (split, i)."""

    name = "gestures"
    reference = "gestures"
    task = "sequence-classification"
    steps = 64
    gestures = 1
    first = (0.05, 0.3)

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.arange(self.size(split), dtype=np.int64) % len(CLASSES)

    def _kinds(self, indices: Array, chance: Array) -> Array:
        import numpy as np

        return indices.astype(np.int64)[:, None] % len(CLASSES)

    def _labels(self, indices: Array, motion: Motion) -> Array:
        return self._kinds(indices, indices)[:, 0]


class GestureStreams(_Sensed):
    """Longer windows, up to three gestures one after the other: a class for each step.

    Everything is seeded by (split, i). "nothing" is between gestures, too.
    """

    name = "gesture-streams"
    reference = "gesture-streams"
    task = "sequence-tagging"
    label_shape = (128,)
    steps = 128
    gestures = 3
    first = (0.1, 0.5)

    def labels(self, split: str) -> None:
        return None  # no one class a sample

    def _kinds(self, indices: Array, chance: Array) -> Array:
        import numpy as np

        return (chance * len(CLASSES)).astype(np.int64)

    def _labels(self, indices: Array, motion: Motion) -> Array:
        return motion.active
