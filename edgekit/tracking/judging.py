"""How good tracks are, where the truth is known: MOTA, IDF1 and what they are made of.

motmetrics counts; matching within a frame is by IoU. Does not know where tracks come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edgekit import extras
from edgekit.detection import box_overlaps

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

OVERLAP = 0.5  # least IoU of an object and the track that found it, as in MOTChallenge

_COUNTS = {
    "num_frames": "frames",
    "num_objects": "objects",
    "num_misses": "misses",
    "num_false_positives": "false_positives",
    "num_switches": "switches",
    "num_fragmentations": "fragmentations",
    "num_unique_objects": "identities",
    "mostly_tracked": "mostly_tracked",
    "mostly_lost": "mostly_lost",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame: what is there, and what a tracker says.

    Attributes:
        truth: Identities that are there, [K] integers.
        truth_boxes: [K, 4], left, top, right, bottom.
        found: Identities of the tracker, [N] integers.
        boxes: [N, 4], in the same units.
    """

    truth: Array
    truth_boxes: Array
    found: Array
    boxes: Array


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted over all frames of one video, or of several.

    Attributes:
        mota: Per cent: 100 less misses, false positives and switches, as parts of all objects
            (Bernardin and Stiefelhagen 2008); below 0 where they are more.
        idf1: Per cent: F1 of objects under the identity that is theirs for the whole video
            (Ristani et al. 2016, arXiv 1609.01775).
        switches: Times that a thing was given another identity than before.
        fragmentations: Times that a thing was lost and found again.
        misses: Objects of all frames that no track found.
        false_positives: Boxes of tracks in which nothing is.
        objects: Of all frames together.
        frames: Number.
        identities: Things that there are.
        mostly_tracked: Of them, those found in at least 80 % of their frames.
        mostly_lost: Those found in less than 20 %.
    """

    mota: float
    idf1: float
    switches: int
    fragmentations: int
    misses: int
    false_positives: int
    objects: int
    frames: int
    identities: int
    mostly_tracked: int
    mostly_lost: int


def judge(videos: Sequence[Sequence[Seen]], *, overlap: float = OVERLAP) -> list[Figures]:
    """Count over each video, and over all of them.

    Args:
        videos: At least one, frame by frame. Identities of different videos are different things.
        overlap: Least IoU of an object and the track that found it.

    Returns:
        Figures of every video, and last those of all together.

    Raises:
        MissingExtraError: motmetrics is not installed.
    """
    if find_spec("motmetrics") is None:
        package = extras.owner_of("motmetrics")
        assert package is not None
        raise extras.missing(package)
    import motmetrics
    import numpy as np

    counted = []
    for video in videos:
        one = motmetrics.MOTAccumulator(auto_id=True)
        for seen in video:
            # Its own iou_matrix needs numpy 1.
            overlaps = box_overlaps(
                np.asarray(seen.truth_boxes, np.float64).reshape(-1, 4),
                np.asarray(seen.boxes, np.float64).reshape(-1, 4),
            )
            apart = np.where(overlaps >= overlap, 1 - overlaps, np.nan)
            one.update(np.asarray(seen.truth).tolist(), np.asarray(seen.found).tolist(), apart)
        counted.append(one)
    table = motmetrics.metrics.create().compute_many(
        counted,
        metrics=["mota", "idf1", *_COUNTS],
        names=[str(index) for index in range(len(counted))],
        generate_overall=True,
    )
    return [_figures(row) for row in table.to_dict("records")]


def _figures(row: dict[str, Any]) -> Figures:
    counts = {ours: int(row[theirs]) for theirs, ours in _COUNTS.items()}
    return Figures(mota=100 * float(row["mota"]), idf1=100 * float(row["idf1"]), **counts)
