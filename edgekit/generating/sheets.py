"""Many samples in one picture, and many sounds in one file."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_LEAST_SIDE = 48  # of a small picture on a sheet, in pixels
_GAP = 4
_COLUMNS = 16
_PAUSE_S = 0.1
_WAVE = (96, 480)  # height and width of a drawn sound


def picture_sheet(blocks: Sequence[Array]) -> Array:
    """Pictures side by side, 16 in a row; the blocks below each other: uint8 [h, w, 1 or 3].

    Args:
        blocks: uint8 [N, height, width, 1 or 3] each, all alike.
    """
    import numpy as np

    zoom = max(1, -(-_LEAST_SIDE // blocks[0].shape[1]))
    _, height, width, channels = blocks[0].shape
    tall, wide = height * zoom + _GAP, width * zoom + _GAP
    columns = min(_COLUMNS, max(len(block) for block in blocks))
    parts = []
    for block in blocks:
        rows = -(-len(block) // columns)
        part = np.full((rows * tall + _GAP, columns * wide + _GAP, channels), 255, np.uint8)
        for number, picture in enumerate(block):
            row, column = divmod(number, columns)
            large = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
            top, left = row * tall + _GAP, column * wide + _GAP
            part[top : top + height * zoom, left : left + width * zoom] = large
        parts.append(part)
    return np.concatenate(parts)


def drawn_sounds(sounds: Array) -> Array:
    """Each sound as a picture of its waveform, black on white: uint8 [N, 96, 480, 1].

    Args:
        sounds: [N, T] in −1–1.
    """
    import numpy as np

    height, width = _WAVE
    found = np.full((len(sounds), height, width, 1), 255, np.uint8)
    edges = np.linspace(0, sounds.shape[1], width + 1).astype(int)
    for picture, sound in zip(found, np.clip(sounds, -1, 1), strict=True):
        rows = np.rint((1 - sound) / 2 * (height - 1)).astype(int)
        for column, (begin, end) in enumerate(pairwise(edges)):
            # From the instant before, so that the line does not break.
            some = rows[max(0, begin - 1) : max(end, begin + 1)]
            picture[some.min() : some.max() + 1, column] = 0
    return found


def as_wav(blocks: Sequence[Array], rate_hz: int) -> bytes:
    """Sounds one after the other with a tenth of a second between them: a WAV file, PCM of 16 bits.

    Args:
        blocks: [N, T] in −1–1 each.
        rate_hz: Instants a second.
    """
    import numpy as np

    pause = np.zeros(round(_PAUSE_S * rate_hz))
    parts = [part for block in blocks for sound in block for part in (sound, pause)]
    heard = np.rint(np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(heard.tobytes())
    return buffer.getvalue()
