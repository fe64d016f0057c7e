"""WAV files of all kinds for tests of what other languages make of them; whole and damaged."""

from __future__ import annotations

import random
import struct

from edgekit.datasets.wav import read_wav
from edgekit.errors import DataError

RATE = 8000
LENGTH = 100


def chunk(name, body, size=None):
    told = len(body) if size is None else size
    return name + struct.pack("<I", told) + body + b"\0" * (len(body) % 2)


def wav(frames, *, channels=1, width=2, rate=RATE, tag=1, before=b"", more=b""):
    """A WAV file around bytes of frames."""
    form = struct.pack(
        "<HHIIHH", tag, channels, rate, rate * channels * width, channels * width, 8 * width,
    )  # fmt: skip
    form += more
    rest = b"WAVE" + before + chunk(b"fmt ", form) + chunk(b"data", frames)
    return b"RIFF" + struct.pack("<I", len(rest)) + rest


def whole_wavs(count, seed=3):
    """Random sounds of 8 to 32 bits, mono, stereo and more, shorter and longer than `LENGTH`."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        width, channels = 1 + number % 4, draw.choice((1, 2, 2, 3, 8, 64))
        instants = draw.choice((0, 1, LENGTH - 1, LENGTH, LENGTH + 1, draw.randrange(400)))
        data = draw.randbytes(instants * channels * width)
        if number % 7 == 0:  # the largest and smallest numbers
            data = data.replace(b"\x01", b"\x7f\xff").replace(b"\x02", b"\x80\0")[: len(data)]
        before = chunk(b"LIST", draw.randbytes(draw.randrange(9))) if number % 3 == 0 else b""
        made.append(wav(data, channels=channels, width=width, before=before))
    return made


def damaged_wavs(count, seed=5):
    """Files that are cut, have other headers, sizes that don't fit or another rate."""
    draw = random.Random(seed)
    made = [b"", b"RIFF", wav(b"ab", tag=3), wav(b"abcd", rate=44100), wav(b"ab", width=5)]
    for one in whole_wavs(count, seed):
        data = bytearray(one)
        for _ in range(draw.randrange(3)):
            at, byte = draw.randrange(min(64, len(data))), draw.randrange(256)
            data[at] = draw.choice((0, 1, 2, 255, byte))
        made.append(bytes(data[: draw.choice((len(data), draw.randrange(len(data) + 1)))]))
    return made


def extensible_wavs():
    """One sound twice: behind a plain header, and behind one of WAVE_FORMAT_EXTENSIBLE."""
    frames = random.Random(1).randbytes(9 * 3)
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    more = struct.pack("<HHI", 22, 24, 4) + guid
    return wav(frames, width=3), wav(frames, width=3, tag=0xFFFE, more=more)


def by_python(data, length=LENGTH, rate=RATE):
    """Bytes of the float32 that Python reads; None where it refuses."""
    try:
        return read_wav(data, length, rate, name="it").tobytes()
    except DataError:
        return None
