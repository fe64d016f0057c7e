"""A bundle as one file: a ZIP that is the same for the same bundle, and is taken apart with care.

Nothing is unpacked before its name, kind and size are those that the bundle's own list gives.
"""

from __future__ import annotations

import json
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.bundles.contents import (
    CONTENTS,
    MOST_BYTES,
    MOST_CONTENTS_BYTES,
    MOST_FILES,
    SIGNATURE,
    Contents,
    is_path,
)
from edgekit.errors import ArtifactError
from edgekit.files import write_atomic, zip_bytes

SUFFIX = ".zip"
MOST_RATIO = 100  # bytes of all files, by those of the ZIP: bundles are models, pictures and text
_MOST_SIGNATURE_BYTES = 4 * 1024**2
_HEADER_BYTES, _END_BYTES = 30, 22
_MOST_LIST_BYTES = 2 * 1024**2
_REFUSE = "don't use this bundle; get it again from where it was made"


def pack(folder: Path, file: Path) -> None:
    """Write a bundle's folder as a ZIP."""
    files = (path for path in folder.rglob("*") if path.is_file())
    packed = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    write_atomic(file, zip_bytes(packed))


def is_zipped(file: Path) -> bool:
    """Whether a file is a ZIP with a bundle's list. Nothing is verified."""
    try:
        with zipfile.ZipFile(file) as archive:
            return CONTENTS in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def has_signature(place: Path) -> bool:
    """Whether a bundle, a folder or a ZIP, has a signature. Nothing is verified."""
    if place.is_dir():
        return (place / SIGNATURE).is_file()
    if not is_zipped(place):
        return False
    with zipfile.ZipFile(place) as archive:
        return SIGNATURE in archive.namelist()


@contextmanager
def unpacked(file: Path) -> Iterator[Path]:
    """A zipped bundle as a folder that is there for a while; its files are not verified yet.

    Raises:
        ArtifactError: No ZIP, damaged, or it holds names, kinds or sizes that its list does not
            give: paths that leave it, links, files that are added, missing or larger.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-bundle-") as scratch:
        folder = Path(scratch)
        _unpack(file, folder)
        # What goes wrong from here on is no fault of the ZIP.
        yield folder


@contextmanager
def opened(
    file: Path, ratio: int = MOST_RATIO
) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """A ZIP from somebody else, and its entries, of which none was unpacked yet.

    Args:
        file: The ZIP.
        ratio: How many times its own bytes it may unpack to.

    Raises:
        ArtifactError: No ZIP, damaged, with something before or behind it, or with entries that no
            bundle has: paths that leave it, links, one name twice, too many of them, two in one
            place, or far more bytes than the file has.
    """
    try:
        _refuse_surroundings(file)
        with zipfile.ZipFile(file) as archive:
            yield archive, _checked(file, archive, ratio)
    # What zipfile raises about others' files: encrypted ones RuntimeError, unknown compression
    # NotImplementedError.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArtifactError(f"{file}: not a readable ZIP: {reason}", hint=_REFUSE) from error


def _unpack(file: Path, folder: Path) -> None:
    with opened(file) as (archive, entries):
        _check_list(file, archive, entries)
        for entry in entries:
            target = folder / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)


def _checked(file: Path, archive: zipfile.ZipFile, ratio: int) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) < len(archive.infolist()):
        raise ArtifactError(f"{file}: holds folders of their own", hint=_REFUSE)
    names = [entry.filename for entry in entries]
    for entry in entries:
        if not is_path(entry.filename):
            raise ArtifactError(
                f"{file}: {entry.filename!r:.200} is no path inside a bundle", hint=_REFUSE
            )
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            told = f"{file}: {entry.filename} is a link or no plain file"
            raise ArtifactError(told, hint=_REFUSE)
    if len({name.lower() for name in names}) < len(names):
        raise ArtifactError(f"{file}: holds a name twice", hint=_REFUSE)
    _refuse_bomb(file, archive, entries, ratio)
    return entries


def _refuse_bomb(
    file: Path, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], ratio: int
) -> None:
    """By what the entries say, which is all that is read of them."""
    if min((entry.header_offset for entry in entries), default=0):
        raise ArtifactError(f"{file}: holds more than a ZIP", hint=_REFUSE)
    free = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        ends = entry.header_offset + _HEADER_BYTES + entry.compress_size
        if entry.header_offset < free or ends > archive.start_dir:
            raise ArtifactError(f"{file}: its files lie in one another", hint=_REFUSE)
        free = ends
    total, size = sum(entry.file_size for entry in entries), file.stat().st_size
    if total > MOST_BYTES or total > size * ratio:
        raise ArtifactError(
            f"{file}: {size:,} bytes would unpack to {total:,}",
            limit=f"{MOST_BYTES:,} bytes, and {ratio} times the file's own",
            hint=_REFUSE,
        )


def _check_list(file: Path, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    listed = _listed(file, archive)
    for entry in entries:
        limit = listed.get(entry.filename)
        if limit is None:
            raise ArtifactError(
                f"{file}: {entry.filename} is not in its {CONTENTS}: it was added", hint=_REFUSE
            )
        if entry.file_size > limit:
            raise ArtifactError(
                f"{file}: {entry.filename} unpacks to {entry.file_size:,} bytes, more than the "
                f"{limit:,} it should have",
                hint=_REFUSE,
            )


def _refuse_surroundings(file: Path) -> None:
    """A ZIP may have anything before and behind it; what is one whole has not."""
    with file.open("rb") as stream:
        begins = stream.read(4)
        stream.seek(0, 2)
        stream.seek(-min(stream.tell(), _END_BYTES), 2)
        ends = stream.read()
    if begins[:2] != b"PK" or len(ends) < _END_BYTES:
        raise zipfile.BadZipFile("File is not a zip file")
    if begins != b"PK\x03\x04" or ends[:4] != b"PK\x05\x06":
        raise ArtifactError(f"{file}: holds more than a ZIP", hint=_REFUSE)
    count, of_list = struct.unpack("<10xHI6x", ends)
    if count > MOST_FILES + 2:
        raise ArtifactError(f"{file}: {count:,} files", limit=f"{MOST_FILES:,} files for a bundle")
    if of_list > _MOST_LIST_BYTES:
        raise ArtifactError(f"{file}: a list of {of_list:,} bytes", limit=f"{_MOST_LIST_BYTES:,}")


def _listed(file: Path, archive: zipfile.ZipFile) -> dict[str, int]:
    """Path → how many bytes it may have at most."""
    try:
        entry = archive.getinfo(CONTENTS)
    except KeyError:
        raise ArtifactError(
            f"{file}: not a bundle (no {CONTENTS})", hint="edgekit bundle makes bundles"
        ) from None
    if entry.file_size > MOST_CONTENTS_BYTES:
        raise ArtifactError(
            f"{file}: a {CONTENTS} of {entry.file_size:,} bytes",
            limit=f"{MOST_CONTENTS_BYTES:,} bytes",
        )
    try:
        contents = Contents.from_json(json.loads(archive.read(entry).decode()))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{file}: {CONTENTS} is not valid JSON: {str(error)[:200]}", hint=_REFUSE
        ) from error
    sizes = {path: one.bytes for path, one in contents.files.items()}
    return {**sizes, CONTENTS: MOST_CONTENTS_BYTES, SIGNATURE: _MOST_SIGNATURE_BYTES}
