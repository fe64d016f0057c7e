"""A turn as a row: a JSON document, and its raw samples as one compressed blob.

Every list of whole numbers from 0 on that a measurement has goes into the blob, whatever it is
called, so a new series needs no new version. Bytes of equal weight lie side by side (Alted 2010,
doi:10.1109/MCSE.2010.51: shuffling), the zeros above the largest value are left out, and zlib packs
the rest.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Mapping
from typing import Any

from edgekit.errors import DamagedError, EdgekitError
from edgekit.fields import Fields
from edgekit.measure import MOST_CALLS
from edgekit.run import Turn

_MOST_SERIES = 64
_LONGEST_HEADER = 65_536
_LARGEST = 2**63 - 1
# Samples are noise below the microsecond: a higher level takes longer and gains 1 %.
_LEVEL = 3


def pack(turn: Turn) -> tuple[str, bytes]:
    """The turn's document without its series, and these.

    Raises:
        ValueError: A number that is not finite.
    """
    document = turn.to_json()
    measured = dict(document["measurement"])
    series = {key: measured.pop(key) for key in list(measured) if _is_series(measured[key])}
    return to_text({**document, "measurement": measured}), pack_series(series)


def unpack(facts: str, samples: bytes, where: str) -> Turn:
    """The turn that `pack` was given.

    Raises:
        DamagedError: The row is damaged.
    """
    document = from_text(facts, where)
    series = unpack_series(samples, where)
    try:
        return Turn.from_json({**document, "measurement": {**document["measurement"], **series}})
    except (EdgekitError, KeyError, TypeError) as error:
        raise damaged(where, str(error)) from error


def to_text(document: Mapping[str, Any]) -> str:
    """Compact JSON; NaN is a ValueError."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def from_text(text: str, where: str) -> dict[str, Any]:
    """The JSON object that `to_text` wrote; DamagedError if it is none."""
    try:
        text.encode()  # bytes that are no text arrive as lone surrogates
    except UnicodeEncodeError as error:
        raise damaged(where, f"no UTF-8 at character {error.start}") from error
    except AttributeError as error:
        raise damaged(where, "no text") from error
    try:
        document = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise damaged(where, str(error)) from error
    if not isinstance(document, dict):
        raise damaged(where, "expected a table of keys")
    return document


def pack_series(series: Mapping[str, list[int]]) -> bytes:
    """Named lists of whole numbers in 0…2⁶³ − 1 as one blob."""
    header, planes = {}, []
    for name, values in series.items():
        width = (max(values, default=0).bit_length() + 7) // 8
        raw = _little(array("Q", values)).tobytes()
        planes += [raw[place::8] for place in range(width)]
        header[name] = [len(values), width]
    return zlib.compress(to_text(header).encode() + b"\n" + b"".join(planes), _LEVEL)


def unpack_series(blob: bytes, where: str) -> dict[str, list[int]]:
    """The lists that `pack_series` was given.

    Raises:
        DamagedError: The blob is damaged, or larger than any measurement.
    """
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(blob, _LONGEST_HEADER + _MOST_SERIES * MOST_CALLS * 8)
    except (zlib.error, TypeError) as error:
        raise damaged(where, str(error)) from error
    head, _, body = plain.partition(b"\n")
    if not inflate.eof or len(head) > _LONGEST_HEADER:
        raise damaged(where, "its samples are cut off, or too many")
    header, names = Fields({"series": _header(head, where)}, where, DamagedError).entries(
        "series", most=_MOST_SERIES
    )
    found, start = {}, 0
    for name in names:
        count, width = header.integers(name, most=2, low=0, high=MOST_CALLS)
        raw = bytearray(8 * count)
        if width > 8 or start + width * count > len(body):
            raise damaged(where, f"{name} is cut off")
        for place in range(width):
            raw[place::8] = body[start : start + count]
            start += count
        values = array("Q")
        values.frombytes(raw)
        found[name] = _little(values).tolist()
    if start != len(body):
        raise damaged(where, "its samples are longer than they say")
    return found


def damaged(where: str, reason: str) -> DamagedError:
    """The error for a row that cannot be read back."""
    return DamagedError(
        f"{where}: damaged: {reason}",
        hint="edgekit history delete removes a run; the others are not touched",
    )


def _header(head: bytes, where: str) -> dict[str, Any]:
    try:
        return from_text(head.decode(), where)
    except UnicodeDecodeError as error:
        raise damaged(where, str(error)) from error


def _is_series(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MOST_CALLS
        and all(type(one) is int and 0 <= one <= _LARGEST for one in value)
    )


def _little(values: array[int]) -> array[int]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
