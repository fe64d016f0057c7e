"""WAV files as numbers: PCM of 8 to 32 bits, cut or filled up with silence to a length.

Files are untrusted: no more of one is read than is wanted. Nothing is resampled.
"""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


_WIDEST = 4  # bytes of a number


def read_wav(source: Path | bytes, length: int, rate_hz: int, *, name: str = "") -> Array:
    """The beginning of a WAV file: float32 [length] in −1…1, one channel, silence behind its end.

    Args:
        source: The file, or what it holds; PCM of 8, 16, 24 or 32 bits, any number of channels,
            which are averaged.
        length: Instants wanted.
        rate_hz: Instants a second that the model takes; 0 takes any.
        name: For complaints; by default the file's.

    Raises:
        DataError: Not such a file, cut short, or of another rate.
    """
    import numpy as np

    name = name or str(source)
    with _opened(source, name) as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        if rate_hz and rate != rate_hz:
            raise DataError(
                f"{name}: {rate:,} Hz; the model takes {rate_hz:,} Hz",
                hint=f"resample it: ffmpeg -i {_file_name(source)} -ar {rate_hz} out.wav; or set "
                "rate_hz in model.toml and train again",
            )
        wanted = min(length, file.getnframes())
        try:
            data = file.readframes(wanted)
        except (EOFError, OSError, wave.Error) as error:
            raise DataError(f"{name}: damaged: {error}") from error
    if len(data) != wanted * channels * width:
        raise DataError(
            f"{name}: cut short: {len(data):,} bytes of sound where its header says "
            f"{wanted * channels * width:,}"
        )
    mono = _pcm(data, width).reshape(-1, channels).mean(axis=1)
    sound = np.zeros(length, np.float32)
    sound[: len(mono)] = mono
    return sound


def wav_rate(path: Path) -> int:
    """Instants a second of a WAV file.

    Raises:
        DataError: Not a WAV file of plain numbers.
    """
    with _opened(path, str(path)) as file:
        return file.getframerate()


def _opened(source: Path | bytes, name: str) -> wave.Wave_read:
    stream = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        file = wave.open(stream, "rb")  # noqa: SIM115  the caller closes it
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    # struct.error and others: what the module does not check in a damaged header.
    except Exception as error:
        reason = " ".join(str(error).split()) or "it ends within its header"
        raise DataError(
            f"{name}: not a readable WAV file: {reason}",
            hint=f"plain PCM is read: ffmpeg -i {_file_name(source)} -c:a pcm_s16le out.wav",
        ) from error
    channels, bits = file.getnchannels(), 8 * file.getsampwidth()
    if file.getframerate() < 1 or not 1 <= channels <= 64 or bits > 32:
        file.close()
        raise DataError(
            f"{name}: damaged: {channels} channels of {bits} bits, {file.getframerate()} Hz"
        )
    if file.getsampwidth() > _WIDEST:
        width = 8 * file.getsampwidth()
        file.close()
        raise DataError(f"{name}: numbers of {width:,} bits", limit="8 to 32 bits")
    return file


def _file_name(source: Path | bytes) -> str:
    return source.name if isinstance(source, Path) else "in.wav"


def _pcm(data: bytes, width: int) -> Array:
    """float64 in −1…1 of little-endian integers; of one byte, unsigned ones."""
    import numpy as np

    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if width == 3:
        low = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        values = low[:, 0] | low[:, 1] << 8 | low[:, 2] << 16
        return np.asarray((values - ((values & 0x800000) << 1)) / 2.0**23)
    return np.frombuffer(data, f"<i{width}") / 2.0 ** (8 * width - 1)
