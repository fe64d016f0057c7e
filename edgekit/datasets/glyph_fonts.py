"""The fonts that `glyphs` draws with, and one character of one of them as a mask or in a picture.

Knows where matplotlib keeps its TrueType files and which face belongs to which split. Never imports
matplotlib, and does not know colours.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    Array = np.ndarray[Any, Any]

# Whole families are held out: a test face has no sibling, upright or slanted, in training.
TRAINING_FACES = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "cmr10",
    "cmb10",
    "cmti10",
    "cmtt10",
)
TEST_FACES = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta", "cmss10")

# Heights of the cached masks in pixels: a mask is only ever shrunk by up to a third.
_HEIGHTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_PADDING = 2  # transparent pixels around a mask, so that its edges stay smooth when warped


def font_folder() -> Path:
    """The folder of matplotlib's TrueType fonts.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: It is, without its fonts (some Linux packages split them off).
    """
    from importlib.util import find_spec

    # find_spec locates a package without running it: matplotlib takes half a second to import.
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise MissingExtraError("matplotlib", "data", "drawing glyphs (with matplotlib's fonts)")
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    missing = [f for f in TRAINING_FACES + TEST_FACES if not (folder / f"{f}.ttf").is_file()]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of the fonts of glyphs are absent, first {missing[0]}.ttf",
            hint="pip install --force-reinstall matplotlib",
        )
    return folder


@cache
def glyph_mask(face: str, character: str, stroke: int, height: int) -> Image:
    """One character as coverage, tightly cropped, with `_PADDING` clear pixels around it.

    Args:
        face: A name of `TRAINING_FACES` or `TEST_FACES`.
        character: One character.
        stroke: Extra weight: 0 as designed, each step thickens strokes by 2 % of the height.
        height: Pixels that the character should cover at least; see `mask_height`.

    Returns:
        Mode "L", about `height` high plus padding.
    """
    from PIL import Image, ImageDraw

    outline = round(stroke * height * 0.02)
    font = _font(face, round(height / 0.7))  # capitals are about 0.7 em high in these faces
    left, top, right, bottom = font.getbbox(character, stroke_width=outline)
    size = (int(right - left) + 2 * _PADDING, int(bottom - top) + 2 * _PADDING)
    mask = Image.new("L", size, 0)
    place = (_PADDING - left, _PADDING - top)
    ImageDraw.Draw(mask).text(place, character, fill=255, font=font, stroke_width=outline)
    return mask


def mask_height(pixels: float) -> int:
    """The cached height to use for a character that will be `pixels` high in the picture."""
    return next((height for height in _HEIGHTS if height >= pixels), _HEIGHTS[-1])


def placed(
    source: Image, tall: float, turn: float, centre: tuple[float, float], size: tuple[int, int]
) -> Array:
    """How much of each pixel of a picture a mask covers: float32 [height, width], 0–1.

    Args:
        source: From `glyph_mask`.
        tall: Its height in the picture, in pixels.
        turn: By how much it is turned, in radians.
        centre: Where its middle is, x and y as parts of the picture.
        size: Height and width of the picture, in pixels.
    """
    import numpy as np
    from PIL import Image as Images

    height, width = size
    scale = tall / source.height
    c, s = math.cos(turn) / scale, math.sin(turn) / scale
    x, y = centre
    # From a pixel of the picture back to one of the source.
    left = source.width / 2 - c * x * width - s * y * height
    top = source.height / 2 + s * x * width - c * y * height
    drawn = source.transform(
        (width, height),
        Images.Transform.AFFINE,
        (c, s, left, -s, c, top),
        Images.Resampling.BILINEAR,
    )
    return np.asarray(drawn, np.float32) * (1 / 255)


@cache
def _font(face: str, size: int):  # type: ignore[no-untyped-def]  # Pillow is optional
    from PIL import ImageFont

    # The basic layout engine is always there; Raqm depends on how Pillow was built.
    return ImageFont.truetype(
        str(font_folder() / f"{face}.ttf"), size, layout_engine=ImageFont.Layout.BASIC
    )
