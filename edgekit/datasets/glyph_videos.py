"""Glyphs that move: `glyph-scenes`, single frames with boxes, and whole videos with identities.

Drawn on demand from split and index alone. Test uses font families, kinds of ground and kinds of
path that training and validation never show. Owns the splits and labels; how a frame is made is
`glyph_stage`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyph_motions import TEST_MOTIONS, TRAINING_MOTIONS
from edgekit.datasets.glyph_stage import MOST, Frame, Stage
from edgekit.datasets.glyphs import CLASSES, STYLES, Glyphs
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Raise whenever a pixel or a box may change.
# 1: the first.
VERSION = 1

FRAMES = 80  # of a video
_MOTIONS = {"train": TRAINING_MOTIONS, "validation": TRAINING_MOTIONS, "test": TEST_MOTIONS}
_SIZES = {"train": 1_000_000, "validation": 10_000, "test": 10_000}
_SIDE = 256  # pixels at which boxes are measured where no input says otherwise


def stage(split: str, index: int) -> Stage:
    """What scene and video `index` of a split show.

    Raises:
        DataError: There is no such one.
    """
    if not 0 <= index < _SIZES.get(split, 0):
        raise DataError(f"glyph-videos: {split} has no {index}; it has {_SIZES.get(split, 0):,}")
    key = ((VERSION << 8 | SPLITS.index(split)) << 8 | 1, index)
    return Stage("".join(CLASSES), STYLES[split], _MOTIONS[split], key)


class GlyphScenes(Glyphs):
    """Single frames of the videos: sample i of a split is one of video i.

    Raises:
        MissingExtraError: Pillow or matplotlib (for its fonts) is not installed.
    """

    name = "glyph-scenes"
    reference = "glyph-scenes"
    task = "object-detection"
    classes: tuple[str, ...] = ("glyph",)
    label_shape: tuple[int, ...] = (MOST, 5)

    def fingerprint(self) -> str:
        return digest_json({"glyph-scenes": VERSION, "of": super().fingerprint()})

    def size(self, split: str) -> int:
        return _SIZES.get(split, 0)

    def labels(self, split: str) -> None:  # type: ignore[override]  # boxes instead
        return None

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        labels = np.zeros((len(indices), *self.label_shape), np.float32)
        labels[..., 0] = -1
        for row, index in enumerate(indices):
            frame = self.frame(split, index, height, width)
            pixels[row] = frame.image
            labels[row, : len(frame.boxes), 0] = 0
            labels[row, : len(frame.boxes), 1:] = frame.boxes
        return Samples(fit_pixels(pixels, spec), labels)

    def boxes(self, split: str, index: int) -> Array:
        import numpy as np

        found = self.frame(split, index, _SIDE, _SIDE).boxes
        return np.concatenate([np.zeros((len(found), 1)), found], axis=1)

    def frame(self, split: str, index: int, height: int, width: int) -> Frame:
        """Sample `index` of a split at any size in pixels.

        Raises:
            DataError: There is no such sample.
        """
        # A prime apart: neighbours in the order show different times of their videos.
        return stage(split, index).frame(index * 37 % FRAMES, height, width)


@dataclass(frozen=True, slots=True)
class GlyphVideo:
    """`FRAMES` pictures of one stage.

    Attributes:
        split: That it is from.
        index: Its place there.
        height: Of its pictures, in pixels.
        width: The same.
    """

    split: str
    index: int
    height: int
    width: int

    @property
    def name(self) -> str:
        """For people and files: "test-0003"."""
        return f"{self.split}-{self.index:04}"

    def __len__(self) -> int:
        return FRAMES

    def __iter__(self) -> Iterator[Frame]:
        """Its frames, in order of time.

        Raises:
            DataError: There is no such video.
        """
        drawn = stage(self.split, self.index)
        return (drawn.frame(time, self.height, self.width) for time in range(FRAMES))
