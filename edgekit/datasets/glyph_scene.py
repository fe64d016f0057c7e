"""Draw one glyph: a character, tilted in space, on a lit and textured ground, through a poor lens.

One function, `draw_scene`, from a key to a picture and everything known about it. The same key and
size give the same pixels (with the same Pillow). Lengths follow the picture's size, so 48 × 48
pixels show the same scene as 96 × 96.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edgekit.datasets.glyph_fonts import glyph_mask, mask_height
from edgekit.datasets.glyph_textures import Texture, axes

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Generator = np.random.Generator

_FOCUS = 3.0  # distance of the eye, in glyph heights
_NOISE_POOL = 1 << 18


@dataclass(frozen=True, slots=True)
class Style:
    """What a split may draw with: its font faces and background kinds."""

    faces: tuple[str, ...]
    textures: tuple[Texture, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawn glyph.

    Attributes:
        image: uint8 [height, width, 3], RGB.
        mask: uint8 [height, width], how much of a pixel the glyph covers, 0–255.
        box: left, top, right, bottom of the mask in pixels, right and bottom exclusive.
    """

    image: Array
    mask: Array
    box: tuple[int, int, int, int]


def dealt(style: Style, key: tuple[int, int]) -> tuple[Generator, str, Texture]:
    """The random numbers of a sample, of which the first two chose its face and its ground.

    Args:
        style: What there is to choose from.
        key: Two integers below 2**64; everything random follows from them.
    """
    import numpy as np

    # Philox takes the key as it is: no hashing of seeds, and any sample is reached at once.
    rng = np.random.Generator(np.random.Philox(key=key))
    face = style.faces[int(rng.integers(len(style.faces)))]
    return rng, face, style.textures[int(rng.integers(len(style.textures)))]


def draw_scene(
    character: str, style: Style, key: tuple[int, int], height: int, width: int
) -> Scene:
    """Draw `character`.

    Args:
        character: What the glyph shows.
        style: The split's faces and backgrounds.
        key: Two integers below 2**64; everything random follows from them.
        height: Of the picture in pixels.
        width: Of the picture in pixels.
    """
    import numpy as np

    rng, face, texture = dealt(style, key)
    dice = rng.random(16).tolist()
    mask = _warped(character, face, dice[:9], height, width)

    # Colours before alpha: the ground is a mix of two tints, the glyph is a third one that
    # differs from both in lightness, so that a person can read it.
    ground_a, ground_b, ink = colours(dice[9], rng.random((3, 4)).tolist())
    field = texture(height, width, rng)
    alpha = np.asarray(mask, dtype=np.float32) * (1 / 255)
    picture = np.empty((3, height, width), np.float32)
    for channel in range(3):
        ground = ground_a[channel] + (ground_b[channel] - ground_a[channel]) * field
        picture[channel] = ground + (ink[channel] - ground) * alpha

    image = exposed(picture, dice[10:15], rng)
    return Scene(image, np.asarray(mask), mask.getbbox() or (0, 0, 0, 0))


def exposed(picture: Array, dice: Sequence[float], rng: Generator) -> Array:
    """What a poor camera makes of painted surfaces: lit, with grain, out of focus.

    Args:
        picture: float32 [3, height, width], RGB, 0–255; written into.
        dice: Five numbers in 0–1: three of the light, one of the grain, one of the focus.
        rng: Says which grain, where there is some.

    Returns:
        uint8 [height, width, 3].
    """
    import numpy as np
    from PIL import Image, ImageFilter

    height, width = picture.shape[1:]
    picture *= _light(dice[:3], height, width)
    if dice[3] < 0.85:
        start = int(rng.integers(_NOISE_POOL - picture.size)) if picture.size < _NOISE_POOL else 0
        grain = np.resize(_noise()[start : start + picture.size], picture.size)
        picture += (16.0 * dice[3] ** 2) * grain.reshape(picture.shape)
    np.clip(picture, 0, 255, out=picture)
    image = Image.fromarray(np.ascontiguousarray(picture.transpose(1, 2, 0)).astype(np.uint8))
    radius = (dice[4] - 0.35) * 0.022 * height
    if radius > 0.25:
        image = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image)


def _warped(character: str, face: str, dice: list[float], height: int, width: int) -> Any:
    """The character's coverage in the picture: sized, sheared, turned, tilted and placed."""
    import numpy as np
    from PIL import Image

    tall = (0.42 + 0.40 * dice[0]) * height
    source = glyph_mask(face, character, int(dice[1] * 3), mask_height(tall))
    stretch = 0.92 + 0.16 * dice[2]
    scale = min(tall / source.height, 0.86 * width / (source.width * stretch))
    turn = math.radians(36 * dice[3] - 18)
    shear = 0.24 * dice[4] - 0.12
    pitch, yaw = (math.radians(50 * d - 25) for d in dice[5:7])

    # Source pixels → a plane centred on the eye's axis → turned about x and y → projected.
    sx, sy = scale * stretch, scale
    cx, cy = source.width / 2, source.height / 2
    centred = np.array([[sx, shear * sy, -sx * cx - shear * sy * cy], [0, sy, -sy * cy], [0, 0, 1]])
    c, s = math.cos(turn), math.sin(turn)
    depth = _FOCUS * scale * max(source.height, source.width)
    cp, sp, cw, sw = math.cos(pitch), math.sin(pitch), math.cos(yaw), math.sin(yaw)
    tilted = np.array([[cw, sw * sp, 0], [0, cp, 0], [-sw / depth, cw * sp / depth, 1]])
    matrix = tilted @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ centred

    corners = matrix @ np.array(
        [[0, source.width, source.width, 0], [0, 0, source.height, source.height], [1, 1, 1, 1]]
    )
    xs, ys = corners[0] / corners[2], corners[1] / corners[2]
    # A tilted or turned glyph may outgrow the picture: shrink it to fit.
    fit = min(1.0, 0.96 * width / float(np.ptp(xs)), 0.96 * height / float(np.ptp(ys)))
    shift_x = _placed(fit * float(xs.min()), fit * float(xs.max()), width, dice[7])
    shift_y = _placed(fit * float(ys.min()), fit * float(ys.max()), height, dice[8])
    matrix = np.array([[fit, 0, shift_x], [0, fit, shift_y], [0, 0, 1]]) @ matrix

    inverse = np.linalg.inv(matrix)
    inverse /= inverse[2, 2]
    return source.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        inverse.ravel()[:8].tolist(),
        Image.Resampling.BILINEAR,
    )


def _placed(low: float, high: float, extent: int, die: float) -> float:
    """The shift that puts low…high somewhere inside 0…extent."""
    return -low + die * (extent - (high - low))


def colours(die: float, tints: list[list[float]]) -> tuple[list[float], ...]:
    """Two grounds and an ink as RGB, the ink at least 55 of 255 lighter or darker than both."""
    side = -1.0 if die < 0.5 else 1.0
    contrast = 55 + 100 * tints[2][3]
    lightness = 40 + 160 * (die * 2 % 1)
    lightness = max(lightness, contrast + 15) if side < 0 else min(lightness, 240 - contrast)
    # The second ground lies on the other side of the first, seen from the ink.
    second = lightness - side * 0.8 * contrast * tints[1][3]
    colours = []
    levels = (lightness, second, lightness + side * contrast)
    for level, (r, g, b, _) in zip(levels, tints, strict=True):
        grey = 0.299 * r + 0.587 * g + 0.114 * b
        colours.append([level + 90 * (part - grey) for part in (r, g, b)])
    return tuple(colours)


def _light(dice: Sequence[float], height: int, width: int) -> Array:
    """How bright each pixel is lit: a ramp, and in one picture of four the edge of a shadow."""
    import numpy as np

    y, x = axes(height, width)
    angle, strength, shade = dice[0] * 2 * math.pi, 0.35 * dice[1], dice[2]
    along = x * math.cos(angle) + y * math.sin(angle)
    light = 1 + strength * along
    if shade < 0.25:
        across = x * math.sin(angle) - y * math.cos(angle)
        light = light * np.where(across > 4 * shade - 0.5, np.float32(0.65), np.float32(1.0))
    return light.astype(np.float32)


@lru_cache(maxsize=1)
def _noise() -> Array:
    """Normal noise to cut windows from: drawing it anew would cost half of a picture's time."""
    import numpy as np

    generator = np.random.Generator(np.random.Philox(key=(0, 0)))
    return generator.standard_normal(_NOISE_POOL, dtype=np.float32)
