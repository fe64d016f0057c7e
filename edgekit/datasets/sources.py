"""Where public archives come from: a folder of the user's, the cache, or a download asked for.

Whatever the way, the content decides: a digest over the files that a data set uses. Opening never
reaches for the network, and nothing is written to the user's folder. Unpacking is `unpacking`'s,
downloading `download`'s. Does not know what is in the files.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from edgekit.errors import DataError, FileError
from edgekit.files import (
    cache_folder,
    digest_json,
    replace_folder,
    scratch_folder,
    sha256_file,
    write_atomic,
)
from edgekit.progress import Progress, Report, silent

VARIABLE = "EDGEKIT_DATA"
SUFFIXES = (".tar.xz", ".tar.gz")

_CHECKED_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Archive:
    """One commit of a public repository, as an archive.

    Attributes:
        name: Of the data set; the packed file is `<name>.tar.xz` or `<name>.tar.gz`.
        repository: `owner/name` on GitHub.
        commit: 40 hexadecimal digits.
        files: Patterns, relative to the archive's one folder, of the files that the data set uses:
            `*` stands for any name or part of one, never for a `/`. Others are not unpacked.
        digest: `content_digest` of these files.
        licence: SPDX identifier.
    """

    name: str
    repository: str
    commit: str
    files: tuple[str, ...]
    digest: str
    licence: str

    @property
    def folder(self) -> str:
        """The one folder that the archive unpacks to."""
        return f"{self.repository.rpartition('/')[2]}-{self.commit}"

    @property
    def page(self) -> str:
        """Where a person can look at it."""
        return f"https://github.com/{self.repository}/tree/{self.commit}"

    @property
    def url(self) -> str:
        """Where it is downloaded from."""
        return f"https://github.com/{self.repository}/archive/{self.commit}.tar.gz"

    def uses(self, path: PurePosixPath) -> bool:
        """Whether the data set uses the file at `path`, relative to the archive's folder."""
        from fnmatch import fnmatchcase

        for pattern in self.files:
            parts = pattern.split("/")
            if len(parts) == len(path.parts) and all(map(fnmatchcase, path.parts, parts)):
                return ".." not in path.parts
        return False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archive was found.

    Attributes:
        kind: "folder" (unpacked, below `EDGEKIT_DATA`), "cache" (unpacked by edgekit) or "archive"
            (packed, below `EDGEKIT_DATA`).
        path: The folder or file.
    """

    kind: Literal["folder", "cache", "archive"]
    path: Path


def locate(archive: Archive) -> Place | None:
    """Where an archive is now; None if it would have to be fetched. Reads nothing of it."""
    own = _own_folder()
    if own is not None and (own / archive.folder).is_dir():
        return Place("folder", own / archive.folder)
    if (cached := _cache_place(archive)).is_dir():
        return Place("cache", cached)
    if own is not None:
        for suffix in SUFFIXES:
            for stem in (archive.name, archive.folder):
                if (own / f"{stem}{suffix}").is_file():
                    return Place("archive", own / f"{stem}{suffix}")
    return None


def open_archive(archive: Archive, *, report: Report = silent) -> Path:
    """The folder that holds an archive's files, unpacked into the cache if need be.

    The content is checked once; later calls see by names, sizes and times that nothing moved.

    Raises:
        DataError: It is nowhere, damaged, or its content is not what it should be.
        FileError: The cache cannot be written.
    """
    place = locate(archive)
    if place is None:
        raise _nowhere(archive)
    try:
        folder = place.path
        if place.kind == "archive":
            folder = unpack_to_cache(archive, place.path, report=report)
        _check(archive, folder, cached=place.kind != "folder", report=report)
    except OSError as error:
        raise refused_by_system(error) from error
    return folder


def refused_by_system(error: OSError) -> FileError:
    """What to say when a file of an archive cannot be read, or the cache not be written."""
    known = FileError.from_os_error(error)
    return FileError(
        known.message,
        hint=f"free some space, or set EDGEKIT_CACHE to another folder than {cache_folder()}",
    )


def unpack_to_cache(archive: Archive, packed: Path, *, report: Report = silent) -> Path:
    """Unpack what the data set uses of an archive file; whole and checked, or not at all.

    Raises:
        DataError: Not a readable archive, larger than anything edgekit unpacks, or other content.
    """
    from edgekit.datasets.unpacking import unpack

    place = _cache_place(archive)
    with scratch_folder(place) as scratch:
        unpack(packed, scratch, folder=archive.folder, wanted=archive.uses, report=report)
        folder = scratch / archive.folder
        _require_content(archive, folder, packed, report=report)
        if not place.is_dir():  # else another process was faster, and its files may be in use
            replace_folder(folder, place)
    _remember(archive, place)
    return place


def content_digest(archive: Archive, folder: Path, *, report: Report = silent) -> str:
    """sha256, in hex, over the relative path and the sha256 of each file the data set uses."""
    total = hashlib.sha256()
    paths = _used_files(archive, folder)
    task = f"checking the files of {archive.name}"
    for number, path in enumerate(paths, 1):
        relative = path.relative_to(folder).as_posix()
        total.update(f"{relative}\0{sha256_file(path)}\n".encode())
        report(Progress(task, number, len(paths)))
    return total.hexdigest()


def _own_folder() -> Path | None:
    chosen = os.environ.get(VARIABLE)
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise DataError(f"{VARIABLE}={chosen}: no such folder", hint=f"unset {VARIABLE}")
    return folder.resolve()


def _cache_place(archive: Archive) -> Path:
    # The digest too: another choice of files of the same commit is another folder.
    return cache_folder() / "data" / f"{archive.folder}-{archive.digest[:12]}"


def _nowhere(archive: Archive) -> DataError:
    own = os.environ.get(VARIABLE)
    looked = [f"cache: {cache_folder() / 'data'}"]
    looked.insert(0, f"{VARIABLE}: {own}" if own else f"{VARIABLE} is not set")
    return DataError(
        f"the data set {archive.name} is not on this machine",
        *looked,
        hint=f"edgekit data fetch {archive.name}, which downloads it from "
        f"github.com/{archive.repository}; or set {VARIABLE} to a folder that holds "
        f"{archive.folder} or {archive.name}{SUFFIXES[0]}",
    )


def _used_files(archive: Archive, folder: Path) -> list[Path]:
    found: set[Path] = set()
    for pattern in archive.files:
        found.update(path for path in folder.glob(pattern) if path.is_file())
    return sorted(
        (p for p in found if archive.uses(PurePosixPath(p.relative_to(folder).as_posix()))),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def _check(archive: Archive, folder: Path, *, cached: bool, report: Report) -> None:
    """Check the content, unless this very folder was checked before."""
    if _mark(archive, folder).exists():
        return
    _require_content(archive, folder, folder, report=report, cached=cached)
    _remember(archive, folder)


def _require_content(
    archive: Archive, folder: Path, origin: Path, *, report: Report, cached: bool = False
) -> None:
    found = content_digest(archive, folder, report=report) if folder.is_dir() else "no files"
    if found == archive.digest:
        return
    count = len(_used_files(archive, folder)) if folder.is_dir() else 0
    raise DataError(
        f"{origin}: not the data set {archive.name}, or damaged: its content has another digest",
        f"expected {archive.digest}",
        f"found    {found}, over {count:,} files",
        limit=f"{archive.repository} at {archive.commit}",
        hint="remove that folder; the next use unpacks it anew"
        if cached
        else f"remove it, then: edgekit data fetch {archive.name}",
    )


def _remember(archive: Archive, folder: Path) -> None:
    with suppress(OSError):  # then the next use checks again
        write_atomic(_mark(archive, folder), "")


def _mark(archive: Archive, folder: Path) -> Path:
    """The file whose existence says that this folder, in this state, was checked."""
    key = digest_json(
        {
            "format": _CHECKED_FORMAT,
            "digest": archive.digest,
            "folder": str(folder.resolve()),
            "state": _state(folder, _used_files(archive, folder)),
        }
    )
    return cache_folder() / "data" / "checked" / key


def _state(folder: Path, paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        relative = path.relative_to(folder).as_posix()
        total.update(f"{relative}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return total.hexdigest()
