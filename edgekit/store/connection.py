"""The store's file: opened, brought to this version, written in whole transactions.

Owns how SQLite is spoken to and what its complaints mean. Does not know what is in the tables.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from edgekit.errors import FileError, StoreError
from edgekit.fields import printable
from edgekit.store.schema import APPLICATION, STEPS, VERSION

# How long a writer waits for another one; a round is written in milliseconds.
PATIENCE_S = 60.0

_LONGEST = 200  # characters of a complaint

_ANOTHER = "EDGEKIT_STORE=FILE names another file for the store"
_HINTS = {
    "NOTADB": _ANOTHER,
    "CORRUPT": f"sqlite3 FILE .recover saves what can be read; {_ANOTHER}",
    "FULL": "free some space: what was stored before is all there",
    "IOERR": "is the disk full or gone? what was stored before is all there",
    "READONLY": _ANOTHER,
    "CANTOPEN": f"is the folder there and writable? {_ANOTHER}",
    "PERM": _ANOTHER,
    "BUSY": "end the other edgekit, or try again",
    "LOCKED": "end the other edgekit, or try again",
}


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn SQLite's complaints into StoreErrors that name the file."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        kind = name.removeprefix("SQLITE_").partition("_")[0]
        # SQLite quotes names out of the file, whatever bytes they are.
        told = printable(str(error)[:_LONGEST])
        raise StoreError(f"{place}: {told}", hint=_HINTS.get(kind, _ANOTHER)) from error


class Connection:
    """One store, open; any thread may use it, one at a time.

    Args:
        place: The file; made, with its folder, if it is not there.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._lock = threading.RLock()
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(FileError.from_os_error(error).message, hint=_ANOTHER) from error
        with explained(place):
            self._database = _opened(place)
        try:
            with explained(place):
                self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on disk afterwards, or nothing.

        Raises:
            StoreError: Another process has kept the store for a minute, it is read-only, damaged or
                its disk is full, or a newer edgekit has taken it over meanwhile.
        """
        with self._lock, explained(self.place), self._transaction("IMMEDIATE") as database:
            self._check_version(_pragma(database, "user_version"))
            yield database

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A view of one moment, whatever others write meanwhile."""
        with self._lock, explained(self.place), self._transaction("DEFERRED") as database:
            yield database

    def shrink(self) -> None:
        """Give the space of deleted rows back to the file system, as far as nobody needs it."""
        with self._lock, suppress(sqlite3.OperationalError):
            # A step gives back one page: execute() takes one step only, executescript() all.
            self._database.executescript("PRAGMA incremental_vacuum")
            self._database.executescript("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        self._database.execute(f"BEGIN {kind}")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA foreign_keys = ON")
        # FULL: a finished round outlives a loss of power, too, for a flush of some milliseconds.
        database.execute("PRAGMA synchronous = FULL")
        version = self._known_version()
        # Both are facts of the file, and can only be chosen outside of a transaction.
        if version == 0:
            database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _choose_wal(database)
        if version == VERSION:
            return
        with self._transaction("IMMEDIATE"):
            version = self._known_version()  # another process may have been faster
            if 0 < version < VERSION:
                self._back_up(version)
            for step in STEPS[version:]:
                for statement in step:
                    database.execute(statement)
            if version < VERSION:
                database.execute(f"PRAGMA application_id = {APPLICATION}")
                database.execute(f"PRAGMA user_version = {VERSION}")

    def _known_version(self) -> int:
        """The file's version, 0 for an empty one; other programs' files are left as they are."""
        version = _pragma(self._database, "user_version")
        owner = _pragma(self._database, "application_id")
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if owner != APPLICATION and (owner or version or tables):
            raise StoreError(
                f"{self.place}: a database of another program, not edgekit's store", hint=_ANOTHER
            )
        self._check_version(version)
        return version

    def _check_version(self, version: int) -> None:
        if version > VERSION:
            raise StoreError(
                f"{self.place}: version {version} of the store; this edgekit knows {VERSION}",
                hint=f"update edgekit; {_ANOTHER}",
            )

    def _back_up(self, version: int) -> None:
        """Copy the store as it is; nobody writes it now, and who reads is not disturbed."""
        backup = self.place.with_name(f"{self.place.name}.version-{version}")
        part = backup.with_name(f"{backup.name}.part")
        part.unlink(missing_ok=True)
        source = _opened(self.place)
        target = sqlite3.connect(part)
        try:
            source.backup(target)
        finally:
            target.close()
            source.close()
        part.replace(backup)


def _opened(place: Path) -> sqlite3.Connection:
    try:
        return _reached(str(place))
    except sqlite3.OperationalError:
        # To read a store in WAL mode SQLite needs a file beside it, unless nobody can write it.
        if not place.is_file() or os.access(place.parent, os.W_OK):
            raise
    return _reached(f"file:{quote(str(place.absolute()))}?immutable=1")


def _reached(name: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        name,
        timeout=PATIENCE_S,
        isolation_level=None,
        check_same_thread=False,
        uri=name.startswith("file:"),
    )
    # One damaged text must not keep the others from being read: see `encoding.from_text`.
    database.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        _pragma(database, "user_version")
    except BaseException:
        database.close()
        raise
    return database


def _choose_wal(database: sqlite3.Connection) -> None:
    """Let readers and a writer work side by side; some file systems cannot, and go on without.

    SQLite doesn't wait here when two processes make the same file, so this does.
    """
    if database.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if "READONLY" in error.sqlite_errorname:
                return  # it can be read as it is
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _pragma(database: sqlite3.Connection, name: str) -> int:
    (value,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(value)
