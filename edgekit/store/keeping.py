"""`Store`: runs kept round by round, and found again.

What was handed over is on disk when a method returns, whole. Any number of processes may use one
store at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from edgekit.errors import StoreError
from edgekit.fields import printable
from edgekit.files import data_folder
from edgekit.moments import now
from edgekit.run import Run, Turn
from edgekit.store import owner, rows
from edgekit.store.connection import Connection
from edgekit.store.encoding import pack, to_text
from edgekit.store.evaluation import KeptEvaluation
from edgekit.store.rows import DamagedRun, StoredRun

FILE = "measurements.sqlite"


def place_of_store() -> Path:
    """`EDGEKIT_STORE`, else `measurements.sqlite` in the user's data folder."""
    if chosen := os.environ.get("EDGEKIT_STORE"):
        return Path(chosen).expanduser()
    return data_folder() / FILE


class Store:
    """All measurements of a user. `Store.open` makes one; a context manager closes it.

    Every method raises StoreError if the file cannot be read or written.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, place: Path | None = None) -> Store:
        """The store at `place`, else the user's; made if it is not there.

        Raises:
            StoreError: The file is no store, damaged, of a newer version, read-only and of an
                older one, or cannot be made.
        """
        return cls(Connection(place or place_of_store()))

    @property
    def place(self) -> Path:
        """The file."""
        return self._connection.place

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self, run: Run) -> int:
        """Keep a run that is about to be measured, or go on with an unfinished one of its key.

        A run that a living process still measures is never gone on with, nor one of another
        machine.

        Args:
            run: With the turns and passes it has; these are kept only if it is new.

        Returns:
            The run's number.
        """
        me = owner.myself()
        with self._connection.writing() as database:
            found = database.execute(
                "SELECT number, owner FROM run WHERE key = ? AND finished IS NULL"
                " ORDER BY number DESC",
                (run.key,),
            ).fetchall()
            for number, held_by in found:
                if held_by == me or owner.is_gone(held_by):
                    database.execute("UPDATE run SET owner = ? WHERE number = ?", (me, number))
                    return int(number)
            return rows.insert_run(database, run, me)

    def keep(self, run: Run) -> int:
        """Keep a finished run, all of it, and give its number."""
        with self._connection.writing() as database:
            number = rows.insert_run(database, run, None)
            database.execute("UPDATE run SET finished = ? WHERE number = ?", (now(), number))
            return number

    def add_missing(self, number: int, run: Run) -> int:
        """Keep the turns and passes that another copy of a run has beyond this one.

        Returns:
            In how many rounds turns were missing here.

        Raises:
            StoreError: No such run, it is damaged or being measured, or the copy contradicts it:
                another contender, rule, measurement or pass. Nothing is kept.
        """
        with self._connection.writing() as database:
            _, is_running = rows.state_of(database, number)
            if is_running:
                raise _busy(number)
            return rows.insert_missing(database, number, run)

    def add_round(self, number: int, turns: Sequence[Turn]) -> None:
        """Keep the turns of one finished round.

        Raises:
            StoreError: No such run, it is finished, it has this round of a contender, or not this
                contender. Nothing of the round is kept.
            ValueError: The turns are not of one round, or hold a number that is not finite.
        """
        if len({turn.round for turn in turns}) != 1:
            raise ValueError("expected the turns of one round")
        packed = [(turn, *pack(turn)) for turn in turns]  # before anybody has to wait
        with self._connection.writing() as database:
            if rows.state_of(database, number)[0] is not None:
                raise StoreError(f"run {number} is finished: it takes no further round")
            for turn, facts, samples in packed:
                rows.insert_turn(database, number, turn, facts, samples)

    def add_pass(self, number: int, contender: int, name: str, document: Mapping[str, Any]) -> None:
        """Keep what an extra pass found out about a contender; a later one takes its place.

        Raises:
            StoreError: No such run or contender.
            ValueError: A number that is not finite.
        """
        text = to_text(document)
        with self._connection.writing() as database:
            rows.state_of(database, number)
            rows.insert_pass(database, number, contender, name, text)

    def finish(self, number: int) -> None:
        """Say that the run has all its rounds."""
        with self._connection.writing() as database:
            rows.state_of(database, number)
            database.execute(
                "UPDATE run SET finished = coalesce(finished, ?), owner = NULL WHERE number = ?",
                (now(), number),
            )

    def load(self, number: int) -> Run:
        """A run with all its finished rounds.

        Raises:
            StoreError: No such run, or it is damaged.
        """
        with self._connection.reading() as database:
            run = rows.read_run(database, number)
            return replace(run, turns=rows.read_turns(database, number))

    def stored(self, number: int) -> StoredRun:
        """A run without its turns.

        Raises:
            StoreError: No such run, or it is damaged.
        """
        with self._connection.reading() as database:
            return rows.read_stored(database, number)

    def find(
        self,
        *,
        model: str | None = None,
        target: str | None = None,
        precision: str | None = None,
        device: str | None = None,
        sha256: str | None = None,
        command: str | None = None,
        since: str | None = None,
        finished: bool | None = True,
        limit: int | None = None,
    ) -> list[StoredRun]:
        """Runs without their turns, newest first; damaged ones are left out: see `find_all`.

        Args:
            model: With a contender of this model; one and the same contender has to fit `model`,
                `target`, `precision` and `sha256`.
            target: "tflite", "onnx", "openvino" or a plug-in's.
            precision: As in the manifest.
            device: Name of the device profile.
            sha256: Digest of an artifact, or how it begins.
            command: One of `edgekit.run.COMMANDS`.
            since: Started then or later, UTC, ISO 8601: "2026-11-21" or "2026-11-21T23:17:28Z".
            finished: Only finished ones, only unfinished ones (False) or all (None).
            limit: At most so many.
        """
        return self.find_all(
            model=model, target=target, precision=precision, device=device, sha256=sha256,
            command=command, since=since, finished=finished, limit=limit,
        )[0]  # fmt: skip

    def find_all(
        self,
        *,
        model: str | None = None,
        target: str | None = None,
        precision: str | None = None,
        device: str | None = None,
        sha256: str | None = None,
        command: str | None = None,
        since: str | None = None,
        finished: bool | None = True,
        limit: int | None = None,
    ) -> tuple[list[StoredRun], list[DamagedRun]]:
        """As `find`, and beside them the runs that fit and are damaged; these count for `limit`."""
        asked = {
            "model": model, "target": target, "precision": precision, "device": device,
            "command": command, "since": since or "", "finished": finished,
            "limit": -1 if limit is None else limit, **rows.digests(sha256),
        }  # fmt: skip
        with self._connection.reading() as database:
            return rows.find(database, asked)

    def known(self, kind: str) -> list[str]:
        """What the store has of a kind: "model", "target", "precision", "device" or "run" (number).

        Names are sorted; numbers are newest first.
        """
        with self._connection.reading() as database:
            found = database.execute(rows.KNOWN[kind]).fetchall()
            return [printable(str(name)) for (name,) in found]

    def delete(self, numbers: Sequence[int]) -> None:
        """Remove runs, all or none.

        Raises:
            StoreError: One of them is not there, or another process measures it just now; nothing
                was removed.
        """
        with self._connection.writing() as database:
            for number in numbers:
                if rows.state_of(database, number)[1]:
                    raise _busy(number)
                database.execute("DELETE FROM run WHERE number = ?", (number,))
        self._connection.shrink()

    def add_evaluation(self, evaluation: KeptEvaluation) -> int:
        """Keep what an artifact reached on a data set, and give its number."""
        with self._connection.writing() as database:
            return rows.insert_evaluation(database, evaluation)

    def evaluation(self, number: int) -> KeptEvaluation:
        """One evaluation by its number.

        Raises:
            StoreError: There is no such one.
        """
        with self._connection.reading() as database:
            return rows.read_evaluation(database, number)

    def evaluations(
        self,
        *,
        sha256: str | None = None,
        model: str | None = None,
        target: str | None = None,
        precision: str | None = None,
        dataset: str | None = None,
        split: str | None = None,
        sample_digest: str | None = None,
        limit: int | None = None,
    ) -> tuple[dict[int, KeptEvaluation], list[str]]:
        """Evaluations by their numbers, newest first, and what is wrong with damaged ones.

        `sha256` may be how a digest begins.
        """
        asked = {
            "model": model, "target": target, "precision": precision, "dataset": dataset,
            "split": split, "sample_digest": sample_digest,
            "limit": -1 if limit is None else limit, **rows.digests(sha256),
        }  # fmt: skip
        with self._connection.reading() as database:
            return rows.find_evaluations(database, asked)


def _busy(number: int) -> StoreError:
    return StoreError(
        f"run {number} is being measured by another process", hint="wait for it, or end it"
    )
