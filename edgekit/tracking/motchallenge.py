"""Tracks as text, in the form of MOTChallenge: a line for each box, without a header.

    frame, identity, left, top, width, height, score, -1, -1, -1

Frames, identities and pixels are counted from 1 (motchallenge.net/instructions). In a truth the
seventh column is 0 where a line doesn't count. Does not read or write files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError
from edgekit.tracking.tracker import Tracks

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_MOST = 2**31


def as_text(frames: Sequence[Tracks]) -> str:
    """The tracks of a video; boxes to the hundredth of a pixel."""
    lines = []
    for number, tracks in enumerate(frames, 1):
        for identity, box, score in zip(
            tracks.identities, tracks.boxes, tracks.scores, strict=True
        ):
            left, top, right, bottom = box.tolist()
            sides = (left + 1, top + 1, right - left, bottom - top)
            shown = ",".join(f"{side:.2f}" for side in sides)
            lines.append(f"{number},{identity},{shown},{score:.4f},-1,-1,-1\n")
    return "".join(lines)


def from_text(text: str, frames: int) -> list[tuple[Array, Array]]:
    """The identities int64 [K] and boxes float64 [K, 4] of each of `frames` frames.

    Raises:
        DataError: A line is none of this form, or of no such frame, or two of a frame have the
            same identity.
    """
    import numpy as np

    found: list[dict[int, list[float]]] = [{} for _ in range(frames)]
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(part) for part in line.split(",")[:7]]
        except ValueError:
            values = []
        if len(values) < 6 or not all(math.isfinite(v) and abs(v) < _MOST for v in values):
            raise DataError(
                f"line {number}: {line[:60]!r} is none of a truth",
                hint="frame,identity,left,top,width,height,1",
            )
        frame, identity, left, top, width, height = values[:6]
        if not (frame == int(frame) and 1 <= frame <= frames):
            raise DataError(f"line {number}: there is no frame {frame:g}; there are {frames}")
        if values[6:] == [0.0]:
            continue
        if width <= 0 or height <= 0:
            raise DataError(f"line {number}: a box of {width:g} × {height:g} pixels")
        if int(identity) in found[int(frame) - 1]:
            raise DataError(f"line {number}: {identity:g} is in frame {frame:g} already")
        box = [left - 1, top - 1, left - 1 + width, top - 1 + height]
        found[int(frame) - 1][int(identity)] = box
    return [
        (np.array(list(one), np.int64), np.array(list(one.values()), np.float64).reshape(-1, 4))
        for one in found
    ]
