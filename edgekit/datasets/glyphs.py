"""`glyphs`: letters and digits in many fonts over textured grounds, drawn on demand.

The default that needs no network and no disk: any sample of any split is drawn from its index
alone. Test uses font families and background kinds that training and validation never show. Owns
the splits and labels; how a picture is made is `glyph_scene`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Dataset, Samples
from edgekit.datasets.glyph_fonts import TEST_FACES, TRAINING_FACES, font_folder
from edgekit.datasets.glyph_scene import Scene, Style, draw_scene
from edgekit.datasets.glyph_textures import TEST_TEXTURES, TRAINING_TEXTURES
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.errors import DataError, MissingExtraError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a pixel may change: checkpoints and caches belong to one version.
# 1: the first.
VERSION = 1

CLASSES = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")

_SIZES = {"train": 100_000 * 36, "validation": 1_000 * 36, "test": 1_000 * 36}
STYLES = {
    "train": Style(TRAINING_FACES, TRAINING_TEXTURES),
    "validation": Style(TRAINING_FACES, TRAINING_TEXTURES),
    "test": Style(TEST_FACES, TEST_TEXTURES),
}


class Glyphs(Dataset):
    """Sample i of a split shows class i modulo 36; the rest is seeded by (split, i).

    Raises:
        MissingExtraError: Pillow or matplotlib (for its fonts) is not installed.
    """

    name = "glyphs"
    reference = "glyphs"
    classes = CLASSES

    def __init__(self) -> None:
        from importlib.util import find_spec

        if find_spec("PIL") is None:
            raise MissingExtraError("Pillow", "data", "drawing glyphs")
        self._fonts = font_folder()

    def fingerprint(self) -> str:
        import PIL

        faces = {f: (self._fonts / f"{f}.ttf").stat().st_size for f in TRAINING_FACES + TEST_FACES}
        # Pillow rasterizes; another release may round a pixel differently.
        return digest_json({"glyphs": VERSION, "faces": faces, "pillow": PIL.__version__})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> Array:
        import numpy as np

        return np.arange(self.size(split), dtype=np.int64) % len(CLASSES)

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # balanced by construction

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        for row, index in enumerate(indices):
            pixels[row] = self.scene(split, index, height, width).image
        labels = np.asarray(indices, dtype=np.int64) % len(CLASSES)
        return Samples(fit_pixels(pixels, spec), labels)

    def scene(self, split: str, index: int, height: int, width: int) -> Scene:
        """Sample `index` of a split with its mask and box, at any size in pixels.

        Raises:
            DataError: No such sample.
        """
        if not 0 <= index < self.size(split):
            raise DataError(f"glyphs: {split} has no sample {index}; it has {self.size(split):,}")
        character = CLASSES[index % len(CLASSES)]
        key = (VERSION << 8 | SPLITS.index(split), index)
        return draw_scene(character, STYLES[split], key, height, width)
