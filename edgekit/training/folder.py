"""The run folder: made if absent, held by one training at a time, gone if nothing came of it.

Knows paths and the system's locks. Does not know what lies in the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekit.errors import FileError

_HINT = "--out with the path of a folder, new or of an earlier run"


def _foreign(folder: Path) -> str:
    """Name of something in a folder that holds no training's state, or ""."""
    names = sorted(path.name for path in folder.iterdir())
    if "state.npz" in names:
        return ""
    for name in names:
        # What a training that was killed in its first epoch leaves.
        own = name == "logs" or name.endswith((".tokenizer.json", ".weights.h5"))
        if not own and not name.startswith("."):
            return name
    return ""


def refuse_file(folder: Path, what: str, hint: str) -> None:
    """A folder can be made at `folder`, as far as files in its way tell.

    Args:
        folder: Where it is to be.
        what: What it is, for the complaint: "log".
        hint: What to try.

    Raises:
        FileError: It, or one above it, is a file.
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise FileError(
                f"{place}: a file; the folder {folder} of the {what} cannot be made there"
                if place != folder
                else f"{folder}: a file; a {what} needs a folder",
                hint=hint,
            )


@contextmanager
def run_folder(folder: Path, *, writes: bool = True) -> Iterator[None]:
    """Make the run folder and hold it; a training that fails with nothing in it takes it away.

    Args:
        folder: The run folder.
        writes: Whether this process writes there; the other workers of a training only read.

    Raises:
        FileError: The folder or one above it is a file, it holds something else than a training,
            or another training is running in it.
    """
    refuse_file(folder, "training", _HINT)
    if folder.is_dir() and (foreign := _foreign(folder)):
        raise FileError(f"{folder}: holds {foreign}, and no state of a training", hint=_HINT)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if writes:
            with _held(folder):
                yield
        else:
            yield
    except BaseException:
        with suppress(OSError):  # the first that is not empty ends it
            for place in made:
                place.rmdir()
        raise


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock a folder itself, so that nothing is left in it: the system drops the lock on a kill.

    Where the system or the file system has no such locks, two trainings are not told apart.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(
                f"{folder}: another training is running in this folder",
                hint="--out for another folder, or wait until it has ended",
            ) from None
        except OSError:
            pass
        yield
    finally:
        os.close(handle)
