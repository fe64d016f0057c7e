"""SORT: simple online and realtime tracking (Bewley et al. 2016, arXiv 1602.00763)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.detection import box_overlaps
from edgekit.tracking.assignment import assign
from edgekit.tracking.kalman import AreaMotion
from edgekit.tracking.tracker import Appearance, Track, Tracker

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Sort(Tracker):
    """Kalman filters, and boxes assigned to predictions by how much they overlap.

    As in the paper's code, a track that was missed must be seen `needed` times in a row again
    before it is shown, and in the first frames all are.

    Args:
        needed: As `Tracker`.
        most_missed: As `Tracker`.
        overlap: Lowest IoU of a prediction and its box.
    """

    def __init__(self, *, needed: int = 3, most_missed: int = 1, overlap: float = 0.3) -> None:
        super().__init__(AreaMotion(), needed=needed, most_missed=most_missed)
        self._overlap = overlap

    def _match(self, boxes: Array, appearance: Appearance | None) -> Sequence[tuple[Track, int]]:
        import numpy as np

        for track in self._tracks:
            if track.missed > 1:
                track.hits = 0
        expected = [self._motion.box(track.belief) for track in self._tracks]
        costs = 1 - box_overlaps(np.array(expected).reshape(-1, 4), boxes)
        return [(self._tracks[row], index) for row, index in assign(costs, 1 - self._overlap)]

    def _lives(self, track: Track) -> bool:
        return track.missed <= self._most_missed

    def _is_shown(self, track: Track) -> bool:
        return track.hits >= self._needed or self._frames <= self._needed
