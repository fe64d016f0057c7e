"""`glyph-latents`: points to make pictures from, and pictures as the made ones should look.

Sample i of a split is a point drawn from a standard normal distribution, of whatever shape the
model's input has, and the glyph that `glyphs` draws for i, light on black, without ground, light
and lens. Point and picture of a sample have nothing to do with each other: models that generate are
judged by whole sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyphs import VERSION, Glyphs
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SIDE = 32


class GlyphLatents(Glyphs):
    """Latent points as inputs, float32 [32, 32, 1] pictures in 0–1 as labels."""

    name = "glyph-latents"
    reference = "glyph-latents"
    task = "image-generation"
    classes = ()
    label_shape = (SIDE, SIDE, 1)
    label_dtype = "float32"

    def fingerprint(self) -> str:
        return digest_json({"latents": VERSION, "of": super().fingerprint()})

    def labels(self, split: str) -> None:  # type: ignore[override]  # no class a sample
        return None

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        if spec.dtype != "float32":
            raise DataError(
                f"{self.name}: the input {spec.name!r} takes {spec.dtype}, not float32 points"
            )
        points = np.empty((len(indices), *spec.shape), np.float32)
        pictures = np.empty((len(indices), *self.label_shape), np.float32)
        for row, index in enumerate(indices):
            # Splits of `glyphs` and of its views have the numbers below.
            key = (VERSION << 8 | 2 * len(SPLITS) + SPLITS.index(split), index)
            random = np.random.Generator(np.random.Philox(key=key))
            points[row] = random.standard_normal(spec.shape, np.float32)
            mask = self.scene(split, index, SIDE, SIDE).mask
            pictures[row] = mask[..., None].astype(np.float32) / 255
        return Samples(points, pictures)
