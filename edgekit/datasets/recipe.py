"""How a sample of an input comes to be, as data: what apps and files are told of it.

Knows `InputSpec`. Makes no sample: `edgekit.datasets.images`, `.wav` and `edgekit.tokenizing` do.
"""

from __future__ import annotations

from typing import Any

from edgekit.datasets.images import LETTERBOX_GREY
from edgekit.spec import InputSpec

PICTURE, TEXT, SOUND, TENSOR = "picture", "text", "sound", "tensor"
BILINEAR, LETTERBOX = "bilinear", "letterbox"


def kind_of(spec: InputSpec) -> str:
    """What a sample of an input is made from."""
    if spec.tokenizer:
        return TEXT
    if spec.rate_hz:
        return SOUND
    return PICTURE if spec.layout in ("HWC", "CHW") and spec.channels in (1, 3) else TENSOR


def recipe_of(spec: InputSpec) -> dict[str, Any]:
    """The steps from a picture, text or sound to a sample; the words are those of bundles."""
    kind = kind_of(spec)
    told: dict[str, Any] = {
        "name": spec.name,
        "kind": kind,
        "shape": list(spec.shape),
        "dtype": spec.dtype,
    }
    if kind == PICTURE:
        height, width = picture_size(spec)
        told |= {
            "height": height,
            "width": width,
            "channels": spec.channels,
            "layout": spec.layout,
            "resize": spec.resize or BILINEAR,
            "grey": LETTERBOX_GREY,
            # What the levels 0 and 255 of each channel become.
            "ranges": [list(pair) for pair in level_ranges(spec)],
        }
    elif kind == TEXT:
        told |= {"length": spec.shape[0], "tokenizer": spec.tokenizer}
    elif kind == SOUND:
        told |= {"length": spec.shape[0], "rate_hz": spec.rate_hz, "range": list(spec.range)}
    else:
        told |= {"range": list(spec.range)}
    return told


def picture_size(spec: InputSpec) -> tuple[int, int]:
    """Height and width of a picture's tensor."""
    first = 1 if spec.layout == "CHW" else 0
    return spec.shape[first], spec.shape[first + 1]


def level_ranges(spec: InputSpec) -> tuple[tuple[float, float], ...]:
    """What the levels 0 and 255 of each channel of a picture become."""
    return spec.channel_ranges or (spec.range,) * spec.channels


def normalization(spec: InputSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations of a picture's channels: a sample is (level - mean) / deviation.

    Pixels that go in as they are have mean 0 and deviation 1.
    """
    ranges = level_ranges(spec)
    deviations = tuple(255.0 / (high - low) for low, high in ranges)
    # Not −0.0, which would be written down as such.
    means = tuple(
        0.0 if low == 0 else -low * std for (low, _), std in zip(ranges, deviations, strict=True)
    )
    return means, deviations
