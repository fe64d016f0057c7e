"""How well trackers of one thing follow it: mean IoU over drawn videos, from the first box on.

Runs the fp32 ONNX files of `edgekit export goturn` and `edgekit export mdnet` in `build/`; beside
them stands the first box, left where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgekit.datasets.videos import DrawnVideo, Shot
from edgekit.tracking import Follower, Learned, Regressed, one_pass

VIDEOS, FRAMES, THINGS, SIDE = 4, 40, 2, 96
_CROP = 32


class Unmoved(Follower):
    """Says that the thing is where it was in the beginning."""

    def begin(self, image: Any, box: Any) -> None:
        self._box = box

    def follow(self, image: Any) -> Any:
        return self._box


def run() -> dict[str, Any]:
    """The figures of each tracker, over the frames after the first in which things are seen."""
    import onnxruntime

    goturn, mdnet = (
        onnxruntime.InferenceSession(str(Path("build") / name / "onnx-fp32" / "model.onnx"))
        for name in ("goturn", "mdnet")
    )

    def box_in_search(previous: Any, search: Any) -> Any:
        return goturn.run(None, {"previous": previous[None], "search": search[None]})[0][0]

    def features(crops: Any) -> Any:
        return np.concatenate([mdnet.run(None, {"crop": crop[None]})[0] for crop in crops])

    followers: dict[str, Follower] = {
        "mdnet": Learned(features, size=_CROP),
        "goturn": Regressed(box_in_search, size=_CROP),
        "unmoved": Unmoved(),
    }
    return {name: _followed(one) for name, one in followers.items()}


def _seen(shot: Shot) -> dict[int, Any]:
    """Box of each thing that is to be seen."""
    assert shot.identities is not None
    assert shot.boxes is not None
    return dict(zip(shot.identities.tolist(), shot.boxes, strict=True))


def _followed(follower: Follower) -> dict[str, Any]:
    overlaps: list[float] = []
    for index in range(VIDEOS):
        shots = list(DrawnVideo("test", index, (SIDE, SIDE)))[:FRAMES]
        seen = [_seen(shot) for shot in shots]
        for thing in list(seen[0])[:THINGS]:
            nowhere = np.full(4, np.nan)
            truth = np.array([boxes.get(thing, nowhere) for boxes in seen])
            found = one_pass(follower, [shot.image for shot in shots], truth)[1:]
            overlaps += found[np.isfinite(found)].tolist()
    values = np.array(overlaps)
    return {
        "frames": len(values),
        "mean_iou": float(100 * values.mean()),
        "half_overlapped": float(100 * (values >= 0.5).mean()),
    }
