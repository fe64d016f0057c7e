"""Follow one thing through a video, from the box it has in the first frame.

The networks are functions, so that it does not matter where they run; frames are uint8 [height,
width, 3], boxes left, top, right and bottom in pixels, float64 [4]. Does not know models or files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edgekit.detection import box_overlaps
from edgekit.errors import DataError, UsageError
from edgekit.fitting import fit_two_classes, scores
from edgekit.tracking.windows import cut_out, out_of, scaled

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# What a network is shown: the box and as much again around it, or a little around it.
SEARCHED = 2.0
JUDGED = 1.3


class Follower(ABC):
    """One thing, frame after frame."""

    _box: Array | None = None

    def _last(self) -> Array:
        """Where the thing was in the frame before."""
        if self._box is None:
            raise UsageError("follow before begin: the first frame says what is followed")
        return self._box

    @abstractmethod
    def begin(self, image: Array, box: Array) -> None:
        """The first frame, and where the thing is in it.

        Raises:
            DataError: The box has no area, or lies outside of the frame.
        """

    @abstractmethod
    def follow(self, image: Array) -> Array:
        """Where the thing is in the next frame.

        Raises:
            UsageError: There was no first frame.
        """


class Regressed(Follower):
    """A network says where the thing is, by what it was a frame ago.

    Held et al. 2016, arXiv 1604.01802 (GOTURN): nothing is learned while it runs.

    Args:
        network: `previous` and `search`, uint8 [size, size, 3] each → [4], the box as parts of
            `search`.
        size: Height and width of what it takes.
    """

    def __init__(self, network: Callable[[Array, Array], Array], size: int) -> None:
        self._network = network
        self._size = size

    def begin(self, image: Array, box: Array) -> None:
        self._box = _checked(box, image)
        self._previous = cut_out(image, scaled(self._box, SEARCHED), self._size)

    def follow(self, image: Array) -> Array:
        last = self._last()
        window = scaled(last, SEARCHED)
        search = cut_out(image, window, self._size)
        found = out_of(self._network(self._previous, search), window)
        self._box = _kept(found, last, image)
        self._previous = cut_out(image, scaled(self._box, SEARCHED), self._size)
        return self._box


class Learned(Follower):
    """A classifier tells the thing from all else, and goes on learning what it looks like.

    Nam and Han 2016, arXiv 1510.07945 (MDNet): of boxes drawn around the last one those win that
    the classifier is surest of; what they look like, and what lies around them, is what it is
    fitted to again. Only this last layer is, at once, by logistic regression; the paper also trains
    dense layers, moves boxes by a regression and tells hard backgrounds. The same frames give the
    same boxes.

    Args:
        network: uint8 [N, size, size, 3] → features [N, D].
        size: Height and width of what it takes.
        candidates: Boxes a frame.
        every: Frames between two fits.
        kept: Frames whose features are remembered, beside the first.
        seed: Of the boxes that are drawn.
    """

    def __init__(
        self,
        network: Callable[[Array], Array],
        size: int,
        *,
        candidates: int = 96,
        every: int = 5,
        kept: int = 20,
        seed: int = 0,
    ) -> None:
        self._network = network
        self._size = size
        self._candidates = candidates
        self._every = every
        self._kept = kept
        self._seed = seed

    def begin(self, image: Array, box: Array) -> None:
        import numpy as np

        self._box = _checked(box, image)
        self._random = np.random.Generator(np.random.Philox(key=(self._seed, 0)))
        self._frames = self._unsure = 0
        self._seen = [self._examples(image, self._box, 48)]
        self._fit()

    def follow(self, image: Array) -> Array:
        import numpy as np

        last = self._last()
        self._frames += 1
        drawn = self._around(last, self._candidates, 0.3 * (1 + self._unsure))
        boxes = np.concatenate([last[None], drawn])
        found = scores(self._features(image, boxes), self._weights)
        best = np.argsort(-found, kind="stable")[:5]
        sure = bool(found[best].mean() > 0)
        # Hidden, it is looked for around where it was, further off with each frame.
        self._unsure = 0 if sure else min(self._unsure + 1, 4)
        if sure:
            self._box = _kept(boxes[best].mean(axis=0), last, image)
            self._seen = [*self._seen[:1], *self._seen[1:][-self._kept + 1 :]]
            self._seen.append(self._examples(image, self._box, 12))
        if not sure or self._frames % self._every == 0:
            self._fit()
        return self._last()

    def _fit(self) -> None:
        import numpy as np

        features, shows = (np.concatenate(parts) for parts in zip(*self._seen, strict=True))
        self._weights = fit_two_classes(features, shows)

    def _examples(self, image: Array, box: Array, count: int) -> tuple[Array, Array]:
        """Features [N, D] of boxes with the thing and of as many beside it, and which is which."""
        import numpy as np

        near = np.concatenate([box[None], self._around(box, count - 1, 0.08)])
        drawn = np.concatenate([self._around(box, 8 * count, spread) for spread in (0.6, 1.5)])
        beside = drawn[box_overlaps(drawn, box[None])[:, 0] < 0.5]
        chosen = beside[self._random.permutation(len(beside))[: 2 * count]]
        shows = np.arange(len(near) + len(chosen)) < len(near)
        return self._features(image, np.concatenate([near, chosen])), shows

    def _around(self, box: Array, count: int, spread: float) -> Array:
        """Boxes [count, 4]: moved by normal shares of the sides, and a little larger or smaller."""
        import numpy as np

        sides = box[2:] - box[:2]
        moved = box + np.tile(spread * self._random.standard_normal((count, 2)) * sides, (1, 2))
        times = np.exp(0.05 * self._random.standard_normal((count, 1)))
        centre, half = (moved[:, :2] + moved[:, 2:]) / 2, (moved[:, 2:] - moved[:, :2]) / 2
        return np.concatenate([centre - times * half, centre + times * half], axis=1)

    def _features(self, image: Array, boxes: Array) -> Array:
        import numpy as np

        return self._network(
            np.stack([cut_out(image, box, self._size) for box in scaled(boxes, JUDGED)])
        )


def one_pass(follower: Follower, images: Iterable[Array], boxes: Array) -> Array:
    """How well a thing is followed that is told once where it is (Wu et al. 2013, CVPR: OPE).

    Args:
        follower: Begins anew.
        images: Frames.
        boxes: [frames, 4], the truth; NaN where the thing is not to be seen.

    Returns:
        float64 [frames]: IoU with the truth; 1 in the first, NaN where there is none.
    """
    import numpy as np

    found = np.full(len(boxes), np.nan)
    for number, (image, truth) in enumerate(zip(images, boxes, strict=True)):
        if number == 0:
            follower.begin(image, truth)
        box = truth if number == 0 else follower.follow(image)
        if np.isfinite(truth).all():
            found[number] = box_overlaps(box[None], truth[None])[0, 0]
    return found


def _checked(box: Array, image: Array) -> Array:
    import numpy as np

    box = np.asarray(box, np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
        raise DataError(f"box {box.tolist()}: left, top, right and bottom of a thing are needed")
    height, width = image.shape[:2]
    if (box[2:] <= 0).any() or (box[:2] >= (width, height)).any():
        raise DataError(f"box {box.tolist()} lies outside of the frame, {width} × {height} pixels")
    return box


def _kept(found: Array, before: Array, image: Array) -> Array:
    """The box that was found; the one before where it has no area or lies beside the frame."""
    import numpy as np

    found = np.asarray(found, np.float64).reshape(4)
    most = np.array(image.shape[1::-1])
    sides, centre = found[2:] - found[:2], (found[:2] + found[2:]) / 2
    good = np.isfinite(found).all() and (sides >= 2).all() and (sides <= 2 * most).all()
    return found if good and ((centre > 0) & (centre < most)).all() else before
