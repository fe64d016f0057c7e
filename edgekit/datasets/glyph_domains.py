"""Two ways to show a glyph, for models that translate one into the other without seeing pairs.

Plain: light on black. Printed: dark ink on a light, tinted, textured ground. The label of a sample
is another sample's picture in the other way: it says what pictures should look like, never what
becomes of this one. Sample i of a split shows the glyph that `glyphs` draws for i.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyphs import STYLES, VERSION, Glyphs
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_INK = (25.0, 20.0, 45.0)
_LIGHT, _DARK = (235.0, 215.0, 170.0), (165.0, 140.0, 95.0)  # the ground between its extremes
_TINT = 18.0  # by how much a channel of a ground differs from that, at most


class _Domains(Glyphs):
    """Pictures of one way, labelled with those of the other."""

    task = "image-translation"
    classes = ()
    label_shape = (0, 0, 0)
    label_dtype = "float32"

    def fingerprint(self) -> str:
        return digest_json({"domains": self.name, "of": super().fingerprint()})

    def labels(self, split: str) -> None:  # type: ignore[override]  # no class a sample
        return None

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        # From the other end: the few first samples of a split never meet their own pictures.
        last = self.size(split) - 1
        given = np.stack([self._given(split, index, height, width) for index in indices])
        wanted = np.stack([self._wanted(split, last - index, height, width) for index in indices])
        return Samples(fit_pixels(given, spec), wanted.astype(np.float32) / 255)

    @abstractmethod
    def _given(self, split: str, index: int, height: int, width: int) -> Array:
        """What the model sees: uint8 [height, width, 3]."""

    @abstractmethod
    def _wanted(self, split: str, index: int, height: int, width: int) -> Array:
        """How what it gives should look, alike."""

    def plain(self, split: str, index: int, height: int, width: int) -> Array:
        """A glyph in light on black: uint8 [height, width, 3]."""
        import numpy as np

        mask = self.scene(split, index, height, width).mask
        return np.repeat(mask[..., None], 3, axis=2)

    def printed(self, split: str, index: int, height: int, width: int) -> Array:
        """The same glyph in dark ink on a textured ground: uint8 [height, width, 3]."""
        import numpy as np

        # Splits of `glyphs`, of its views and of its latents have the numbers below.
        key = (VERSION << 8 | 3 * len(SPLITS) + SPLITS.index(split), index)
        random = np.random.Generator(np.random.Philox(key=key))
        textures = STYLES[split].textures
        field = textures[int(random.integers(len(textures)))](height, width, random)[..., None]
        tint = _TINT * (2 * random.random(3) - 1)
        ground = np.array(_DARK) + (np.array(_LIGHT) - _DARK) * field + tint
        mask = self.scene(split, index, height, width).mask
        alpha = mask[..., None].astype(np.float64) / 255
        picture = ground + (np.array(_INK) - ground) * alpha
        return np.asarray(np.rint(np.clip(picture, 0, 255)), np.uint8)


class GlyphPrinting(_Domains):
    """Plain pictures are given, printed ones wanted: float32 [height, width, 3] in 0–1."""

    name = "glyph-printing"
    reference = "glyph-printing"

    def _given(self, split: str, index: int, height: int, width: int) -> Array:
        return self.plain(split, index, height, width)

    def _wanted(self, split: str, index: int, height: int, width: int) -> Array:
        return self.printed(split, index, height, width)


class GlyphLifting(_Domains):
    """Printed pictures are given, plain ones wanted: float32 [height, width, 3] in 0–1."""

    name = "glyph-lifting"
    reference = "glyph-lifting"

    def _given(self, split: str, index: int, height: int, width: int) -> Array:
        return self.printed(split, index, height, width)

    def _wanted(self, split: str, index: int, height: int, width: int) -> Array:
        return self.plain(split, index, height, width)
