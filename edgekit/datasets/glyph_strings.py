"""`glyph-strings`: pictures of three to five characters in a row, and what they say.

Drawn on demand; everything is seeded by (split, index). The alphabet is that of licence plates:
without I, O and Q, which some fonts draw as 1 and 0. Test uses font families and kinds of ground
that training and validation never show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyph_fonts import glyph_mask, mask_height
from edgekit.datasets.glyph_scene import colours, dealt, exposed
from edgekit.datasets.glyphs import CLASSES, STYLES, Glyphs
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a pixel or a label may change.
# 1: the first.
VERSION = 1

FEWEST, MOST = 3, 5  # characters
BLANK = "blank"  # what follows the last character
_CHARACTERS = tuple(c for c in CLASSES if c not in "IOQ")
_SIZES = {"train": 1_000_000, "validation": 10_000, "test": 10_000}


class GlyphStrings(Glyphs):
    """Pictures of any size, three times as wide as high or so; labels int64 [5].

    Raises:
        MissingExtraError: Pillow or matplotlib (for its fonts) is not installed.
    """

    name = "glyph-strings"
    reference = "glyph-strings"
    task = "text-reading"
    classes = (*_CHARACTERS, BLANK)
    label_shape = (MOST,)

    def fingerprint(self) -> str:
        return digest_json({"glyph-strings": VERSION, "of": super().fingerprint()})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> None:  # type: ignore[override]  # one for each place
        return None

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        labels = np.full((len(indices), MOST), len(_CHARACTERS), np.int64)
        for row, index in enumerate(indices):
            pixels[row], text = self.line(split, index, height, width)
            labels[row, : len(text)] = [_CHARACTERS.index(character) for character in text]
        return Samples(fit_pixels(pixels, spec), labels)

    def line(self, split: str, index: int, height: int, width: int) -> tuple[Array, str]:
        """Sample `index` of a split: uint8 [height, width, 3], and what it says.

        Raises:
            DataError: There is no such sample.
        """
        import numpy as np

        if not 0 <= index < self.size(split):
            raise DataError(f"{self.name}: {split} has no {index}; it has {self.size(split):,}")
        key = ((VERSION << 8 | SPLITS.index(split)) << 8 | 3, index)
        rng, face, texture = dealt(STYLES[split], key)
        chosen = rng.integers(len(_CHARACTERS), size=int(rng.integers(FEWEST, MOST + 1)))
        text = "".join(_CHARACTERS[int(number)] for number in chosen)
        dice = rng.random(16).tolist()
        near, far, ink = colours(dice[0], rng.random((3, 4)).tolist())
        field = texture(height, width, rng)
        mask = _row(text, face, dice[1:8], height, width)
        picture = np.empty((3, height, width), np.float32)
        for channel in range(3):
            ground = near[channel] + (far[channel] - near[channel]) * field
            picture[channel] = ground + (ink[channel] - ground) * mask
        return exposed(picture, dice[8:13], rng), text


def _row(text: str, face: str, dice: Sequence[float], height: int, width: int) -> Array:
    """How much of each pixel the characters cover: float32 [height, width], 0–1."""
    import numpy as np
    from PIL import Image

    tall = (0.5 + 0.25 * dice[0]) * height
    glyphs = [glyph_mask(face, c, int(dice[1] * 3), mask_height(tall)) for c in text]
    scale = tall / max(glyph.height for glyph in glyphs)
    gap = (0.05 + 0.25 * dice[2]) * tall
    length = sum(glyph.width for glyph in glyphs) * scale + gap * (len(text) - 1)
    fit = min(1.0, 0.94 * width / length)
    turn, shear = math.radians(8 * dice[3] - 4), 0.3 * dice[4] - 0.15
    x = (width - fit * length) * dice[5]
    slope = math.tan(turn)
    # The middle of the line; a turned one needs more room.
    room = max(height - fit * tall - abs(slope) * fit * length, 0.0)
    middle = height / 2 + room * (dice[6] - 0.5)
    covered = np.zeros((height, width), np.float32)
    for glyph in glyphs:
        size = scale * fit
        centre = x + glyph.width * size / 2
        y = middle + slope * (centre - width / 2) * 0.5
        c, s = math.cos(turn) / size, math.sin(turn) / size
        # From a pixel of the picture back to one of the glyph's, sheared about its middle.
        row = (-s, c, glyph.height / 2 + s * centre - c * y)
        column = (c, s, glyph.width / 2 - c * centre - s * y)
        leaning = tuple(a + shear * b for a, b in zip(column, row, strict=True))
        matrix = (*leaning[:2], leaning[2] - shear * glyph.height / 2, *row)
        drawn = glyph.transform(
            (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        covered = np.maximum(covered, np.asarray(drawn, np.float32) * (1 / 255))
        x += glyph.width * size + gap * fit
    return covered
