"""The shapes of the drawn glyphs, for models that make pictures: grey levels, noise to take away.

Light glyphs on a dark ground, without textures, light and grain: what a model of some ten thousand
weights can learn to make. Sample i of a split is the mask of the scene that `glyphs` draws for i.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyph_views import GlyphView
from edgekit.datasets.glyphs import VERSION
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.generating.diffusion import kept_signal, mixed
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TIMES = 256  # of diffusion
_DICE = 2 * len(SPLITS)  # keys beyond those of the scenes and of glyph-denoising


class _Shapes(GlyphView):
    """Masks of scenes."""

    def _masks(self, split: str, indices: Sequence[int], spec: InputSpec) -> Array:
        """How much of a pixel the glyph covers: uint8 [N, height, width, 1], 0–255.

        Raises:
            DataError: The input is no picture of one channel.
        """
        import numpy as np

        if len(spec.shape) != 3 or spec.shape[2] != 1:
            raise DataError(
                f"{self.name}: the input {spec.name!r} takes {list(spec.shape)}, not pictures of "
                "one channel",
                hint="shape = [height, width, 1]",
            )
        height, width, _ = spec.shape
        return np.stack(
            [self.scene(split, index, height, width).mask[..., None] for index in indices]
        )


class GlyphLevels(_Shapes):
    """Four levels of grey, and for each pixel the class that its level is.

    Inputs are [height, width, 1] levels 0–3 of the input's dtype, labels int64 [height, width]: a
    model gives each pixel from those before it, so both are the same picture.
    """

    name = "glyph-levels"
    reference = "glyph-levels"
    task = "image-modelling"
    classes = ("0", "1", "2", "3")
    label_shape = (0, 0)

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        most = len(self.classes) - 1
        levels = np.rint(self._masks(split, indices, spec) / 255 * most)
        return Samples(levels.astype(spec.dtype), levels[..., 0].astype(np.int64))


class GlyphDiffusion(_Shapes):
    """Shapes in noise, and the noise is to be told (`edgekit.generating.diffusion`).

    The input `noisy` is float32 [height, width, 1]: the shape in −1–1, mixed with normal noise to
    the share that `time` says, a number in 0–255. Labels are the noise, alike. A sample has one
    time and one noise.
    """

    name = "glyph-diffusion"
    reference = "glyph-diffusion"
    task = "image-generation"
    input_names = ("noisy", "time")
    classes = ()
    label_shape = (0, 0, 0)
    label_dtype = "float32"

    def fingerprint(self) -> str:
        return digest_json({"times": TIMES, "of": super().fingerprint()})

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        randoms = [self._random(split, index) for index in indices]
        times = np.array([random.integers(TIMES) for random in randoms])
        if spec.name == "time":
            return Samples(times.reshape(-1, *spec.shape).astype(spec.dtype), None)
        pictures = self._masks(split, indices, spec).astype(np.float32) / 127.5 - 1
        noise = np.stack([one.standard_normal(spec.shape, np.float32) for one in randoms])
        noisy = mixed(pictures, noise, kept_signal(TIMES)[times])
        return Samples(noisy.astype(spec.dtype), noise)

    def _random(self, split: str, index: int) -> np.random.Generator:
        import numpy as np

        key = (VERSION << 8 | _DICE + SPLITS.index(split), index)
        return np.random.Generator(np.random.Philox(key=key))
