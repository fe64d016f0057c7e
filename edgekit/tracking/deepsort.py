"""DeepSORT: SORT that knows its tracks again by what they look like.

Wojke et al. 2017, arXiv 1703.07402.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.detection import box_overlaps
from edgekit.errors import DataError
from edgekit.tracking.assignment import assign
from edgekit.tracking.kalman import GATE, HeightMotion
from edgekit.tracking.tracker import Appearance, Track, Tracker

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class DeepSort(Tracker):
    """Boxes go to the tracks that look alike and could be there, those seen last before others.

    What looks alike is told by the smallest cosine distance to what a track looked like before;
    who could be there, by the Mahalanobis distance from what its filter expects (the paper's λ of
    0). Tracks that were seen a frame ago, and new ones, then take boxes by overlap.

    Args:
        needed: As `Tracker`.
        most_missed: As `Tracker`.
        unlike: Highest cosine distance, 0–2, of a track and its box.
        gate: Highest squared Mahalanobis distance.
        overlap: Lowest IoU, of those that are matched by it.
        kept: Looks of a track that are remembered.
    """

    needs_appearance: ClassVar[bool] = True

    def __init__(
        self,
        *,
        needed: int = 3,
        most_missed: int = 30,
        unlike: float = 0.2,
        gate: float = GATE,
        overlap: float = 0.3,
        kept: int = 100,
    ) -> None:
        super().__init__(HeightMotion(), needed=needed, most_missed=most_missed)
        self._unlike = unlike
        self._gate = gate
        self._overlap = overlap
        self._kept = kept
        self._looks: Array | None = None

    def _match(self, boxes: Array, appearance: Appearance | None) -> Sequence[tuple[Track, int]]:
        assert appearance is not None  # `update` refuses
        self._looks = _of_length_one(appearance(boxes), len(boxes))
        free = list(range(len(boxes)))
        pairs: list[tuple[Track, int]] = []
        for missed in range(1, self._most_missed + 2):
            known = [t for t in self._tracks if t.confirmed and t.missed == missed]
            pairs += self._taken(known, free, self._by_looks(known, free, boxes), self._unlike)
        matched = {track.identity for track, _ in pairs}
        rest = [
            track
            for track in self._tracks
            if track.identity not in matched and (track.missed == 1 or not track.confirmed)
        ]
        return pairs + self._taken(
            rest, free, self._by_overlap(rest, free, boxes), 1 - self._overlap
        )

    def _taken(
        self, tracks: list[Track], free: list[int], costs: Array, limit: float
    ) -> list[tuple[Track, int]]:
        """The cheapest pairs; their boxes are no longer free."""
        found = [(tracks[row], free[column]) for row, column in assign(costs, limit)]
        for _, index in found:
            free.remove(index)
        return found

    def _by_looks(self, tracks: list[Track], free: list[int], boxes: Array) -> Array:
        import numpy as np

        assert self._looks is not None
        costs = np.full((len(tracks), len(free)), np.inf)
        if free:
            for row, track in enumerate(tracks):
                unlike = 1 - np.stack(track.gallery) @ self._looks[free].T
                near = self._motion.distances(track.belief, boxes[free]) <= self._gate
                costs[row, near] = unlike.min(axis=0)[near]
        return costs

    def _by_overlap(self, tracks: list[Track], free: list[int], boxes: Array) -> Array:
        import numpy as np

        expected = np.array([self._motion.box(track.belief) for track in tracks]).reshape(-1, 4)
        return 1 - box_overlaps(expected, boxes[free])

    def _saw(self, track: Track, index: int) -> None:
        assert self._looks is not None
        track.gallery = [*track.gallery, self._looks[index]][-self._kept :]


def _of_length_one(looks: Array, count: int) -> Array:
    import numpy as np

    looks = np.asarray(looks, np.float64)
    if looks.ndim != 2 or len(looks) != count or not np.isfinite(looks).all():
        raise DataError(f"looks {list(looks.shape)} of {count} boxes: not [N, D], or not finite")
    lengths = np.linalg.norm(looks, axis=1, keepdims=True)
    return np.asarray(looks / np.maximum(lengths, 1e-12))
