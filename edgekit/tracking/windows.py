"""Parts of a picture around a box, at a network's size, and boxes within them.

Sampled in numpy alone, so that an app can do the same: each pixel is the mean of 2 × 2 points,
each of them bilinear between its four neighbours; beyond the picture's edge, the edge goes on.
Boxes are left, top, right, bottom. Does not know networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_POINTS = 2  # a side, of each pixel


def scaled(boxes: Array, times: float) -> Array:
    """Boxes [..., 4] with the same centres, each side `times` as long."""
    import numpy as np

    boxes = np.asarray(boxes, np.float64)
    centre, half = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    return np.concatenate([centre - times * half, centre + times * half], axis=-1)


def cut_out(image: Array, box: Array, size: int) -> Array:
    """What lies in a box, brought to a square: uint8 [size, size, 3].

    Args:
        image: uint8 [height, width, 3].
        box: [4], in pixels; may lie beyond the picture.
        size: Height and width wanted.
    """
    import numpy as np

    columns, rows = (
        box[axis] + (box[axis + 2] - box[axis]) * (np.arange(size * _POINTS) + 0.5) / size / _POINTS
        for axis in (0, 1)
    )
    upper, lower, down = _neighbours(rows, image.shape[0])
    left, right, across = _neighbours(columns, image.shape[1])
    # Only the rows and columns that are asked for are computed with.
    part = image[np.concatenate([upper, lower])].astype(np.float64)
    part = part[: len(upper)] * (1 - down)[:, None, None] + part[len(upper) :] * down[:, None, None]
    part = part[:, left] * (1 - across)[:, None] + part[:, right] * across[:, None]
    means = part.reshape(size, _POINTS, size, _POINTS, 3).mean(axis=(1, 3))
    return np.asarray(np.rint(means), np.uint8)


def _neighbours(places: Array, most: int) -> tuple[Array, Array, Array]:
    """The pixels before and after each place, and how far it is from the first, 0–1."""
    import numpy as np

    places = np.clip(places - 0.5, 0, most - 1)
    before = np.floor(places).astype(np.int64)
    return before, np.minimum(before + 1, most - 1), places - before


def within(boxes: Array, window: Array) -> Array:
    """Boxes [..., 4] as parts of a window [4]: 0–1 inside it."""
    import numpy as np

    origin, extent = _frame(window)
    return np.asarray((np.asarray(boxes, np.float64) - origin) / extent)


def out_of(boxes: Array, window: Array) -> Array:
    """The inverse of `within`."""
    import numpy as np

    origin, extent = _frame(window)
    return np.asarray(np.asarray(boxes, np.float64) * extent + origin)


def _frame(window: Array) -> tuple[Array, Array]:
    import numpy as np

    window = np.asarray(window, np.float64)
    return np.tile(window[:2], 2), np.tile(window[2:] - window[:2], 2)
