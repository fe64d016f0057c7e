"""Runs as rows: SQL in and out, inside of somebody else's transaction.

Does not know where the store lies, nor when it is written.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, replace
from typing import Any

from edgekit.errors import DamagedError, EdgekitError, StoreError
from edgekit.fields import printable
from edgekit.run import Run, Turn
from edgekit.store import owner
from edgekit.store.encoding import damaged, from_text, pack, to_text, unpack
from edgekit.store.evaluation import KeptEvaluation

# One and the same contender has to fit all that is asked of contenders. Digests are a range, so
# that the index serves their beginnings, too.
FIND = """
    SELECT number FROM run
    WHERE (:command IS NULL OR command = :command) AND (:device IS NULL OR device = :device)
        AND started >= :since AND (:finished IS NULL OR (finished IS NOT NULL) = :finished)
        AND number IN (
            SELECT run FROM contender
            WHERE sha256 >= :low AND sha256 < :high
                AND (:model IS NULL OR model = :model) AND (:target IS NULL OR target = :target)
                AND (:precision IS NULL OR precision = :precision)
        )
    ORDER BY started DESC, number DESC LIMIT :limit
"""

# Kind → what there is of it.
KNOWN = {
    "run": "SELECT number FROM run ORDER BY number DESC",
    "device": "SELECT DISTINCT device FROM run ORDER BY device",
    "model": "SELECT DISTINCT model FROM contender ORDER BY model",
    "target": "SELECT DISTINCT target FROM contender ORDER BY target",
    "precision": "SELECT DISTINCT precision FROM contender ORDER BY precision",
}

_FIND_EVALUATIONS = """
    SELECT number, facts, hits FROM evaluation
    WHERE sha256 >= :low AND sha256 < :high
        AND (:model IS NULL OR model = :model) AND (:target IS NULL OR target = :target)
        AND (:precision IS NULL OR precision = :precision)
        AND (:dataset IS NULL OR dataset = :dataset) AND (:split IS NULL OR split = :split)
        AND (:sample_digest IS NULL OR sample_digest = :sample_digest)
    ORDER BY started DESC, number DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run in the store.

    Attributes:
        number: By which it is loaded.
        finished: When, UTC, as ISO 8601 with seconds; None while rounds are missing.
        rounds: Rounds that are kept.
        processes: Turns that are kept.
        is_running: Whether another process, on this machine, measures it just now.
        run: The run without its turns.
    """

    number: int
    finished: str | None
    rounds: int
    processes: int
    is_running: bool
    run: Run

    def to_json(self) -> dict[str, Any]:
        document = self.run.to_json()
        del document["turns"]
        return {
            "number": self.number,
            "finished": self.finished,
            "rounds": self.rounds,
            "processes": self.processes,
            "is_running": self.is_running,
            **document,
        }


@dataclass(frozen=True, slots=True)
class DamagedRun:
    """A run in the store that cannot be read back.

    Attributes:
        number: By which it is deleted.
        started: When, as its row says.
        is_running: Whether another process, on this machine, measures it just now.
        problem: What is wrong with it, in one line.
    """

    number: int
    started: str
    is_running: bool
    problem: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.problem}; edgekit history delete {self.number} removes it"


def digests(beginning: str | None) -> dict[str, str]:
    """Bounds between which digests with this beginning lie; of all for None."""
    return {"low": beginning or "", "high": (beginning or "") + "\U0010ffff"}


def insert_run(rows: sqlite3.Connection, run: Run, held_by: str | None) -> int:
    """Add a run with all it has; gives its number."""
    facts = replace(run, turns=(), contenders=(), passes={}).to_json()
    for key in ("turns", "contenders", "passes"):
        del facts[key]
    done = rows.execute(
        "INSERT INTO run (key, command, device, started, owner, facts) VALUES (?, ?, ?, ?, ?, ?)",
        (run.key, run.command, run.device, run.started, held_by, to_text(facts)),
    )
    number = int(done.lastrowid or 0)
    for place, one in enumerate(run.contenders):
        known = (one.model, one.target, one.precision, one.sha256, to_text(one.to_json()))
        rows.execute("INSERT INTO contender VALUES (?, ?, ?, ?, ?, ?, ?)", (number, place, *known))
    for turn in run.turns:
        insert_turn(rows, number, turn, *pack(turn))
    names = [contender.name for contender in run.contenders]
    for name, passes in run.passes.items():
        for kind, document in passes.items():
            insert_pass(rows, number, names.index(name), kind, to_text(document))
    return number


def insert_missing(rows: sqlite3.Connection, number: int, copy: Run) -> int:
    """Add the turns and passes that only a copy of the run has; gives in how many rounds.

    Raises:
        StoreError: The copy contradicts what is here, or that is damaged.
    """
    here = read_run(rows, number)
    for what in ("command", "device", "rules", "contenders"):
        if getattr(here, what) != getattr(copy, what):
            raise _contradicted(number, f"other {what}" if what[-1] == "s" else f"another {what}")
    known = {(turn.contender, turn.round): turn for turn in read_turns(rows, number)}
    added = set()
    for turn in copy.turns:
        kept = known.get((turn.contender, turn.round))
        if kept is None:
            insert_turn(rows, number, turn, *pack(turn))
            added.add(turn.round)
        elif kept != turn:
            name = copy.contenders[turn.contender].name
            raise _contradicted(number, f"another measurement of {name} in round {turn.round}")
    names = [contender.name for contender in copy.contenders]
    for name, passes in copy.passes.items():
        for kind, document in passes.items():
            if kind not in here.passes.get(name, {}):
                insert_pass(rows, number, names.index(name), kind, to_text(document))
            elif here.passes[name][kind] != document:
                raise _contradicted(number, f"another pass {kind} of {name}")
    return len(added)


def _contradicted(number: int, what: str) -> StoreError:
    return StoreError(
        f"run {number} is this run with {what}",
        hint=f"edgekit history delete {number} makes room for the other",
    )


def insert_turn(
    rows: sqlite3.Connection, number: int, turn: Turn, facts: str, samples: bytes
) -> None:
    """Add a turn that was packed; StoreError if it is there, or its contender isn't."""
    calls = len(turn.measurement.samples_ns)
    try:
        rows.execute(
            "INSERT INTO turn (run, contender, round, calls, facts, samples)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (number, turn.contender, turn.round, calls, facts, samples),
        )
    except sqlite3.IntegrityError as error:
        unique = error.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE"
        problem = f"it has round {turn.round}" if unique else "no such contender"
        raise StoreError(f"run {number}, contender {turn.contender}: {problem}") from error


def insert_pass(
    rows: sqlite3.Connection, number: int, contender: int, name: str, text: str
) -> None:
    """Add a pass, or put it in the place of the one of this name."""
    try:
        rows.execute(
            "INSERT INTO pass VALUES (?, ?, ?, ?)"
            " ON CONFLICT (run, contender, name) DO UPDATE SET document = excluded.document",
            (number, contender, name, text),
        )
    except sqlite3.IntegrityError as error:
        raise StoreError(f"run {number}, contender {contender}: no such contender") from error


def insert_evaluation(rows: sqlite3.Connection, evaluation: KeptEvaluation) -> int:
    """Add an evaluation; gives its number."""
    document = evaluation.to_json()
    del document["hits"]
    values = {**document, "facts": to_text(document), "hits": evaluation.hits, "metric": None}
    done = rows.execute(
        "INSERT INTO evaluation (sha256, model, target, precision, dataset, split, sample_digest,"
        " started, facts, hits) VALUES (:sha256, :model, :target, :precision, :dataset, :split,"
        " :sample_digest, :started, :facts, :hits)",
        values,
    )
    return int(done.lastrowid or 0)


def read_evaluation(rows: sqlite3.Connection, number: int) -> KeptEvaluation:
    """One evaluation; StoreError if there is no such one."""
    found = rows.execute("SELECT facts, hits FROM evaluation WHERE number = ?", (number,))
    kept = found.fetchone()
    if kept is None:
        raise StoreError(
            f"no evaluation {number} in the store", hint="edgekit eval prints the number of each"
        )
    return _evaluation(number, *kept)


def find_evaluations(
    rows: sqlite3.Connection, asked: dict[str, Any]
) -> tuple[dict[int, KeptEvaluation], list[str]]:
    """Evaluations that fit by their numbers, newest first, and what is wrong with the others."""
    found, problems = {}, []
    for number, facts, hits in rows.execute(_FIND_EVALUATIONS, asked):
        try:
            found[number] = _evaluation(number, facts, hits)
        except DamagedError as error:
            problems.append(printable(error.message))
    return found, problems


def _evaluation(number: int, facts: str, hits: bytes | None) -> KeptEvaluation:
    where = f"evaluation {number}"
    known = from_text(facts, where)
    try:
        document = {**known, "hits": None if hits is None else hits.hex()}
        return KeptEvaluation.from_json(document, where)
    except (StoreError, AttributeError) as error:
        told = error.message if isinstance(error, StoreError) else "its hits are no bytes"
        raise DamagedError(f"{where}: damaged: {told.removeprefix(f'{where}: ')}") from error


def state_of(rows: sqlite3.Connection, number: int) -> tuple[str | None, bool]:
    """When a run was finished, None if it isn't, and whether another process measures it.

    Raises:
        StoreError: No such run.
    """
    found = rows.execute("SELECT finished, owner FROM run WHERE number = ?", (number,)).fetchone()
    if found is None:
        raise StoreError(f"no run {number} in the store", hint="edgekit history lists them")
    finished, held_by = found
    return finished, finished is None and owner.runs_here(held_by)


def read_stored(rows: sqlite3.Connection, number: int) -> StoredRun:
    """A run without its turns, and how many it has."""
    finished, is_running = state_of(rows, number)
    rounds, turns = rows.execute(
        "SELECT count(DISTINCT round), count(*) FROM turn WHERE run = ?", (number,)
    ).fetchone()
    return StoredRun(number, finished, rounds, turns, is_running, read_run(rows, number))


def find(
    rows: sqlite3.Connection, asked: dict[str, Any]
) -> tuple[list[StoredRun], list[DamagedRun]]:
    """Runs that fit, newest first: those that can be read, and those that cannot."""
    found, lost = [], []
    for (number,) in rows.execute(FIND, asked).fetchall():
        try:
            found.append(read_stored(rows, number))
        except DamagedError as error:
            lost.append(_damaged_run(rows, number, error))
    return found, lost


def _damaged_run(rows: sqlite3.Connection, number: int, error: DamagedError) -> DamagedRun:
    (started,) = rows.execute("SELECT started FROM run WHERE number = ?", (number,)).fetchone()
    return DamagedRun(
        number, printable(str(started)), state_of(rows, number)[1], printable(error.message)
    )


def read_run(rows: sqlite3.Connection, number: int) -> Run:
    """A run without its turns; StoreError if it isn't there, DamagedError if it is damaged."""
    state_of(rows, number)
    where = f"run {number}"
    (facts,) = rows.execute("SELECT facts FROM run WHERE number = ?", (number,)).fetchone()
    found = rows.execute("SELECT facts FROM contender WHERE run = ? ORDER BY place", (number,))
    contenders = [from_text(text, where) for (text,) in found.fetchall()]
    passes: dict[int, dict[str, Any]] = {}
    for place, name, text in rows.execute(
        "SELECT contender, name, document FROM pass WHERE run = ? ORDER BY contender, name",
        (number,),
    ):
        passes.setdefault(place, {})[name] = from_text(text, where)
    document = {**from_text(facts, where), "contenders": contenders, "turns": []}
    try:
        document["passes"] = {contenders[place]["name"]: one for place, one in passes.items()}
        return Run.from_json(document, where)
    except (EdgekitError, KeyError, IndexError, TypeError) as error:
        told = error.message if isinstance(error, EdgekitError) else "a pass of no contender"
        raise damaged(where, told.removeprefix(f"{where}: ")) from error


def read_turns(rows: sqlite3.Connection, number: int) -> tuple[Turn, ...]:
    """All turns of a run, round by round, of each in the order they were added.

    Raises:
        DamagedError: One cannot be read back.
    """
    found = rows.execute(
        "SELECT round, contender, facts, samples FROM turn WHERE run = ? ORDER BY round, number",
        (number,),
    )
    return tuple(
        unpack(facts, samples, f"run {number}, round {at}, contender {contender}")
        for at, contender, facts, samples in found
    )
