"""What a small classifier sees in a picture: the yardstick by which sets of pictures are compared.

The 84 activations behind the last hidden layer of `lenet`, trained on `glyphs`, computed with numpy
alone, so that an artifact is judged wherever it runs. The weights are a copy of the model folder's
(`python -m benchmarks features` writes it): figures of different years want the same yardstick, and
a model that is trained anew shall not move it unseen.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

WEIGHTS = Path(__file__).with_name("features.npz")
SIDE = 32
COUNT = 84
_CONVOLUTIONS = ("c1", "c3", "c5")
_BATCH = 128


def features_of(pictures: Array) -> Array:
    """Features of pictures; only their brightness counts, not their colours.

    Args:
        pictures: [N, side, side, 1 or 3] in 0–1; a side other than 32 is a multiple or a divisor of
            it, averaged or repeated.

    Returns:
        float64 [N, 84].

    Raises:
        DataError: They are no such pictures.
    """
    import numpy as np

    if pictures.ndim != 4 or pictures.shape[1] != pictures.shape[2]:
        raise DataError(f"{list(pictures.shape)} are no square pictures [N, side, side, channels]")
    if pictures.shape[-1] not in (1, 3):
        raise DataError(f"pictures of {pictures.shape[-1]} channels; features are of 1 or 3")
    found = np.empty((len(pictures), COUNT))
    for at in range(0, len(pictures), _BATCH):
        found[at : at + _BATCH] = _forward(pictures[at : at + _BATCH])
    return found


def _forward(pictures: Array) -> Array:
    import numpy as np

    weights = _weights()
    clipped = np.clip(pictures.astype(np.float32), 0, 1)
    bright = clipped * np.ones(3, np.float32) @ weights["brightness"]
    x = _resized(bright * 4 - 2 * weights["brightness"].sum())
    for name in _CONVOLUTIONS:
        x = _squash(_convolved(x, weights[name]) + weights[f"{name}_bias"])
        if name != "c5":
            rows, columns = x.shape[1] // 2, x.shape[2] // 2
            x = x.reshape(len(x), rows, 2, columns, 2, -1).mean(axis=(2, 4))
            x = _squash(x * weights[f"{name}_scale"] + weights[f"{name}_shift"])
    flat = x.reshape(len(x), -1)
    return np.asarray(_squash(flat @ weights["f6"] + weights["f6_bias"]))


def _resized(grey: Array) -> Array:
    """[N, side, side, 1] as [N, 32, 32, 1]."""
    import numpy as np

    side = grey.shape[1]
    if side % SIDE == 0:
        times = side // SIDE
        return np.asarray(grey.reshape(-1, SIDE, times, SIDE, times, 1).mean(axis=(2, 4)))
    if SIDE % side == 0:
        return grey.repeat(SIDE // side, axis=1).repeat(SIDE // side, axis=2)
    raise DataError(f"pictures of {side} × {side}: features want a multiple or divisor of {SIDE}")


def _convolved(x: Array, kernel: Array) -> Array:
    """Valid convolution: [N, h, w, in] by [kh, kw, in, out]."""
    import numpy as np

    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], -1)
    return np.asarray(rows @ kernel.reshape(-1, kernel.shape[-1]))


def _squash(x: Array) -> Array:
    import numpy as np

    return np.asarray(1.7159 * np.tanh(2 / 3 * x))


@lru_cache(maxsize=1)
def _weights() -> dict[str, Array]:
    import numpy as np

    with np.load(WEIGHTS, allow_pickle=False) as file:
        return dict(file)
