"""An answer of the page as bytes: the length of a JSON header, the header, raw tensors.

    uint32 little-endian | UTF-8 JSON | bytes

Tensors travel as they lie in memory, so that no digit is lost and none is parsed.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from edgekit.errors import DeviceError
from edgekit.fields import printable

LONGEST_HEADER = 32 * 1024 * 1024  # bytes; a long block is a million digits


def unpack(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and raw bytes of an answer.

    Raises:
        DeviceError: Too short, too long, not JSON, or not a table.
    """
    if len(data) < 4:
        raise DeviceError("the page's answer is cut off")
    (length,) = struct.unpack_from("<I", data)
    if length > LONGEST_HEADER or 4 + length > len(data):
        raise DeviceError(f"the page's answer has a header of {length} bytes")
    try:
        header = json.loads(data[4 : 4 + length])
    except (ValueError, RecursionError) as error:
        raise DeviceError(f"the page's answer is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise DeviceError("the page's answer is no table of keys")
    cleaned: dict[str, Any] = printable(header)
    return cleaned, memoryview(data)[4 + length :]
