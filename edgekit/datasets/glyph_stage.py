"""Draw glyphs that move over a ground: frames with the box, identity and visible share of each.

A stage follows from a key; a frame of it from a time. The same key, time and size give the same
pixels, and frames may be drawn in any order. Lengths follow the picture's size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.datasets.glyph_fonts import glyph_mask, mask_height, placed
from edgekit.datasets.glyph_motions import Motion
from edgekit.datasets.glyph_scene import Style, colours, exposed

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FEWEST, MOST = 3, 6  # glyphs of a stage
# A glyph of which less is to be seen has no box: nobody could find it.
SEEN = 0.3

_GROUND, _GRAIN = 1 << 60, 1 << 61  # streams of random numbers beside the dice's


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a stage.

    Attributes:
        image: uint8 [height, width, 3], RGB.
        identities: int64 [K], rising: the glyphs of which at least `SEEN` is to be seen.
        boxes: float64 [K, 4], left, top, right, bottom of all of a glyph that lies in the picture,
            what others cover too, as parts (0–1) of it.
        visible: float64 [K], which share of a glyph's ink is to be seen.
    """

    image: Array
    identities: Array
    boxes: Array
    visible: Array


@dataclass(frozen=True, slots=True)
class _Actor:
    """One glyph: what it looks like and how it moves; later ones cover earlier ones."""

    character: str
    face: str
    ink: list[float]
    motion: Motion
    dice: tuple[float, ...]

    def mask(self, time: float, height: int, width: int) -> tuple[Array, float]:
        """Its coverage of the picture, 0–1 [height, width], and all its ink in pixels."""
        import numpy as np

        size, stroke, swing, pace, *path = self.dice
        tall = (0.22 + 0.14 * size) * height
        tall *= 1 + 0.12 * math.sin(2 * math.pi * (pace + time / 130))
        turn = math.radians(14 * math.sin(2 * math.pi * (swing + time / (60 + 60 * pace))))
        x, y = self.motion(path, time)
        source = glyph_mask(self.face, self.character, int(stroke * 3), mask_height(tall))
        ink = float(np.asarray(source, np.float32).sum()) * (tall / source.height) ** 2 / 255
        return placed(source, tall, turn, (x, y), (height, width)), ink


class Stage:
    """A ground with glyphs that move over it.

    Args:
        characters: What glyphs may show.
        style: Faces and grounds.
        motions: Paths.
        key: Two integers below 2**60; everything random follows from them.
    """

    def __init__(
        self, characters: str, style: Style, motions: tuple[Motion, ...], key: tuple[int, int]
    ) -> None:
        import numpy as np

        rng = np.random.Generator(np.random.Philox(key=key))
        self._key = key
        self._texture = style.textures[int(rng.integers(len(style.textures)))]
        self._camera = rng.random(5).tolist()
        die, tints = float(rng.random()), rng.random((3, 4)).tolist()
        self._ground_a, self._ground_b, _ = colours(die, tints)
        self._actors = []
        for _ in range(int(rng.integers(FEWEST, MOST + 1))):
            # The contrast is one for all: it decides how light the ground is.
            hue = [*rng.random(3).tolist(), tints[2][3]]
            self._actors.append(
                _Actor(
                    character=characters[int(rng.integers(len(characters)))],
                    face=style.faces[int(rng.integers(len(style.faces)))],
                    ink=colours(die, [*tints[:2], hue])[2],
                    motion=motions[int(rng.integers(len(motions)))],
                    dice=tuple(rng.random(12).tolist()),
                )
            )
        self._ground: tuple[tuple[int, int], Array] | None = None

    @property
    def characters(self) -> str:
        """What each glyph shows, by identity."""
        return "".join(actor.character for actor in self._actors)

    def frame(self, time: float, height: int, width: int) -> Frame:
        """The picture at `time`, in frames from 0, of `height` × `width` pixels."""
        import numpy as np

        picture = self._painted(height, width).copy()
        masks, inks = zip(*(a.mask(time, height, width) for a in self._actors), strict=True)
        for actor, mask in zip(self._actors, masks, strict=True):
            for channel in range(3):
                picture[channel] += (actor.ink[channel] - picture[channel]) * mask
        uncovered = np.ones((height, width), np.float32)
        kept = []
        for identity in reversed(range(len(masks))):  # from the top one down
            share = min(1.0, float((masks[identity] * uncovered).sum()) / inks[identity])
            uncovered *= 1 - masks[identity]
            if share >= SEEN:
                kept.append((identity, *_extent(masks[identity]), share))
        rows = np.array(sorted(kept), np.float64).reshape(-1, 6)
        key = (self._key[0] | _GRAIN, self._key[1] << 16 | int(time))
        image = exposed(picture, self._camera, np.random.Generator(np.random.Philox(key=key)))
        return Frame(image, rows[:, 0].astype(np.int64), rows[:, 1:5], rows[:, 5])

    def _painted(self, height: int, width: int) -> Array:
        """The ground alone: float32 [3, height, width]; kept, for the next frame has the same."""
        import numpy as np

        if self._ground is None or self._ground[0] != (height, width):
            key = (self._key[0] | _GROUND, self._key[1])
            field = self._texture(height, width, np.random.Generator(np.random.Philox(key=key)))
            painted = np.stack(
                [
                    (a + (b - a) * field).astype(np.float32)
                    for a, b in zip(self._ground_a, self._ground_b, strict=True)
                ]
            )
            self._ground = ((height, width), painted)
        return self._ground[1]


def _extent(mask: Array) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is above zero, as parts of the picture."""
    import numpy as np

    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    )
