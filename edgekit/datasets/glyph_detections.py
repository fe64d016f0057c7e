"""What a detector says of one thing of `glyph-videos`, frame after frame: `glyph-detections`.

Not a detector's own answers but the truth with the faults of one, drawn by chance, so that a sample
follows from split and index alone. How a frame is made is `glyph_stage`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.datasets.base import Samples
from edgekit.datasets.glyph_crops import Recent, dice
from edgekit.datasets.glyph_stage import Frame
from edgekit.datasets.glyph_videos import FRAMES, GlyphScenes, stage
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

VALUES = 8  # of a step: four edges, the score, mean red, green and blue

_SIDE = 64  # pixels of a frame
_SPAN = 24  # frames that samples of a video are cut from
_SHARED = 32  # samples of a video
# Faults: how far edges are off, as a share of the box's sides; how often a thing in full view is
# missed (one that is half covered, half of the time more); how often another's box is given.
_OFF, _MISSED, _OTHER = 0.1, 0.15, 0.05


class GlyphDetections(GlyphScenes):
    """Where a thing is, by what a faulty detector said of it up to now; label float32 [4].

    A step of the input [steps, 8] holds the box that was found (left, top, right, bottom as parts
    of the picture), its score and the mean colour inside it in 0–1; zeros where nothing was found.
    The last step is of the frame that is asked about. Each edge is off by a normal share (10 %) of
    the box's side, one in twenty boxes is another glyph's, and a thing is missed with a chance of
    15 %, more the more of it is covered. The label is the true box in the last frame, of which at
    least 30 % is to be seen there.
    """

    name = "glyph-detections"
    reference = "glyph-detections"
    task = "object-tracking"
    classes = ()
    label_shape = (4,)
    label_dtype = "float32"

    def __init__(self) -> None:
        super().__init__()
        self._recent: Recent[tuple[Frame, ...]] = Recent(4)

    def fingerprint(self) -> str:
        return digest_json({self.name: 2, "of": super().fingerprint()})

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # neighbours share a video, which is drawn once

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        if len(spec.shape) != 2 or spec.shape[0] > _SPAN or spec.shape[1] != VALUES:
            raise DataError(
                f"{self.name} feeds [steps, {VALUES}] of at most {_SPAN} steps, "
                f"not {list(spec.shape)}"
            )
        steps = spec.shape[0]
        inputs = np.zeros((len(indices), *spec.shape), np.float32)
        labels = np.empty((len(indices), 4), np.float32)
        for row, index in enumerate(indices):
            frames, random = self._frames(split, index // _SHARED), dice(split, index, 5)
            ends = [
                (end, identity)
                for end in range(steps - 1, _SPAN)
                for identity in frames[end].identities.tolist()
            ]
            end, identity = ends[int(random.integers(len(ends)))]
            # Windows in which nothing was found are all the same, and tell nothing.
            while not inputs[row].any():
                for step, frame in enumerate(frames[end - steps + 1 : end + 1]):
                    inputs[row, step] = _detected(frame, identity, random)
            labels[row] = frames[end].boxes[frames[end].identities == identity][0]
        return Samples(inputs.astype(spec.dtype), labels)

    def _frames(self, split: str, video: int) -> tuple[Frame, ...]:
        known = self._recent.get((split, video))
        if known is not None:
            return known
        shown, random = stage(split, video), dice(split, video, 4)
        for first in random.permutation(FRAMES - _SPAN + 1).tolist():
            times = range(first, first + _SPAN)
            # What a sample ends with: the last frame is in reach of any number of steps.
            if len(shown.frame(times[-1], _SIDE, _SIDE).identities):
                frames = tuple(shown.frame(time, _SIDE, _SIDE) for time in times)
                return self._recent.put((split, video), frames)
        raise DataError(f"{self.name}: video {video} of {split} ends with nothing to be seen")


def _detected(frame: Frame, identity: int, random: np.random.Generator) -> Array:
    """What is said of a glyph: float64 [8]."""
    import numpy as np

    # The same dice whatever becomes of them, so that a fault here changes no other frame.
    missed, other, which = random.random(3)
    off, score = random.standard_normal(4), random.normal(0, 0.1)
    own = np.flatnonzero(frame.identities == identity)
    seen = frame.visible[own[0]] if len(own) else 0.0
    if missed < _MISSED + (1 - seen) / 2 or not len(own):
        return np.zeros(VALUES)
    at = own[0]
    others = np.flatnonzero(frame.identities != identity)
    if other < _OTHER and len(others):
        at = others[int(which * len(others))]
    sides = np.tile(frame.boxes[at, 2:] - frame.boxes[at, :2], 2)
    box = np.clip(frame.boxes[at] + _OFF * off * sides, 0, 1)
    box = np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])])
    sure = np.clip(frame.visible[at] - 0.2 + score, 0.05, 1)
    return np.concatenate([box, [sure], _colour(frame.image, box)])


def _colour(image: Array, box: Array) -> Array:
    """Mean red, green and blue inside a box, 0–1."""
    import numpy as np

    left, top, right, bottom = np.rint(box * _SIDE).astype(int)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    return np.asarray(part.reshape(-1, 3).mean(axis=0) / 255) if part.size else np.zeros(3)
