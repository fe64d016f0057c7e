"""Objects of single frames become tracks: the same identity for the same thing over time.

Or one thing is followed from the box that it has in the first frame.

Boxes go in frame by frame, whoever found them; boxes with identities come out. Knows arrays in
pixels. Does not know models, devices or files of pictures.
"""

from __future__ import annotations

from edgekit.tracking.deepsort import DeepSort
from edgekit.tracking.nearest import Nearest
from edgekit.tracking.single import Follower, Learned, Regressed, one_pass
from edgekit.tracking.sort import Sort
from edgekit.tracking.tracker import Appearance, Tracker, Tracks

# Lowest score of an object that a track begins with or goes on by: what is found falsely becomes a
# thing that never was. SORT's (arXiv 1602.00763, section 4); an app's list takes less sure ones.
THRESHOLD = 0.5

# What `edgekit track --tracker` takes.
TRACKERS: dict[str, type[Nearest] | type[Sort] | type[DeepSort]] = {
    "kalman": Nearest,
    "sort": Sort,
    "deepsort": DeepSort,
}

__all__ = [
    "THRESHOLD",
    "TRACKERS",
    "Appearance",
    "DeepSort",
    "Follower",
    "Learned",
    "Nearest",
    "Regressed",
    "Sort",
    "Tracker",
    "Tracks",
    "one_pass",
]
