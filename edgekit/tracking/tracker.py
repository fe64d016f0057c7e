"""What every tracker does with a frame: predict, match, correct, begin and end tracks.

How boxes and tracks are matched, and which tracks are believed, is a subclass's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.errors import DataError
from edgekit.tracking.kalman import Belief, BoxMotion

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Boxes [N, 4] of the current frame, in pixels → what each looks like, [N, D].
Appearance = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Tracks:
    """Who is where in a frame.

    Attributes:
        identities: int64 [K], from 1 on, rising; a number is never given twice.
        boxes: float64 [K, 4], left, top, right, bottom in pixels: what the filter believes.
        scores: float64 [K], of the boxes that were seen.
    """

    identities: Array
    boxes: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.identities)


@dataclass(slots=True)
class Track:
    """One thing over time.

    Attributes:
        identity: From 1 on.
        belief: Where it is.
        score: Of the box that was seen last.
        hits: Frames in which it was seen, since it was last missed longer than the tracker lets.
        missed: Frames since it was seen.
        confirmed: Whether it is believed in.
        gallery: What it looked like, [D] each, the latest last.
    """

    identity: int
    belief: Belief
    score: float
    hits: int = 1
    missed: int = 0
    confirmed: bool = False
    gallery: list[Array] = field(default_factory=list)


class Tracker(ABC):
    """Tracks of one video; frames go in in their order.

    Args:
        needed: Frames in a row in which a thing must be seen before it is believed in.
        most_missed: Frames for which a track lives without being seen.

    Attributes:
        needs_appearance: Whether `update` must be told what boxes look like.
    """

    needs_appearance: ClassVar[bool] = False

    def __init__(self, motion: BoxMotion, *, needed: int, most_missed: int) -> None:
        self._motion = motion
        self._needed = needed
        self._most_missed = most_missed
        self._tracks: list[Track] = []
        self._born = 0
        self._frames = 0

    def update(self, boxes: Array, scores: Array, appearance: Appearance | None = None) -> Tracks:
        """Take the boxes of the next frame, and say who is where in it.

        Args:
            boxes: [N, 4], left, top, right and bottom, in pixels.
            scores: [N].
            appearance: What boxes of this frame look like, for those who ask.

        Raises:
            DataError: Shapes don't fit, a box is not finite or has no area, or the tracker needs
                to know what boxes look like and nothing tells it.
        """
        import numpy as np

        boxes, scores = _checked(boxes, scores)
        if self.needs_appearance and appearance is None:
            raise DataError(f"{type(self).__name__} needs to know what boxes look like")
        self._frames += 1
        for track in self._tracks:
            track.belief = self._motion.predicted(track.belief)
            track.missed += 1
        pairs = self._match(boxes, appearance)
        for track, index in pairs:
            track.belief = self._motion.corrected(track.belief, boxes[index])
            track.score = float(scores[index])
            track.hits, track.missed = track.hits + 1, 0
            self._saw(track, index)
        taken = {index for _, index in pairs}
        for index in range(len(boxes)):
            if index not in taken:
                self._born += 1
                track = Track(self._born, self._motion.begun(boxes[index]), float(scores[index]))
                self._tracks.append(track)
                self._saw(track, index)
        for track in self._tracks:
            track.confirmed = track.confirmed or track.hits >= self._needed
        self._tracks = [track for track in self._tracks if self._lives(track)]
        shown = [track for track in self._tracks if not track.missed and self._is_shown(track)]
        return Tracks(
            np.array([track.identity for track in shown], np.int64),
            np.array([self._motion.box(t.belief) for t in shown], np.float64).reshape(-1, 4),
            np.array([track.score for track in shown], np.float64),
        )

    @abstractmethod
    def _match(self, boxes: Array, appearance: Appearance | None) -> Sequence[tuple[Track, int]]:
        """Tracks, predicted for this frame, with the index of the box that is theirs."""

    def _saw(self, track: Track, index: int) -> None:  # noqa: B027  most keep nothing of it
        """Called for each track with its box, the new ones too."""

    def _lives(self, track: Track) -> bool:
        """Who is not believed in yet must not be missed once."""
        return track.missed <= (self._most_missed if track.confirmed else 0)

    def _is_shown(self, track: Track) -> bool:
        """Whether a track that was just seen is among the answers."""
        return track.confirmed


def _checked(boxes: Array, scores: Array) -> tuple[Array, Array]:
    import numpy as np

    boxes, scores = np.asarray(boxes, np.float64), np.asarray(scores, np.float64)
    if scores.ndim != 1 or boxes.shape != (len(scores), 4):
        raise DataError(f"boxes {list(boxes.shape)} and scores {list(scores.shape)}: not [N, 4]")
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()):
        raise DataError("a box is not finite, or has no width or no height")
    return boxes, scores
