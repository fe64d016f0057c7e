"""Golden cases of a bundle's first step: a picture, text or sound, and the sample it becomes.

    "pictures": [{"picture": "golden/pictures/dot.png", "input": array, …}, …]
    "texts": [{"text": "…", "input": array}, …]
    "sounds": [{"sound": "golden/sounds/stereo.wav", "input": array}, …]

All are made here, so that they are the same everywhere, and lie where simple code goes wrong.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.bundles.contract import PICTURE, SOUND, TEXT, kind_of
from edgekit.datasets import images
from edgekit.datasets.sound import waveforms
from edgekit.errors import ArtifactError
from edgekit.spec import InputSpec
from edgekit.tokenizing import encode_by

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_SEED = 20_261_122
# Name → (width, height): other shapes, sizes below and above the input's, and the least there is.
PICTURES = {
    "landscape": (317, 190),
    "portrait": (123, 251),
    "large": (641, 640),
    "small": (17, 11),
    "line": (300, 1),
    "dot": (1, 1),
}
# Also texts with what is folded, dropped, ordered, split or cut, in several scripts.
TEXTS = (
    "",
    " \t\n ",
    "Set an alarm for 6:30, please!",
    "ÀÉÎÕÜ àéîõü straße İstanbul ΟΔΥΣΣΕΥΣ",
    "e\u0301a\u0308o\u0302 q\u0323\u0307 \u0301alone",
    "東京タワー 서울특별시 ﬁﬂ ①②",
    "नमस्ते दुनिया שָׁלוֹם عَرَبِيّ",
    "👩‍👩‍👧 🇩🇪 👍🏽 smile🙂smile",
    "zero\u200bwidth\u00adsoft\u0000null\ufeffmark\ue000own",
    "don't--stop... (a_b) $5.00 50% #tag @me ¿qué?",
    "\u1b44\u302e\U0001d16d\U0001d165\u0300",
    "x" * 101,
    "word " * 3000,
)
# Name → (channels, bytes a number, how long: parts of what the model takes).
SOUNDS = {
    "mono": (1, 2, 1.0),
    "stereo": (2, 2, 1.0),
    "fine": (1, 3, 1.0),
    "finest": (2, 4, 1.0),
    "coarse": (1, 1, 1.0),
    "short": (1, 2, 0.4),
    "long": (2, 2, 1.5),
    "silent": (1, 2, 0.0),
}


def write_originals(
    folder: Path, specs: Sequence[InputSpec], tokenizer: Path | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Write the cases below `folder`; give their lists, of which only one has any.

    Args:
        folder: `golden` of a bundle.
        specs: Of the model's inputs; of several, no originals are known.
        tokenizer: Its file; None for "bytes".

    Raises:
        ArtifactError: A tokenizer's file is missing.
    """
    kind = kind_of(specs[0]) if len(specs) == 1 else ""
    return {
        "pictures": _write_pictures(folder, specs[0]) if kind == PICTURE else [],
        "texts": _write_texts(folder, specs[0], tokenizer) if kind == TEXT else [],
        "sounds": _write_sounds(folder, specs[0]) if kind == SOUND else [],
    }


def _write_texts(folder: Path, spec: InputSpec, tokenizer: Path | None) -> list[dict[str, Any]]:
    if tokenizer is None and spec.tokenizer != "bytes":
        raise ArtifactError(f"input {spec.name}: its tokenizer's file is not there")
    tokens = encode_by(spec.tokenizer, tokenizer, TEXTS, spec.shape[0])
    return [
        {"text": text, "input": write_array(folder, f"texts/{at}.bin", row.astype(spec.dtype))}
        for at, (text, row) in enumerate(zip(TEXTS, tokens, strict=True))
    ]


def _write_sounds(folder: Path, spec: InputSpec) -> list[dict[str, Any]]:
    (folder / "sounds").mkdir()
    cases = []
    for at, (name, (channels, width, parts)) in enumerate(SOUNDS.items()):
        data = played(round(parts * spec.shape[0]), spec.rate_hz or 16_000, channels, width, at)
        file = folder / f"sounds/{name}.wav"
        file.write_bytes(data)
        (sample,) = waveforms([(data, name)], spec, owner="the bundle")
        array = write_array(folder, f"sounds/{name}.bin", sample)
        cases.append({"sound": f"golden/sounds/{name}.wav", "input": array})
    return cases


def played(length: int, rate_hz: int, channels: int, width: int, seed: int = 0) -> bytes:
    """A WAV file of tones and noise that reaches both ends of the range.

    Args:
        length: Instants.
        rate_hz: Instants a second.
        channels: 1 or more.
        width: Bytes a number, 1 to 4.
        seed: Of the noise.
    """
    import numpy as np

    random = np.random.Generator(np.random.Philox(_SEED + seed))
    most = 2 ** (8 * width - 1)
    values = random.integers(-most, most, (length, channels), dtype=np.int64)
    instants = np.arange(length)[:, None]
    tone = np.sin(2 * np.pi * 440 / rate_hz * instants * (1 + np.arange(channels)))
    values = np.where(instants % 3 == 0, values, np.rint(tone * (most - 1)).astype(np.int64))
    values[:1], values[1:2] = -most, most - 1
    unsigned = (values + 128 if width == 1 else values).astype("<i8")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((channels, width, rate_hz, 0, "NONE", ""))
        file.writeframes(unsigned.view(np.uint8).reshape(-1, 8)[:, :width].tobytes())
    return stream.getvalue()


def _write_pictures(folder: Path, spec: InputSpec) -> list[dict[str, Any]]:
    (folder / "pictures").mkdir()
    height, width = images.image_size(spec, owner="the bundle")
    resize = spec.resize or "bilinear"
    cases = []
    for name, (wide, high) in PICTURES.items():
        file = write_png(folder, f"pictures/{name}.png", drawn(wide, high))
        pixels, fit = images.decode(folder / f"pictures/{name}.png", height, width, resize=resize)
        sample = images.fit_pixels(pixels, spec)
        case = {
            "picture": file,
            "width": wide,
            "height": high,
            "input": write_array(folder, f"pictures/{name}.bin", sample),
        }
        if resize == "letterbox":
            case["fit"] = {
                "left": fit.left, "top": fit.top, "width": fit.width, "height": fit.height,
            }  # fmt: skip
        cases.append(case)
    return cases


def drawn(width: int, height: int) -> Array:
    """A picture with slopes, edges and noise: uint8 [height, width, 3]."""
    import numpy as np

    across = np.linspace(0, 255, width)[None, :, None]
    down = np.linspace(255, 0, height)[:, None, None]
    board = 255 * ((np.arange(width)[None, :] // 5 + np.arange(height)[:, None] // 5) % 2)
    random = np.random.Generator(np.random.Philox(_SEED))
    noise = random.integers(0, 256, (height, width, 1))
    parts = (
        np.broadcast_to(across, (height, width, 1)),
        np.broadcast_to((down + board[..., None]) / 2, (height, width, 1)),
        noise,
    )
    return np.concatenate(parts, axis=2).astype(np.uint8)


def write_array(folder: Path, name: str, array: Array) -> dict[str, Any]:
    """Write numbers as little-endian bytes; where they lie, as `cases.json` says it."""
    import numpy as np

    plain = np.asarray(array, order="C")  # one number stays one, without an axis
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(little.tobytes())
    return {"file": f"golden/{name}", "dtype": plain.dtype.name, "shape": list(plain.shape)}


def write_png(folder: Path, name: str, pixels: Array) -> str:
    """Write uint8 [height, width, 3] as PNG; its path in the bundle."""
    from PIL import Image

    Image.fromarray(pixels).save(folder / name, format="PNG", optimize=False)
    return f"golden/{name}"
