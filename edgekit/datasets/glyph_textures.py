"""Backgrounds for `glyphs`: fields of brightness, each kind its own function.

A texture takes a height, a width and a random generator and gives float32 [height, width] in 0–1.
Lengths follow the picture's size, so a kind looks the same at every resolution. Knows no colours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Generator = np.random.Generator

Texture = Callable[[int, int, "Generator"], "Array"]


@lru_cache(maxsize=8)
def axes(height: int, width: int) -> tuple[Array, Array]:
    """Pixel centres as columns y [height, 1] and rows x [1, width], −1 to 1, float32."""
    import numpy as np

    y = (np.arange(height, dtype=np.float32) * 2 + 1) / height - 1
    x = (np.arange(width, dtype=np.float32) * 2 + 1) / width - 1
    return y[:, None], x[None, :]


def _slanted(height: int, width: int, angle: float, frequency: float) -> Array:
    """`frequency` times the coordinate along `angle` (radians)."""
    import math

    y, x = axes(height, width)
    return x * (frequency * math.cos(angle)) + y * (frequency * math.sin(angle))


def _smooth(height: int, width: int, cells: int, rng: Generator) -> Array:
    """A random grid of `cells` × `cells` values, interpolated; about 0–1."""
    import numpy as np
    from PIL import Image

    grid = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def _drawn(height: int, width: int, draw: Callable[[Any], None]) -> Array:
    import numpy as np
    from PIL import Image, ImageDraw

    image = Image.new("L", (width, height), 0)
    draw(ImageDraw.Draw(image))
    return np.asarray(image, dtype=np.float32) / 255


def gradient(height: int, width: int, rng: Generator) -> Array:
    """A straight ramp in any direction."""
    angle = rng.random() * 6.2832
    return 0.5 + 0.35 * _slanted(height, width, angle, 1.0)


def clouds(height: int, width: int, rng: Generator) -> Array:
    """Smooth noise of two scales."""
    coarse = _smooth(height, width, 4, rng)
    return 0.7 * coarse + 0.3 * _smooth(height, width, 12, rng)


def stripes(height: int, width: int, rng: Generator) -> Array:
    """Parallel waves."""
    import numpy as np

    angle, frequency, phase = rng.random(3) * (3.1416, 14.0, 6.2832)
    waves = np.sin(_slanted(height, width, angle, 4.0 + frequency) + phase)
    return np.asarray(0.5 + 0.5 * waves)


def checks(height: int, width: int, rng: Generator) -> Array:
    """A turned chessboard."""
    import numpy as np

    angle, frequency = rng.random(2) * (1.5708, 2.5)
    frequency += 1.5
    u = np.floor(_slanted(height, width, angle, frequency))
    v = np.floor(_slanted(height, width, angle + 1.5708, frequency))
    return (u + v) % 2


def discs(height: int, width: int, rng: Generator) -> Array:
    """Overlapping ellipses of several greys."""
    values = rng.random((10, 5))

    def draw(canvas: Any) -> None:
        for x, y, across, down, grey in values:
            a, b = (0.05 + 0.25 * across) * width, (0.05 + 0.25 * down) * height
            box = (x * width - a, y * height - b, x * width + a, y * height + b)
            canvas.ellipse(box, fill=int(255 * grey))

    return _drawn(height, width, draw)


def bricks(height: int, width: int, rng: Generator) -> Array:
    """Rows of rectangles, each of its own grey."""
    import numpy as np
    from PIL import Image

    rows, columns = (int(n) for n in rng.integers(3, 9, 2))
    grid = Image.fromarray(rng.random((rows, columns), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.NEAREST))


def cells(height: int, width: int, rng: Generator) -> Array:
    """Brightness grows with the distance to the nearest of a few points (Worley 1996)."""
    import numpy as np

    y, x = axes(height, width)
    nearest = np.full((height, width), 8.0, np.float32)
    for cy, cx in (rng.random((9, 2)) * 2 - 1).astype(np.float32):
        np.minimum(nearest, (y - cy) ** 2 + (x - cx) ** 2, out=nearest)
    return np.minimum(np.sqrt(nearest) * 1.4, 1.0)


def marble(height: int, width: int, rng: Generator) -> Array:
    """Waves bent by smooth noise (Perlin 1985)."""
    import numpy as np

    bend = _smooth(height, width, 5, rng)
    angle, frequency = rng.random(2) * (3.1416, 6.0)
    return 0.5 + 0.5 * np.sin(_slanted(height, width, angle, 3.0 + frequency) + 7.0 * bend)


def scratches(height: int, width: int, rng: Generator) -> Array:
    """Straight lines of several greys, thin against a glyph's strokes."""
    values = rng.random((9, 5))
    thick = max(1, round(0.015 * height))

    def draw(canvas: Any) -> None:
        for x0, y0, x1, y1, grey in values:
            line = (x0 * width, y0 * height, x1 * width, y1 * height)
            canvas.line(line, fill=int(255 * grey), width=thick)

    return _drawn(height, width, draw)


def dots(height: int, width: int, rng: Generator) -> Array:
    """A turned grid of soft dots."""
    import numpy as np

    angle, frequency = rng.random(2) * (1.5708, 10.0)
    frequency += 8.0
    u = np.sin(_slanted(height, width, angle, frequency))
    v = np.sin(_slanted(height, width, angle + 1.5708, frequency))
    return np.asarray(np.maximum(u * v, 0.0))


TRAINING_TEXTURES: tuple[Texture, ...] = (gradient, clouds, stripes, checks, discs, bricks)
TEST_TEXTURES: tuple[Texture, ...] = (cells, marble, scratches, dots)
