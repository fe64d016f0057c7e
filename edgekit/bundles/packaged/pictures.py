"""From a picture to a sample, by the contract; with edgekit's own code for pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.datasets import images
from edgekit.errors import DataError
from edgekit.spec import InputSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def prepare(picture: Any, spec: Mapping[str, Any]) -> tuple[Array, tuple[images.Fit, Any]]:
    """A picture as the model takes it.

    Args:
        picture: The path of a file; or uint8 [height, width, 3], RGB.
        spec: Of the contract.

    Returns:
        The sample; and where the picture lies in it, with its (width, height).

    Raises:
        DataError: No picture.
    """
    import numpy as np

    height, width = spec["height"], spec["width"]
    try:
        if isinstance(picture, str | Path):
            size = images.picture_size(Path(picture))
            pixels, fit = images.decode(Path(picture), height, width, resize=spec["resize"])
        else:
            array = np.asarray(picture)
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
                raise DataError(
                    f"a picture is uint8 [height, width, 3], RGB, not {array.dtype} "
                    f"{list(array.shape)}"
                )
            size = (array.shape[1], array.shape[0])
            pixels, fit = images.decode(_as_file(array), height, width, resize=spec["resize"])
    except DataError:
        raise
    except Exception as error:
        named = str(picture)[:300] if isinstance(picture, str | Path) else "the picture"
        raise DataError(f"{named}: no readable picture: {error}") from error
    return images.fit_pixels(pixels, _spec(spec)), (fit, size)


def _as_file(pixels: Array) -> bytes:
    """One way for files and frames: what Pillow reads is what it resizes."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="BMP")
    return stream.getvalue()


def _spec(spec: Mapping[str, Any]) -> InputSpec:
    ranges = tuple((float(low), float(high)) for low, high in spec["ranges"])
    alike = len(set(ranges)) == 1
    return InputSpec(
        name=spec["name"],
        dtype=spec["dtype"],
        shape=tuple(spec["shape"]),
        layout=spec["layout"],
        range=ranges[0],
        resize=spec["resize"],
        channel_ranges=() if alike else ranges,
    )
