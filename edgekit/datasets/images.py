"""From a picture file to what a model's input asks for: size, channels, value range, dtype.

Knows picture files, arrays and `InputSpec`. Files are untrusted: bounded in size. Does not know
data sets.

Letterbox, exactly: with s = min(width / w, height / h) for a picture of w × h pixels in an input of
width × height, the picture is resized to max(1, round(w·s)) × max(1, round(h·s)) (halves to even),
bilinear and antialiased, and pasted at ((width − w') // 2, (height − h') // 2) on grey (114, 114,
114). Resizing is Pillow's in two passes: all rows to their width, then all columns.
"""

from __future__ import annotations

import io
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"})

LETTERBOX_GREY = 114

_MEMO_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a picture lies in an input: everywhere, or with grey sides.

    Attributes:
        left: Of the picture, in pixels of the input.
        top: The same.
        width: Of the picture, in pixels of the input.
        height: The same.
        input_width: Of the whole input, in pixels.
        input_height: The same.
    """

    left: int
    top: int
    width: int
    height: int
    input_width: int
    input_height: int

    def to_input(self, boxes: Array) -> Array:
        """Boxes [..., 4] (left, top, right, bottom) from 0–1 of the picture to 0–1 of the input."""
        offset, scale = self._affine()
        return boxes * scale + offset

    def to_picture(self, boxes: Array) -> Array:
        """Boxes [..., 4] from 0–1 of the input to 0–1 of the picture; beyond it where they were."""
        offset, scale = self._affine()
        return (boxes - offset) / scale

    def _affine(self) -> tuple[Array, Array]:
        import numpy as np

        whole = np.array([self.input_width, self.input_height] * 2, np.float64)
        offset = np.array([self.left, self.top] * 2, np.float64) / whole
        return offset, np.array([self.width, self.height] * 2, np.float64) / whole


def letterbox_geometry(width: int, height: int, *, into: tuple[int, int]) -> Fit:
    """Where a picture of `width` × `height` pixels lies in an input of `into` = (height, width).

    The aspect ratio is kept, the picture is centred, and it touches two sides of the input.
    """
    input_height, input_width = into
    scale = min(input_width / width, input_height / height)
    fitted_width = min(input_width, max(1, round(width * scale)))
    fitted_height = min(input_height, max(1, round(height * scale)))
    return Fit(
        left=(input_width - fitted_width) // 2,
        top=(input_height - fitted_height) // 2,
        width=fitted_width,
        height=fitted_height,
        input_width=input_width,
        input_height=input_height,
    )


def picture_fit(width: int, height: int, *, into: tuple[int, int], resize: str) -> Fit:
    """Where a picture lies in an input, as `InputSpec.resize` says."""
    if resize == "letterbox":
        return letterbox_geometry(width, height, into=into)
    return Fit(0, 0, into[1], into[0], into[1], into[0])


def decode(
    source: Path | bytes, height: int, width: int, *, resize: str = "bilinear"
) -> tuple[Array, Fit]:
    """Pixels of a picture file at an input's size.

    Args:
        source: The file, or what it holds.
        height: Of the input.
        width: Of the input.
        resize: As `InputSpec.resize`.

    Returns:
        uint8 [height, width, 3], upright by EXIF, RGB on white, antialiased bilinear; and where the
        picture lies in it.

    Raises:
        Exception: Pillow cannot read it, or it has more pixels than Pillow's limit (89 million).
    """
    import warnings

    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata; the pixels decide
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(_stream(source)) as image:
            lying = _lies_on_its_side(image)
            real = image.size[::-1] if lying else image.size
            fit = picture_fit(*real, into=(height, width), resize=resize)
            # JPEG decodes at a half, quarter or eighth for less; never below twice the size wanted.
            least = (2 * fit.width, 2 * fit.height)
            image.draft("RGB", least[::-1] if lying else least)
            upright = ImageOps.exif_transpose(image)
    return _fitted(_on_white(upright), fit), fit


def read_picture(source: Path | bytes) -> Array:
    """All pixels of a picture file: uint8 [height, width, 3], as `decode` sees them.

    Raises:
        Exception: As `decode`.
    """
    import warnings

    import numpy as np
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(_stream(source)) as image:
            return np.asarray(_on_white(ImageOps.exif_transpose(image)))


def fit_picture(
    pixels: Array, height: int, width: int, *, resize: str = "bilinear"
) -> tuple[Array, Fit]:
    """A picture in memory at an input's size, as `decode` does with one in a file.

    Args:
        pixels: uint8 [rows, columns, 3], RGB.
        height: Of the input.
        width: Of the input.
        resize: As `InputSpec.resize`.
    """
    from PIL import Image

    fit = picture_fit(pixels.shape[1], pixels.shape[0], into=(height, width), resize=resize)
    return _fitted(Image.fromarray(pixels), fit), fit


def _on_white(upright: Any) -> Any:
    """A Pillow picture as RGB."""
    from PIL import Image

    if upright.mode.startswith(("I", "F")):
        raise ValueError(f"mode {upright.mode}: not 8 bits a channel")
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return upright.convert("RGB")


def _fitted(picture: Any, fit: Fit) -> Array:
    """A Pillow picture of RGB where `fit` says, grey beside it."""
    import numpy as np
    from PIL import Image

    # Rows, then columns, in any version: Pillow 13 takes the other order for tall pictures.
    rows = picture.resize((fit.width, picture.height), Image.Resampling.BILINEAR)
    colour = np.asarray(rows.resize((fit.width, fit.height), Image.Resampling.BILINEAR))
    if colour.shape[:2] == (fit.input_height, fit.input_width):
        return colour
    pixels = np.full((fit.input_height, fit.input_width, 3), LETTERBOX_GREY, np.uint8)
    pixels[fit.top : fit.top + fit.height, fit.left : fit.left + fit.width] = colour
    return pixels


def picture_size(source: Path | bytes) -> tuple[int, int]:
    """(width, height) of a picture file held upright, from its header alone.

    Raises:
        Exception: Pillow cannot read it.
    """
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(_stream(source)) as image:
            width, height = image.size
            return (height, width) if _lies_on_its_side(image) else (width, height)


def unreadable_reason(error: Exception, path: Path) -> str:
    """Why Pillow cannot read a file, in one line that doesn't name it again."""
    from PIL import UnidentifiedImageError

    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if path.stat().st_size == 0:
        return "an empty file"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of any format that Pillow reads"
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(repr(str(path)), "the file").replace(str(path), "the file")


def _stream(source: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _lies_on_its_side(image: Any) -> bool:
    """Whether EXIF says to turn a Pillow picture by 90 degrees."""
    orientation = 0x0112
    return image.getexif().get(orientation) in (5, 6, 7, 8)


class PictureMemo:
    """Keeps decoded pictures in memory, since training reads each many times.

    A picture is kept from its second reading on: whoever reads everything once pays nothing. What
    is kept stays, and when `budget_bytes` are used up nothing more is kept: with an order that
    is drawn anew every epoch no better choice is known in advance.
    """

    def __init__(self, budget_bytes: int = _MEMO_BYTES) -> None:
        self._left = budget_bytes
        self._seen: set[Any] = set()
        self._kept: dict[Any, tuple[Array, Fit]] = {}

    def decode(
        self,
        source: Path | bytes,
        height: int,
        width: int,
        *,
        resize: str = "bilinear",
        name: Hashable = None,
    ) -> tuple[Array, Fit]:
        """As the function `decode`. Never write into what it gives.

        Args:
            source: As in `decode`.
            height: The same.
            width: The same.
            resize: The same.
            name: By which a picture given as bytes is known again.

        Raises:
            Exception: As `decode`.
        """
        key = (source if name is None else name, height, width, resize)
        if (known := self._kept.get(key)) is not None:
            return known
        decoded = decode(source, height, width, resize=resize)
        if key in self._seen and decoded[0].nbytes <= self._left:
            self._left -= decoded[0].nbytes
            self._kept[key] = decoded
        self._seen.add(key)
        return decoded


def image_size(spec: InputSpec, *, owner: str) -> tuple[int, int]:
    """(height, width) that `spec` asks of a picture.

    Raises:
        DataError: The input is not a picture with 1 or 3 channels.
    """
    if spec.channels not in (1, 3) or len(spec.shape) != 3:
        raise DataError(
            f"{owner}: the input {spec.name!r} takes {list(spec.shape)}, not pictures",
            hint='an input for pictures has layout = "HWC" and shape [height, width, 3] or '
            "[height, width, 1]",
        )
    first = 1 if spec.layout == "CHW" else 0
    return spec.shape[first], spec.shape[first + 1]


def fit_pixels(pixels: Array, spec: InputSpec) -> Array:
    """Map pictures to a model's input.

    Args:
        pixels: uint8 [..., height, width, 3], RGB.
        spec: Value range, dtype and channels wanted; 0…255 becomes `spec.range` linearly, and one
            channel is ITU-R 601 luma, (299 R + 587 G + 114 B) / 1000, halves to even.

    Returns:
        [..., height, width, channels] of `spec.dtype`, channels first where the layout is "CHW";
        integers rounded to nearest.
    """
    import numpy as np

    fitted = _levels(pixels, spec)
    return np.ascontiguousarray(np.moveaxis(fitted, -1, -3)) if spec.layout == "CHW" else fitted


def _levels(pixels: Array, spec: InputSpec) -> Array:
    import numpy as np

    if (spec.channels or spec.shape[-1]) == 1:
        # In integers: a sum of floats rounds otherwise from processor to processor.
        luma = pixels.astype(np.int32) @ np.array([299, 587, 114], np.int32)
        pixels = np.rint(luma / 1000)[..., None].astype(np.uint8)
    if spec.dtype == "uint8" and spec.range == (0.0, 255.0) and not spec.channel_ranges:
        return pixels
    if spec.channel_ranges:
        tables = [_table(limits, spec.dtype) for limits in spec.channel_ranges]
        return np.stack([table[pixels[..., i]] for i, table in enumerate(tables)], axis=-1)
    return np.asarray(_table(spec.range, spec.dtype)[pixels])


def _table(limits: tuple[float, float], dtype: str) -> Array:
    """What each of the 256 levels becomes."""
    import numpy as np

    # Computed in double: every picture gets exactly the same value for a level.
    low, high = limits
    table = low + np.arange(256, dtype=np.float64) * ((high - low) / 255.0)
    if np.issubdtype(np.dtype(dtype), np.integer):
        table = np.rint(table)
    return table.astype(dtype)
