"""The drawn glyphs with other labels than their class: masks, and the pictures themselves.

Sample i of a split is the scene that `glyphs` draws for i. Offline defaults for segmentation and
for autoencoders.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyph_scene import Scene
from edgekit.datasets.glyphs import VERSION, Glyphs
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_HALF = 128  # of a pixel, 0–255, covered by the glyph
_NOISE = 40.0  # standard deviation, in levels of 0–255


class GlyphView(Glyphs):
    """Scenes of `glyphs` under other labels than their class."""

    def fingerprint(self) -> str:
        return digest_json({"view": self.name, "of": super().fingerprint()})

    def labels(self, split: str) -> None:  # type: ignore[override]  # no one class a sample
        return None


class _Labelled(GlyphView):
    """Pictures of scenes, with a label made of the scene."""

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        scenes = [self.scene(split, index, height, width) for index in indices]
        pixels = np.stack(
            [self._given(scene, split, i) for i, scene in zip(indices, scenes, strict=True)]
        )
        labels = np.stack([self._label(scene) for scene in scenes])
        return Samples(fit_pixels(pixels, spec), labels)

    def _given(self, scene: Scene, split: str, index: int) -> Array:
        """What the model sees: uint8 [height, width, 3]."""
        return scene.image

    @abstractmethod
    def _label(self, scene: Scene) -> Array:
        """What it should give."""


class GlyphMasks(_Labelled):
    """Which pixels belong to the glyph: int64 [height, width], 0 the ground, 1 the glyph."""

    name = "glyph-masks"
    reference = "glyph-masks"
    task = "image-segmentation"
    classes = ("ground", "glyph")
    label_shape = (0, 0)

    def _label(self, scene: Scene) -> Array:
        import numpy as np

        return (scene.mask >= _HALF).astype(np.int64)


class GlyphPictures(_Labelled):
    """The picture itself is to be given again: float32 [height, width, 3] in 0–1."""

    name = "glyph-pictures"
    reference = "glyph-pictures"
    task = "image-reconstruction"
    classes = ()
    label_shape = (0, 0, 0)
    label_dtype = "float32"

    def _label(self, scene: Scene) -> Array:
        import numpy as np

        return scene.image.astype(np.float32) / 255


class GlyphDenoising(GlyphPictures):
    """The picture is to be given from one with noise (normal, of 40 levels) on every channel."""

    name = "glyph-denoising"
    reference = "glyph-denoising"

    def _given(self, scene: Scene, split: str, index: int) -> Array:
        import numpy as np

        key = (VERSION << 8 | len(SPLITS) + SPLITS.index(split), index)
        random = np.random.Generator(np.random.Philox(key=key))
        noisy = scene.image + _NOISE * random.standard_normal(scene.image.shape, np.float32)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
