"""`tones`: voiced sounds at 8 kHz, synthesised on demand; each instant from those before it.

A voice holds a vowel for a while: harmonics of a gliding pitch, weighed by the resonances of a
vocal tract, with breath. Vowels have the resonances that Peterson and Barney measured of men
(1952, doi:10.1121/1.1906875), tracts and pitches differ by voice; test voices are heard in no
other split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.generating.mulaw import LEVELS, compress
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Generator = np.random.Generator

# Raise whenever an instant may change. 1: the first.
VERSION = 1

RATE_HZ = 8000
# First three resonances of i, ɛ, ɑ, ɔ and u, in Hz.
VOWELS = (
    (270.0, 2290.0, 3010.0),
    (530.0, 1840.0, 2480.0),
    (730.0, 1090.0, 2440.0),
    (570.0, 840.0, 2410.0),
    (300.0, 870.0, 2240.0),
)
_WIDTHS_HZ = (60.0, 90.0, 150.0)
_SIZES = {"train": 1_000_000, "validation": 10_000, "test": 10_000}
_VOICES = {"train": (0, 200), "validation": (0, 200), "test": (200, 250)}  # numbers, from and to
_HARMONICS = 30
_LONGEST = 1 << 16


class Tones(Dataset):
    """Windows of vowels as µ-law levels; labels are the level that follows each instant.

    Inputs are [length] levels 0–255 of the input's dtype, labels int64 [length]. Sample i is a
    sound of its own, seeded by (split, i).
    """

    name = "tones"
    reference = "tones"
    task = "audio-modelling"
    classes = tuple(str(level) for level in range(LEVELS))
    label_shape = (0,)
    split_rule = "test voices are heard in no other split"
    costly = False

    def fingerprint(self) -> str:
        return digest_json({"tones": VERSION})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> None:  # no one class a sample
        return None

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # each is drawn by itself

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        if len(spec.shape) != 1 or spec.shape[0] > _LONGEST or spec.rate_hz != RATE_HZ:
            raise DataError(
                f"{self.name}: the input {spec.name!r} takes {list(spec.shape)} at "
                f"{spec.rate_hz:,} Hz",
                hint=f"shape = [length], at most {_LONGEST:,}, and rate_hz = {RATE_HZ}",
            )
        (length,) = spec.shape
        heard = [compress(self.sound(split, index, length + 1)) for index in indices]
        levels = np.stack(heard)
        return Samples(levels[:, :-1].astype(spec.dtype), levels[:, 1:])

    def sound(self, split: str, index: int, length: int) -> Array:
        """Sample `index` of a split: float64 [length], in −1–1, at 8 kHz.

        Raises:
            DataError: No such sample.
        """
        import numpy as np

        if not 0 <= index < self.size(split):
            raise DataError(f"tones: {split} has no sample {index}; it has {self.size(split):,}")
        key = (VERSION << 8 | SPLITS.index(split), index)
        random = np.random.Generator(np.random.Philox(key=key))
        voice = int(random.integers(*_VOICES[split]))
        vowel = VOWELS[int(random.integers(len(VOWELS)))]
        return _sung(vowel, voice, random, length)


def _sung(vowel: Sequence[float], voice: int, random: Generator, length: int) -> Array:
    import numpy as np

    own = np.random.Generator(np.random.Philox(key=(VERSION, 1 << 32 | voice)))
    pitch_hz, tract, breath = own.uniform(90, 240), own.uniform(0.9, 1.2), own.uniform(0.002, 0.02)
    glide, swing, loudness = random.uniform(-0.3, 0.3), random.uniform(0, 0.02), random.random()
    at_s = np.arange(length) / RATE_HZ
    # A tremor of five hertz, as singers have; the glide is in octaves a second.
    octaves = glide * at_s + swing * np.sin(2 * np.pi * (5 * at_s + random.random()))
    turned = np.cumsum(pitch_hz * 2**octaves) / RATE_HZ + random.random()
    numbers = np.arange(1, _HARMONICS + 1)
    # Partials beyond the highest frequency that the rate can hold fold back: they are left out.
    heard = numbers[numbers * pitch_hz * 2 ** float(octaves.max()) < RATE_HZ / 2]
    tone = _resonance(heard * pitch_hz, vowel, tract) / heard
    wave = np.sin(2 * np.pi * heard[:, None] * turned) * tone[:, None]
    sound = wave.sum(axis=0)
    sound *= (0.2 + 0.6 * loudness) / np.abs(sound).max()
    return np.asarray(sound + breath * random.standard_normal(length))


def _resonance(hz: Array, vowel: Sequence[float], tract: float) -> Array:
    """How much a tract lets through at these frequencies: peaks of its three resonances."""
    import numpy as np

    total = np.zeros_like(hz)
    for middle, width in zip(vowel, _WIDTHS_HZ, strict=True):
        total += 1 / (1 + ((hz - tract * middle) / width) ** 2)
    return total + 0.02
