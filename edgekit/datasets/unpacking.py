"""Unpack an archive that somebody else made: bounded, and inside its place.

Only plain files that are asked for reach the disk; links, devices and everything else in the
archive is passed over. Does not know data sets.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from edgekit.errors import DataError
from edgekit.progress import Progress, Report, silent

# An archive of zeros is small on disk.
MAX_BYTES = 1024**3  # of everything in the archive, wanted or not
MAX_ENTRIES = 100_000


def unpack(
    packed: Path,
    place: Path,
    *,
    folder: str,
    wanted: Callable[[PurePosixPath], bool],
    report: Report = silent,
) -> int:
    """Unpack the wanted files of a `.tar.xz` or `.tar.gz`.

    Args:
        packed: The archive.
        place: An empty folder; `place/folder/…` is made.
        folder: The one top folder of the archive.
        wanted: Says of a path below `folder` whether to unpack it.
        report: Told bytes of the packed file.

    Returns:
        How many files were written.

    Raises:
        DataError: Damaged, or larger than `MAX_BYTES` or `MAX_ENTRIES`.
    """
    count = 0
    task = f"unpacking {packed.name}"
    size = packed.stat().st_size
    try:
        with packed.open("rb") as raw, _decompressed(raw, packed) as stream:
            bounded: Any = _Bounded(stream, packed)  # all that tarfile asks of a stream is read()
            # "r|" reads once, from front to end: no entry can point back.
            with tarfile.open(fileobj=bounded, mode="r|", errorlevel=1) as archive:
                for number, entry in enumerate(archive, 1):
                    if number > MAX_ENTRIES:
                        raise _too_large(packed, f"more than {MAX_ENTRIES:,} entries")
                    if _is_wanted(entry, folder, wanted):
                        archive.extract(entry, place, filter="data")
                        count += 1
                    archive.members = []  # type: ignore[attr-defined]  # else every entry passed stays in memory
                    report(Progress(task, raw.tell(), size))
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise _damaged(packed, error) from error
    except OSError as error:
        if error.errno:
            raise
        raise _damaged(packed, error) from error  # "Not a gzipped file" has no number
    except Exception as error:
        if type(error).__name__ != "LZMAError":  # lzma may be absent from a Python
            raise
        raise _damaged(packed, error) from error
    report(Progress(task, size, size))
    return count


class _Bounded:
    """A stream for tarfile that ends the work at `MAX_BYTES`."""

    def __init__(self, stream: IO[bytes], packed: Path) -> None:
        self._stream = stream
        self._packed = packed
        self._left = MAX_BYTES

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._packed, f"more than {MAX_BYTES:,} bytes")
        return data


def _decompressed(raw: IO[bytes], packed: Path) -> IO[bytes]:
    if packed.name.endswith(".xz"):
        import lzma

        return lzma.open(raw, "rb")
    import gzip

    return cast("IO[bytes]", gzip.open(raw, "rb"))


def _is_wanted(
    entry: tarfile.TarInfo, folder: str, wanted: Callable[[PurePosixPath], bool]
) -> bool:
    path = PurePosixPath(entry.name)
    if not entry.isreg() or path.is_absolute() or ".." in path.parts or path.parts[:1] != (folder,):
        return False
    return wanted(path.relative_to(folder))


def _too_large(packed: Path, by: str) -> DataError:
    return DataError(f"{packed}: holds {by} when unpacked", limit="edgekit.datasets.unpacking")


def _damaged(packed: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(
        f"{packed}: not a readable archive: {reason}", hint="it may be cut short: get it again"
    )
