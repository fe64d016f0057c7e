"""Crops of `glyph-videos` for trackers of one thing: `glyph-pairs`, `glyph-candidates`.

Each sample follows from split and index alone; splits differ in fonts, grounds and paths as the
videos do. How a frame is made is `glyph_stage`'s, how a crop is made `edgekit.tracking.windows`'.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from edgekit.datasets.base import SPLITS, Samples
from edgekit.datasets.glyph_stage import Frame
from edgekit.datasets.glyph_videos import FRAMES, VERSION, GlyphScenes, stage
from edgekit.datasets.images import fit_pixels, image_size
from edgekit.detection import box_overlaps
from edgekit.errors import DataError
from edgekit.files import digest_json
from edgekit.spec import InputSpec
from edgekit.tracking.single import JUDGED, SEARCHED
from edgekit.tracking.windows import cut_out, scaled, within

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SIDE = 96  # pixels of a frame
_KEPT = 64  # videos whose frames may be asked for again, for another input
_SHARED = 4  # samples that are cut out of the same two frames: drawing takes longer than cutting
_SHIFT, _STRETCH = 1 / 5, 1 / 15  # scales of the Laplace distributions in the paper
_LEAST, _MOST = 0.6, 1.4  # of a stretch

EXAMPLES = 16  # crops of a frame
LATER = 4  # frames of a video that are asked about
PER_VIDEO = EXAMPLES * (1 + LATER)
_APART = 6  # frames between two of them
_SAME, _OTHER = 0.7, 0.5  # least IoU of a box that shows the target, and most of one that does not

Found = TypeVar("Found")


class Recent(Generic[Found]):
    """The last few things made, by key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[Any, Found] = OrderedDict()

    def get(self, key: Any) -> Found | None:
        return self._known.get(key)

    def put(self, key: Any, made: Found) -> Found:
        self._known[key] = made
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return made


def dice(split: str, index: int, stream: int) -> np.random.Generator:
    """Random numbers of sample `index`, other ones for each stream (from 0, below 16)."""
    import numpy as np

    key = ((VERSION << 8 | SPLITS.index(split)) << 8 | 16 + stream, index)
    return np.random.Generator(np.random.Philox(key=key))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frames, one after the other, and a thing that is in both.

    Attributes:
        before: The first.
        now: The second.
        boxes: float64 [2, 4], the thing's in each, in pixels.
        window: float64 [4], where it is searched for, in pixels of the second.
    """

    before: Frame
    now: Frame
    boxes: Array
    window: Array


class GlyphPairs(GlyphScenes):
    """Where a thing is now, by what it looked like a frame ago; label float32 [4].

    `previous` is the box of the frame before and as much again around it, `search` a part of the
    next frame as large. As in Held et al. 2016 (arXiv 1604.01802, section 3.3) that part does not
    lie where the thing was but is moved from where it is, in parts of its size by Laplace's
    distribution with the scale 1/5, and stretched with 1/15: small motions are the most frequent.
    The label is the box in `search`, left, top, right and bottom as parts of it.
    """

    name = "glyph-pairs"
    reference = "glyph-pairs"
    task = "object-tracking"
    classes = ()
    input_names = ("previous", "search")
    label_shape = (4,)
    label_dtype = "float32"

    def __init__(self) -> None:
        super().__init__()
        self._recent: Recent[tuple[Frame, Frame]] = Recent(_KEPT)

    def fingerprint(self) -> str:
        return digest_json({self.name: 1, "of": super().fingerprint()})

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        if height != width or spec.name not in self.input_names:
            raise DataError(
                f"{self.name} feeds squares to {' and '.join(self.input_names)}, "
                f"not {list(spec.shape)} to {spec.name!r}"
            )
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        labels = np.empty((len(indices), 4), np.float32)
        for row, index in enumerate(indices):
            pair = self.pair(split, index)
            first = spec.name == "previous"
            frame, part = (
                (pair.before, scaled(pair.boxes[0], SEARCHED)) if first else (pair.now, pair.window)
            )
            pixels[row] = cut_out(frame.image, part, height)
            labels[row] = within(pair.boxes[1], pair.window)
        return Samples(fit_pixels(pixels, spec), labels)

    def pair(self, split: str, index: int) -> Pair:
        """Sample `index` of a split.

        Raises:
            DataError: There is no such sample.
        """
        import numpy as np

        before, now = self._frames(split, index // _SHARED)
        random = dice(split, index, 1)
        both = np.intersect1d(before.identities, now.identities)
        identity = both[int(random.integers(len(both)))]
        boxes = np.concatenate(
            [frame.boxes[frame.identities == identity] * _SIDE for frame in (before, now)]
        )
        return Pair(before, now, boxes, _moved(boxes, random))

    def _frames(self, split: str, video: int) -> tuple[Frame, Frame]:
        """Two neighbours with something that both show."""
        known = self._recent.get((split, video))
        if known is not None:
            return known
        shown, random = stage(split, video), dice(split, video, 0)
        first = int(random.integers(FRAMES - 1))
        for step in range(FRAMES - 1):
            time = (first + 7 * step) % (FRAMES - 1)  # all times, those nearby not first
            before, now = (shown.frame(time + late, _SIDE, _SIDE) for late in (0, 1))
            if set(before.identities) & set(now.identities):
                return self._recent.put((split, video), (before, now))
        raise DataError(f"{self.name}: video {video} of {split} shows nothing twice in a row")


def _moved(boxes: Array, random: Any) -> Array:
    """Where the thing of `Pair.boxes` is searched for, at least half of it inside."""
    import numpy as np

    was, now = boxes[:, 2:] - boxes[:, :2]
    size = was * np.clip(random.laplace(1, _STRETCH, 2), _LEAST, _MOST)
    shift = np.clip(random.laplace(0, _SHIFT, 2) * now, -size * SEARCHED / 2, size * SEARCHED / 2)
    centre = (boxes[1, :2] + boxes[1, 2:]) / 2 + shift
    return np.concatenate([centre - SEARCHED / 2 * size, centre + SEARCHED / 2 * size])


class GlyphCandidates(GlyphScenes):
    """Whether a crop shows the one thing that its video is about; labels int64 [3].

    A label is the video, whether the crop is an example (of the first frame, where the target is
    known), and whether it shows the target: its box meets the target's with an IoU of at least 0.7;
    at most 0.5 where it does not (Nam and Han 2016, arXiv 1510.07945, section 4.2). Half of those
    show another glyph, where there is one. Samples of a video stand together: `EXAMPLES` examples,
    then as many of each of `LATER` later frames, every second one the target.
    """

    name = "glyph-candidates"
    reference = "glyph-candidates"
    task = "object-tracking"
    classes = ()
    label_shape = (3,)
    label_dtype = "int64"

    def __init__(self) -> None:
        super().__init__()
        self._recent: Recent[Film] = Recent(4)

    def fingerprint(self) -> str:
        return digest_json({self.name: 1, "of": super().fingerprint()})

    def size(self, split: str) -> int:
        return super().size(split) // PER_VIDEO * PER_VIDEO

    def choose(self, split: str, count: int) -> Sequence[int]:
        return range(min(count, self.size(split)))  # whole videos; balanced by construction

    def read(self, split: str, indices: Sequence[int], spec: InputSpec) -> Samples:
        import numpy as np

        height, width = image_size(spec, owner=self.name)
        if height != width:
            raise DataError(f"{self.name} feeds squares, not {list(spec.shape)}")
        pixels = np.empty((len(indices), height, width, 3), np.uint8)
        labels = np.empty((len(indices), 3), np.int64)
        for row, index in enumerate(indices):
            video, place = divmod(index, PER_VIDEO)
            film = self._film(split, video)
            frame = film.frames[place // EXAMPLES]
            shows = place % 2 == 0
            box = _candidate(frame, film.target, dice(split, index, 3), shows=shows)
            pixels[row] = cut_out(frame.image, scaled(box, JUDGED), height)
            labels[row] = video, place < EXAMPLES, shows
        return Samples(fit_pixels(pixels, spec), labels)

    def _film(self, split: str, video: int) -> Film:
        """Frames of a video that all show one thing."""
        known = self._recent.get((split, video))
        if known is not None:
            return known
        shown, random = stage(split, video), dice(split, video, 2)
        for time in random.permutation(FRAMES - LATER * _APART).tolist():
            times = range(time, time + LATER * _APART + 1, _APART)
            frames = tuple(shown.frame(one, _SIDE, _SIDE) for one in times)
            always = set.intersection(*(set(frame.identities.tolist()) for frame in frames))
            if always:
                target = int(random.choice(sorted(always)))
                return self._recent.put((split, video), Film(frames, target))
        raise DataError(f"{self.name}: no glyph of video {video} of {split} is seen long enough")


@dataclass(frozen=True, slots=True)
class Film:
    """Some frames of a video, and which glyph it is about."""

    frames: tuple[Frame, ...]
    target: int


def _candidate(frame: Frame, target: int, random: Any, *, shows: bool) -> Array:
    """A box that shows the target, or one that does not: float64 [4], in pixels."""
    import numpy as np

    boxes = frame.boxes * _SIDE
    own = boxes[frame.identities == target][0]
    others = boxes[box_overlaps(boxes, own[None])[:, 0] <= _OTHER]
    at = own
    # Another glyph, or a place nearby, which is soon found.
    if not shows and len(others) and random.random() < 0.5:
        at = others[int(random.integers(len(others)))]
    spread = 0.1 if shows or at is not own else 0.6
    size = at[2:] - at[:2]
    while True:
        moved = at + np.tile(spread * random.standard_normal(2) * size, 2)
        moved = scaled(moved, float(np.exp(0.1 * random.standard_normal())))
        meets = float(box_overlaps(moved[None], own[None])[0, 0])
        if meets >= _SAME if shows else meets <= _OTHER:
            return moved
