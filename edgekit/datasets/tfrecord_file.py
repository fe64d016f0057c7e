"""TFRecord files: byte records one after the other, each with its length and two checksums.

    uint64 length | uint32 masked crc32c of it | the bytes | uint32 masked crc32c of them

Knows the frames, gzip and the cache. Does not know what a record holds. Files are untrusted: a
length is believed only when its checksum is right, it is bounded, and the file is long enough.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from edgekit.errors import DataError, FileError
from edgekit.files import cache_folder, digest_json, scratch_folder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_RECORD_BYTES = 256 * 1024**2
# What a .gz may unpack to in the cache.
MAX_UNPACKED_BYTES = 256 * 1024**3

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_GZIP_MAGIC = b"\x1f\x8b\x08"
_MASK_DELTA = 0xA282EAD8
_HINT = "fetch, copy or convert the file again"


class RecordFile:
    """The records of one file, by number.

    Opening reads the frames alone, not what is in them. A compressed file is unpacked once into the
    cache, where any record can be reached; all its checksums are checked on the way.

    Args:
        path: A `.tfrecord`, plain or compressed by gzip (its bytes decide, not its name).

    Raises:
        DataError: A frame is damaged or cut off; file, record and byte are named.
        FileError: It cannot be read, or the cache cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._packed = is_gzip(path)
            self._plain = _unpacked(path) if self._packed else path
            try:
                self._offsets = self._scan()
            except DataError:
                if not self._packed:
                    raise
                self._plain.unlink()  # every record was sound when it was put into the cache
                self._plain = _unpacked(path)
                self._offsets = self._scan()
        except OSError as error:
            raise FileError.from_os_error(error) from error

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def read(self, number: int) -> bytes:
        """The bytes of a record.

        Raises:
            DataError: Its checksum is wrong, or the file changed since it was opened.
        """
        offset = int(self._offsets[number])
        length = int(self._offsets[number + 1]) - offset
        try:
            with self._plain.open("rb", buffering=0) as stream:
                stream.seek(offset)
                frame = stream.read(length)
        except OSError as error:
            raise FileError.from_os_error(error) from error
        if len(frame) != length:
            raise DataError(f"{self.path}: became shorter while it was read", hint=_HINT)
        data = frame[_HEADER.size : -_FOOTER.size]
        if _FOOTER.unpack_from(frame, length - _FOOTER.size)[0] != masked_crc(data):
            raise self.damaged(number, "the checksum of its bytes is wrong")
        return data

    def where(self, number: int) -> str:
        """File, record and byte offset, as complaints name them."""
        return _where(self.path, number, int(self._offsets[number]), unpacked=self._packed)

    def damaged(self, number: int, what: str, hint: str = _HINT) -> DataError:
        """The error for one record: where it is, what is wrong, what to try."""
        return DataError(f"{self.where(number)}: {what}", hint=hint)

    def _scan(self) -> Array:
        """int64 [records + 1]: where each frame begins, and where the last ends."""
        import numpy as np

        offsets = [0]
        size = self._plain.stat().st_size
        with self._plain.open("rb", buffering=0) as stream:
            while (offset := offsets[-1]) < size:
                stream.seek(offset)
                number = len(offsets) - 1
                length = _length(stream.read(_HEADER.size), self.path, number, offset)
                end = offset + _HEADER.size + length + _FOOTER.size
                if end > size:
                    raise _cut_off(self.path, number, offset, size - offset, end - offset)
                offsets.append(end)
        return np.array(offsets, np.int64)


def frame(data: bytes) -> bytes:
    """A record as it stands in a file."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, _FOOTER.pack(masked_crc(length)), data, _FOOTER.pack(masked_crc(data)))
    )


def masked_crc(data: bytes) -> int:
    """crc32c, rotated and shifted as TFRecord asks for it."""
    import google_crc32c

    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed; a length may begin with gzip's three bytes, so both count."""
    with path.open("rb") as stream:
        header = stream.read(_HEADER.size)
    if not header.startswith(_GZIP_MAGIC):
        return False
    return len(header) < _HEADER.size or _HEADER.unpack(header)[1] != masked_crc(header[:8])


@contextmanager
def written(path: Path, *, compress: bool) -> Iterator[BinaryIO]:
    """A new file for frames, on disk at the end. Whoever calls renames it to its place.

    gzip gets neither name nor time: equal data, equal bytes.
    """
    with path.open("xb") as raw:
        if compress:
            # Pictures don't shrink: a higher level only takes longer.
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield raw
        raw.flush()
        os.fsync(raw.fileno())


def _unpacked(path: Path) -> Path:
    """The plain copy of a compressed file in the cache, made if it is not there."""
    stat = path.stat()
    key = digest_json([1, str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    place = cache_folder() / "tfrecords" / f"{key}.tfrecord"
    if not place.is_file():
        with scratch_folder(place) as scratch:
            copy = scratch / place.name
            with path.open("rb") as raw, written(copy, compress=False) as out:
                for data in _stream(path, raw):
                    out.write(data)
            copy.replace(place)
    return place


def _stream(path: Path, raw: BinaryIO) -> Iterator[bytes]:
    """The frames of a compressed file in order, each checked."""
    number = offset = 0
    try:
        with gzip.GzipFile(fileobj=raw) as packed:
            while header := _read_up_to(packed, _HEADER.size):
                length = _length(header, path, number, offset)
                rest = _read_up_to(packed, length + _FOOTER.size)
                size = _HEADER.size + length + _FOOTER.size
                if len(header) + len(rest) < size:
                    raise _cut_off(path, number, offset, len(header) + len(rest), size)
                if _FOOTER.unpack(rest[length:])[0] != masked_crc(rest[:length]):
                    what = "the checksum of its bytes is wrong"
                    raise _damaged(path, number, offset, what, _HINT, unpacked=True)
                offset, number = offset + size, number + 1
                if offset > MAX_UNPACKED_BYTES:
                    raise DataError(
                        f"{path}: unpacks to more than {offset:,} bytes",
                        limit=f"{MAX_UNPACKED_BYTES:,} bytes for a compressed TFRecord",
                        hint="write it in shards: edgekit data convert --shards",
                    )
                yield header + rest
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = f"gzip ends or breaks there, at byte {raw.tell():,} of the file at the latest: "
        what += " ".join(str(error).split())
        raise _damaged(path, number, offset, what, _HINT, unpacked=True) from error


def _read_up_to(stream: io.BufferedIOBase | gzip.GzipFile, count: int) -> bytes:
    # In pieces: a length is a claim until the bytes are there.
    parts, left = [], count
    while left and (part := stream.read(min(left, 1024**2))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _length(header: bytes, path: Path, number: int, offset: int) -> int:
    if len(header) < _HEADER.size:
        raise _cut_off(path, number, offset, len(header), _HEADER.size)
    length, crc = _HEADER.unpack(header)
    if crc != masked_crc(header[:8]):
        if number == 0:
            raise DataError(
                f"{path}: not a TFRecord: the first length, at byte 0, has a wrong checksum",
                hint="edgekit data convert writes TFRecords from every data set",
            )
        raise _damaged(path, number, offset, "the checksum of its length is wrong", _HINT)
    if length > MAX_RECORD_BYTES:
        raise DataError(
            f"{path}: record {number:,} at byte {offset:,} is {length:,} bytes long",
            limit=f"{MAX_RECORD_BYTES:,} bytes for a record",
        )
    return int(length)


def _cut_off(path: Path, number: int, offset: int, there: int, wanted: int) -> DataError:
    what = f"cut off: {there:,} of {wanted:,} bytes are there"
    return _damaged(path, number, offset, what, _HINT)


def _damaged(
    path: Path, number: int, offset: int, what: str, hint: str, *, unpacked: bool = False
) -> DataError:
    return DataError(f"{_where(path, number, offset, unpacked=unpacked)}: {what}", hint=hint)


def _where(path: Path, number: int, offset: int, *, unpacked: bool) -> str:
    return f"{path}: record {number:,} at {'unpacked ' * unpacked}byte {offset:,}"
