"""`glyph-clips`: short clips of one glyph, whose class is how it moves; drawn on demand.

Sample i of a split shows kind i modulo 9; the rest is seeded by (split, i). Which glyph it is,
where it begins and how fast it goes say nothing about the kind. Test uses font families and kinds
of ground that training and validation never show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyph_fonts import glyph_mask, mask_height, placed
from edgekit.datasets.glyph_scene import colours, dealt
from edgekit.datasets.glyphs import CLASSES, STYLES, Glyphs
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a pixel may change.
# 1: the first.
VERSION = 1

KINDS = ("left", "right", "up", "down", "clockwise", "anticlockwise", "grow", "shrink", "still")
_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
# A ring that turns looks like one that does not.
_CHARACTERS = tuple(c for c in CLASSES if c not in "0OQ")
_SIZES = {"train": 100_000 * 9, "validation": 1_000 * 9, "test": 1_000 * 9}
_LUMA = (0.299, 0.587, 0.114)


class GlyphClips(Glyphs):
    """Clips of any number of frames and any size: uint8 [frames, height, width, 1].

    Raises:
        MissingExtraError: Pillow or matplotlib (for its fonts) is not installed.
    """

    name = "glyph-clips"
    reference = "glyph-clips"
    task = "video-classification"
    classes = KINDS

    def fingerprint(self) -> str:
        return digest_json({"glyph-clips": VERSION, "of": super().fingerprint()})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.arange(self.size(split), dtype=np.int64) % len(KINDS)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        if len(spec.shape) != 4 or spec.shape[-1] != 1 or spec.dtype != "uint8":
            raise DataError(
                f"{self.name}: the input {spec.name!r} takes {spec.dtype} {list(spec.shape)}",
                hint='an input for clips has dtype = "uint8", shape [frames, height, width, 1]',
            )
        frames, height, width, _ = spec.shape
        clips = np.stack([self.clip(split, index, frames, height, width) for index in indices])
        labels = np.asarray(indices, dtype=np.int64) % len(KINDS)
        return Samples(clips, labels)

    def clip(self, split: str, index: int, frames: int, height: int, width: int) -> Array:
        """Sample `index` of a split: uint8 [frames, height, width, 1].

        Raises:
            DataError: There is no such sample.
        """
        import numpy as np

        if not 0 <= index < self.size(split):
            raise DataError(f"{self.name}: {split} has no {index}; it has {self.size(split):,}")
        key = ((VERSION << 8 | SPLITS.index(split)) << 8 | 2, index)
        rng, face, texture = dealt(STYLES[split], key)
        character = _CHARACTERS[int(rng.integers(len(_CHARACTERS)))]
        dice = rng.random(8).tolist()
        near, far, ink = (
            sum(part * share for part, share in zip(colour, _LUMA, strict=True))
            for colour in colours(dice[0], rng.random((3, 4)).tolist())
        )
        ground = near + (far - near) * texture(height, width, rng)
        kind = KINDS[index % len(KINDS)]
        clip = np.empty((frames, height, width, 1), np.float32)
        for at in range(frames):
            # −½ … ½: what a clip shows in its middle is the same for every kind.
            time = at / max(frames - 1, 1) - 0.5
            mask = _covered(character, face, dice[1:], kind=kind, time=time, shape=clip.shape)
            clip[at, ..., 0] = ground + (ink - ground) * mask
        grain = 2 + 8 * dice[7] ** 2
        clip += grain * rng.standard_normal(clip.shape, np.float32)
        return np.clip(np.rint(clip), 0, 255).astype(np.uint8)


def _covered(
    character: str,
    face: str,
    dice: Sequence[float],
    *,
    kind: str,
    time: float,
    shape: tuple[int, ...],
) -> Array:
    """How much of each pixel the glyph covers at `time` (−½…½): float32 [height, width], 0–1."""
    height, width = shape[1:3]
    speed = dice[0]
    across, down = _WAYS.get(kind, (0, 0))
    reach = 0.2 + 0.3 * speed
    x = 0.5 + 0.16 * (dice[1] - 0.5) + across * reach * time
    y = 0.5 + 0.16 * (dice[2] - 0.5) + down * reach * time
    turn = math.radians(40) * (dice[3] - 0.5)
    turn += (
        {"clockwise": 1, "anticlockwise": -1}.get(kind, 0) * math.radians(40 + 70 * speed) * time
    )
    tall = (0.4 + 0.2 * dice[4]) * height
    tall *= (1.5 + speed) ** ({"grow": 1, "shrink": -1}.get(kind, 0) * time)
    source = glyph_mask(face, character, int(dice[5] * 3), mask_height(tall))
    return placed(source, tall, turn, (x, y), (height, width))
