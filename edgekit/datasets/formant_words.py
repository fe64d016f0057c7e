"""`formant-words`: ten made-up words at 8 kHz, spoken by a formant synthesiser, on demand.

A word is a row of sounds: vowels, between whose resonances the voice glides, hisses and stops. Who
speaks (pitch, length of the vocal tract, breath), how fast, how loud, when, and what is heard
besides is drawn for each sample; test voices are heard in no other split. Vowels have the
resonances that Peterson and Barney measured of men (1952, doi:10.1121/1.1906875). Sample i of a
split is word i modulo 10; the rest is seeded by (split, i).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Generator = np.random.Generator

# Raise whenever an instant may change.
# 1: the first.
VERSION = 1

RATE_HZ = 8000
# Several share their vowels or their hisses: no one sound tells a word.
WORDS = ("asa", "isa", "asi", "ushi", "ashu", "ata", "ito", "tasi", "oua", "shiau")
_SIZES = {"train": 1_000_000, "validation": 10_000, "test": 10_000}
_VOICES = {"train": (0, 200), "validation": (0, 200), "test": (200, 250)}  # numbers, from and to
_LONGEST = 1 << 16

_VOWELS = {  # resonances in Hz
    "a": (730.0, 1090.0, 2440.0),
    "i": (270.0, 2290.0, 3010.0),
    "u": (300.0, 870.0, 2240.0),
    "o": (570.0, 840.0, 2410.0),
}
_HISSES = {"s": (2900.0, 3900.0), "sh": (1600.0, 3000.0)}  # lowest and highest frequency
_WIDTHS_HZ = (70.0, 100.0, 160.0)
_LENGTHS_S = {"s": 0.12, "sh": 0.12, "t": 0.08}
_VOWEL_S = 0.14
_GLIDE_S = 0.03
_HARMONICS = 30


class FormantWords(Dataset):
    """Words within silence, hiss and hum: float32 [length], −1 … 1."""

    name = "formant-words"
    reference = "formant-words"
    task = "audio-classification"
    classes = WORDS
    split_rule = "test voices are heard in no other split"

    def fingerprint(self) -> str:
        return digest_json({"formant-words": VERSION})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.arange(self.size(split), dtype=np.int64) % len(WORDS)

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # balanced by construction

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        fits = len(spec.shape) == 1 and spec.shape[0] <= _LONGEST and spec.rate_hz == RATE_HZ
        if not fits or spec.dtype != "float32":
            raise DataError(
                f"{self.name}: the input {spec.name!r} takes {spec.dtype} {list(spec.shape)} at "
                f"{spec.rate_hz:,} Hz",
                hint=f'dtype = "float32", shape [length] up to {_LONGEST:,}, rate_hz = {RATE_HZ}',
            )
        low, high = spec.range
        sounds = np.stack([self.sound(split, index, spec.shape[0]) for index in indices])
        scaled = low + (sounds + 1) * ((high - low) / 2)
        labels = np.asarray(indices, dtype=np.int64) % len(WORDS)
        return Samples(scaled.astype(np.float32), labels)

    def sound(self, split: str, index: int, length: int) -> Array:
        """Sample `index` of a split: float64 [length], −1 … 1.

        Raises:
            DataError: There is no such sample.
        """
        import numpy as np

        if not 0 <= index < self.size(split):
            raise DataError(f"{self.name}: {split} has no {index}; it has {self.size(split):,}")
        key = (VERSION << 8 | SPLITS.index(split), index)
        random = np.random.Generator(np.random.Philox(key=key))
        voice = int(random.integers(*_VOICES[split]))
        word = _spoken(sounds_of(WORDS[index % len(WORDS)]), voice, random)[:length]
        heard = np.zeros(length)
        begin = int(random.integers(length - len(word) + 1))
        heard[begin : begin + len(word)] = word
        heard *= 0.08 * 10 ** random.uniform(0, 1)
        hum = np.sin(2 * np.pi * (100 * np.arange(length) / RATE_HZ + random.random()))
        heard += 10 ** random.uniform(-4, -2.3) * random.standard_normal(length)
        return np.clip(heard + 10 ** random.uniform(-4, -2.3) * hum, -1, 1)


def sounds_of(word: str) -> tuple[str, ...]:
    """A word's sounds: `shiau` is sh, i, a, u."""
    parts = word.replace("sh", " sh ").split()
    return tuple(sound for part in parts for sound in ([part] if part == "sh" else part))


def _spoken(sounds: Sequence[str], voice: int, random: Generator) -> Array:
    """The sounds one after the other: float64, its highest value about 1."""
    import numpy as np

    own = np.random.Generator(np.random.Philox(key=(VERSION, 1 << 32 | voice)))
    pitch_hz, tract, breath = (
        own.uniform(85, 250),
        own.uniform(0.92, 1.18),
        own.uniform(0.005, 0.04),
    )
    pace = random.uniform(0.75, 1.3)
    seconds = [
        pace * _LENGTHS_S.get(sound, _VOWEL_S) * random.uniform(0.85, 1.15) for sound in sounds
    ]
    ends = np.cumsum(np.array(seconds) * RATE_HZ).astype(int)
    count = int(ends[-1])
    voiced, wanted = np.zeros(count), np.zeros((3, count))
    noise = np.zeros(count)
    last = next(_VOWELS[sound] for sound in sounds if sound in _VOWELS)
    for sound, begin, end in zip(sounds, [0, *ends[:-1]], ends, strict=True):
        last = _VOWELS.get(sound, last)
        wanted[:, begin:end] = np.array(last)[:, None]
        if sound in _VOWELS:
            voiced[begin:end] = 1.0
        elif sound == "t":  # closed, then a short burst
            burst = min(end - begin, int(0.015 * RATE_HZ))
            noise[end - burst : end] = 0.5 * _band(burst, (1500.0, 3900.0), random)
        else:
            noise[begin:end] = 0.35 * _band(end - begin, _HISSES[sound], random)
    glide = int(_GLIDE_S * RATE_HZ)
    voiced, *resonances = (_smooth(row, glide) for row in (voiced, *wanted))
    at_s = np.arange(count) / RATE_HZ
    octaves = random.uniform(-0.5, 0.2) * at_s / max(at_s[-1], 0.1)
    turned = np.cumsum(pitch_hz * random.uniform(0.9, 1.1) * 2**octaves) / RATE_HZ
    wave = _harmonics(turned, resonances, pitch_hz, tract)
    wave = wave * voiced + breath * voiced * random.standard_normal(count)
    wave = wave / max(np.abs(wave).max(), 1e-9) + noise
    return np.asarray(wave * _smooth(np.ones(count), glide))


def _harmonics(turned: Array, resonances: Sequence[Array], pitch_hz: float, tract: float) -> Array:
    """A voice whose harmonics are as loud as the resonances, which change in time, let through."""
    import numpy as np

    wave = np.zeros_like(turned)
    for number in range(1, _HARMONICS + 1):
        hz = number * pitch_hz
        if hz > 0.4 * RATE_HZ:  # with what the pitch rises, near what the rate can hold
            break
        loud = sum(
            1 / (1 + ((hz - tract * middle) / width) ** 2)
            for middle, width in zip(resonances, _WIDTHS_HZ, strict=True)
        )
        wave += (loud + 0.02) / number * np.sin(2 * np.pi * number * turned)
    return wave


def _band(count: int, between: tuple[float, float], random: Generator) -> Array:
    """Noise between two frequencies, of a power of 1 or so, swelling and ebbing."""
    import numpy as np

    spectrum = np.fft.rfft(random.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum[(hz < between[0]) | (hz > between[1])] = 0
    noise = np.fft.irfft(spectrum, count)
    noise /= max(float(noise.std()), 1e-9)
    return np.asarray(noise * np.hanning(count + 2)[1:-1])


def _smooth(values: Array, width: int) -> Array:
    """A running mean. Beyond the ends what may be 0 is 0, and frequencies stay as they are."""
    import numpy as np

    ends = (width // 2, width - 1 - width // 2)
    padded = np.pad(values, ends, mode="edge") if values.min() > 1 else np.pad(values, ends)
    total = np.concatenate([[0.0], np.cumsum(padded)])
    return np.asarray((total[width:] - total[:-width]) / width)
