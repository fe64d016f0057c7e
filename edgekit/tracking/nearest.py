"""Kalman filters with the nearest box each: the simplest tracker that predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.tracking.assignment import nearest
from edgekit.tracking.kalman import GATE, HeightMotion
from edgekit.tracking.tracker import Appearance, Track, Tracker

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Nearest(Tracker):
    """The nearest-neighbour filter (Bar-Shalom and Fortmann 1988, Tracking and Data Association).

    Every track has a Kalman filter and takes the box that lies nearest to its prediction, by the
    Mahalanobis distance, within the gate; of several who want a box, the nearest.

    Args:
        needed: As `Tracker`.
        most_missed: As `Tracker`.
        gate: Highest squared Mahalanobis distance.
    """

    def __init__(self, *, needed: int = 3, most_missed: int = 5, gate: float = GATE) -> None:
        super().__init__(HeightMotion(), needed=needed, most_missed=most_missed)
        self._gate = gate

    def _match(self, boxes: Array, appearance: Appearance | None) -> Sequence[tuple[Track, int]]:
        import numpy as np

        apart = [self._motion.distances(track.belief, boxes) for track in self._tracks]
        costs = np.array(apart).reshape(len(self._tracks), len(boxes))
        return [(self._tracks[row], index) for row, index in nearest(costs, self._gate)]
