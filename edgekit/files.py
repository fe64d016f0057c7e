"""Write files and folders whole or not at all; name them by content.

Knows paths, bytes and digests. Does not know what the bytes mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edgekit.errors import FileError, UsageError

_SCRATCH_MARK = ".edgekit-"


def canonical_json(data: Any) -> str:
    """JSON with sorted keys and a final newline: equal data, equal bytes. NaN is refused."""
    return json.dumps(data, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def digest_json(data: Any) -> str:
    """sha256 of `canonical_json(data)`, in hex."""
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_tree(root: Path) -> str:
    """sha256 over the relative paths and contents of all files below `root` (or of one file).

    Byte-code caches and hidden files don't count.
    """
    if root.is_file():
        return sha256_file(root)
    total = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        relative = path.relative_to(root)
        if any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            continue
        total.update(f"{relative.as_posix()}\0{sha256_file(path)}\n".encode())
    return total.hexdigest()


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, flush it to disk, then rename it there.

    A link stays a link to what is written; a device or a pipe is written to.

    Raises:
        OSError: With the name of the file itself, not of what was to become it.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        _write_beside(path, content)
    except OSError as error:
        if error.errno and str(error.filename or "").startswith(f"{path.parent}{os.sep}"):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _write_beside(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(prefix=_SCRATCH_MARK, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files; an artifact is as public as the umask says.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def zip_bytes(contents: Mapping[str, bytes]) -> bytes:
    """A ZIP that is the same for the same contents: sorted, compressed, dated 1980.

    Args:
        contents: Path in the archive → bytes of a plain file.
    """
    import io
    import stat
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return packed.getvalue()


def check_place(file: Path, meant: str) -> None:
    """Find out before the work, not after it, that a file cannot be written.

    Args:
        file: Where it will be.
        meant: What the option that named it is for: "--out names the file for the raw samples".

    Raises:
        FileError: The folder cannot be made or written.
        UsageError: The file is a folder.
    """
    if file.is_dir():
        raise UsageError(f"{file}: a folder; {meant}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        named = OSError(error.errno, error.strerror, str(file)) if error.errno else error
        raise FileError.from_os_error(named) from error


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """A temporary folder on the same file system as `beside`, so that a rename out of it is atomic.

    Folders that earlier, killed runs left there are removed first.
    """
    parent = beside.parent
    parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_scratch(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH_MARK}{os.getpid()}-", dir=parent))
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def emptied(folder: Path) -> Path:
    """The folder, there and with nothing in it; for places of one's own only."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def replace_folder(new: Path, place: Path) -> None:
    """Put the folder `new` at `place`; whoever looks sees the old one or the new one, whole.

    Linux and macOS exchange the two names in one system call. Elsewhere there is an instant
    between two renames in which `place` does not exist.

    Raises:
        FileError: Something else than a folder is there.
    """
    if place.exists() and not place.is_dir():
        raise FileError(f"{place}: not a folder, so none replaces it", hint="name another place")
    for path in new.rglob("*"):
        if path.is_file():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        os.rename(new, place)
        return
    if not _exchange(new, place):
        aside = new.with_name(new.name + ".old")
        os.rename(place, aside)
        os.rename(new, place)
        new = aside
    shutil.rmtree(new, ignore_errors=True)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two paths atomically; False where the system cannot."""
    import ctypes

    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            here, rename_exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
            done = libc.renameat2(here, os.fsencode(a), here, os.fsencode(b), rename_exchange)
        elif sys.platform == "darwin":
            rename_swap = 2
            done = libc.renamex_np(os.fsencode(a), os.fsencode(b), rename_swap)
        else:
            return False
    except (OSError, AttributeError, TypeError):
        return False
    return bool(done == 0)


def _remove_stale_scratch(parent: Path) -> None:
    for path in parent.glob(f"{_SCRATCH_MARK}*"):
        owner = path.name.removeprefix(_SCRATCH_MARK).partition("-")[0]
        if path.is_dir() and owner.isdigit() and not process_lives(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


def process_lives(pid: int) -> bool:
    """Whether a process of this number runs; on Windows, where asking would end it, always."""
    if sys.platform == "win32":
        return True  # os.kill(pid, 0) would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def cache_folder() -> Path:
    """The user's cache for edgekit: `EDGEKIT_CACHE`, else the system's convention."""
    if chosen := os.environ.get("EDGEKIT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "edgekit"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "edgekit" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgekit"


def data_folder() -> Path:
    """Where the user's programs keep what is theirs, for edgekit: the system's convention."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "edgekit"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "edgekit"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "edgekit"


def inside(root: Path, relative: str) -> Path:
    """`root/relative`, refused if it leaves `root`: file names in a manifest are untrusted.

    Raises:
        ValueError: The path is absolute or climbs out.
    """
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{relative!r} points outside {root}")
    return path
