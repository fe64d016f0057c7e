"""One file's bytes as steps from another's, simple enough for any language without a library.

A file of steps is little-endian: how many steps there are (u32), three numbers for each (u32 `add`,
u32 `copy`, i32 `seek`), the `differences`, and the `extras`. Beginning at 0 in the old file, a step

1. gives the next `add` bytes of the old file, each plus the next byte of `differences`, modulo 256;
2. gives the next `copy` bytes of `extras`;
3. moves by `seek` in the old file.

These are the steps of bsdiff (Percival, "Naive differences of executable code", 2003). The library
`bsdiff4` finds them; a ZIP packs them better than bsdiff's own file, whose bzip2 devices lack.
"""

from __future__ import annotations

import struct
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.extras import missing, owner_of

MOST_BYTES = (
    32 * 1024**2
)  # of either file: finding steps takes seventeen times the old one's memory
MOST_STEPS = 2**20
_HEAD, _STEP = struct.Struct("<I"), struct.Struct("<IIi")


def find_steps(old: bytes, new: bytes) -> bytes | None:
    """Steps from `old` to `new`; None where finding them would take too much memory.

    Raises:
        MissingExtraError: `bsdiff4` is not installed.
    """
    if max(len(old), len(new)) > MOST_BYTES:
        return None
    core = _library()
    control, differences, extras = core.diff(old, new)
    numbers = [core.decode_int64(control[place : place + 8]) for place in range(0, len(control), 8)]
    steps = list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))
    if len(steps) > MOST_STEPS:
        return None
    packed = b"".join(_STEP.pack(*step) for step in steps)
    return _HEAD.pack(len(steps)) + packed + bytes(differences) + bytes(extras)


def most_bytes(size: int) -> int:
    """What a file of steps may have at most for a new file of so many bytes."""
    return _HEAD.size + MOST_STEPS * _STEP.size + size


def apply_steps(old: bytes, steps: bytes, size: int) -> bytes:
    """The new file.

    Args:
        old: The old file.
        steps: From somebody else.
        size: Bytes of the new file; it does not become larger.

    Raises:
        ArtifactError: The steps leave one of the files, or give another number of bytes.
    """
    import numpy as np

    if len(steps) < _HEAD.size:
        raise ArtifactError("the steps have no beginning")
    (count,) = _HEAD.unpack_from(steps)
    begin = _HEAD.size + count * _STEP.size
    if count > MOST_STEPS or begin > len(steps):
        raise ArtifactError(f"{count:,} steps are more than there are bytes for")
    told = [_STEP.unpack_from(steps, _HEAD.size + at * _STEP.size) for at in range(count)]
    differing = sum(add for add, _, _ in told)
    if differing + sum(copy for _, copy, _ in told) != size or begin + size != len(steps):
        raise ArtifactError("the steps give another number of bytes than they should")
    source, given = np.frombuffer(old, np.uint8), np.frombuffer(steps, np.uint8)
    made = np.empty(size, np.uint8)
    difference, extra = begin, begin + differing
    place = at = 0
    for add, copy, seek in told:
        if not 0 <= place <= place + add <= len(old):
            raise ArtifactError("the steps leave the old file")
        made[at : at + add] = source[place : place + add] + given[difference : difference + add]
        at, place, difference = at + add, place + add, difference + add
        made[at : at + copy] = given[extra : extra + copy]
        at, extra, place = at + copy, extra + copy, place + seek
    return made.tobytes()


def _library() -> Any:
    try:
        from bsdiff4 import core
    except ModuleNotFoundError as error:
        package = owner_of(error.name or "")
        if package is None:
            raise
        raise missing(package) from error
    return core
