from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from edgekit.errors import DamagedError, StoreError
from edgekit.store import KeptEvaluation, Store, schema
from edgekit.store.connection import Connection

# Opens the store as somebody who may read it only, and says what reading and writing gave.
AS_A_GUEST = """
import os, sys
from pathlib import Path
from edgekit.errors import StoreError
from edgekit.store import Store
from benchmarks.store import synthetic_run
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with Store.open(Path(sys.argv[1])) as store:
        print(len(store.find()))
        store.begin(synthetic_run("x"))
except StoreError as error:
    print(error.render())
"""


@pytest.fixture
def version_1(tests_folder, place):
    """A store of version 1 with a finished run and an unfinished one."""
    place.parent.mkdir()
    with closing(sqlite3.connect(place)) as database:
        database.executescript((tests_folder / "store" / "version-1.sql").read_text())
    return place


@pytest.fixture
def pragma(sql):
    return lambda place, name: sql(place, f"PRAGMA {name}")[0][0]


@pytest.fixture
def tables_of(sql):
    """Tables and indexes of a file, with the words that made them."""

    def read(place):
        found = sql(place, "SELECT name, sql FROM sqlite_schema ORDER BY name")
        return [(name, " ".join((words or "").split())) for name, words in found]

    return read


def test_a_new_store_says_what_it_is_and_lets_readers_and_a_writer_work_side_by_side(
    store, place, pragma
):
    assert pragma(place, "application_id") == schema.APPLICATION
    assert pragma(place, "user_version") == schema.VERSION
    assert pragma(place, "journal_mode") == "wal"


def test_a_store_of_version_1_opens_with_all_its_rows(version_1):
    with Store.open(version_1) as store:
        unfinished, finished = store.find(finished=None)
        assert (finished.rounds, finished.processes, finished.finished) == (
            2, 4, "2026-11-21T23:18:40Z",
        )  # fmt: skip
        assert (unfinished.rounds, unfinished.finished) == (1, None)
        run = store.load(finished.number)
        assert run.turns[3].measurement.samples_ns == (
            1034822, 953631, 1019095, 977339, 1052266, 1037393,
        )  # fmt: skip
        assert run.passes == {"mobilenet tflite-1": {"memory": {"peak_bytes": 31457280}}}
        assert store.begin(unfinished.run) == unfinished.number


def test_a_migrated_store_has_the_tables_of_a_new_one(version_1, tmp_path, pragma, tables_of):
    Store.open(version_1).close()
    Store.open(tmp_path / "new.sqlite").close()
    assert tables_of(version_1) == tables_of(tmp_path / "new.sqlite")
    assert pragma(version_1, "user_version") == schema.VERSION


def test_a_migrated_store_takes_what_only_this_version_has(version_1):
    evaluation = KeptEvaluation(
        "a" * 64, "mobilenet", "tflite", "int8", "glyphs", "test", 3, "b" * 64,
        {"name": "top1", "value": 66.67}, "local-cpu", "litert", "2026-11-22T08:00:00Z", b"\xa0",
    )  # fmt: skip
    with Store.open(version_1) as store:
        store.add_evaluation(evaluation)
        assert store.evaluations(sha256="aa") == ({1: evaluation}, [])


def test_the_store_from_before_a_migration_is_kept_beside(version_1, pragma, tables_of, sql):
    before = tables_of(version_1)
    Store.open(version_1).close()
    backup = version_1.with_name("measurements.sqlite.version-1")
    assert tables_of(backup) == before
    assert pragma(backup, "user_version") == 1
    assert sql(backup, "SELECT count(*) FROM turn") == [(5,)]
    assert not list(version_1.parent.glob("*.part"))


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    version_1, monkeypatch, pragma, tables_of
):
    steps = (*schema.STEPS, ("CREATE TABLE more (number INTEGER)", "CREATE TABLE run (oops)"))
    monkeypatch.setattr("edgekit.store.connection.STEPS", steps)
    monkeypatch.setattr("edgekit.store.connection.VERSION", len(steps))
    before = tables_of(version_1)
    with pytest.raises(StoreError, match="table run already exists"):
        Store.open(version_1)
    assert tables_of(version_1) == before
    assert pragma(version_1, "user_version") == 1
    monkeypatch.undo()
    with Store.open(version_1) as store:
        assert len(store.find(finished=None)) == 2


def test_a_store_of_a_newer_edgekit_is_refused_and_left_alone(store, place, sql):
    store.close()
    sql(place, f"PRAGMA user_version = {schema.VERSION + 1}")
    before = place.read_bytes()
    with pytest.raises(StoreError, match="this edgekit knows 2") as caught:
        Store.open(place)
    assert "update edgekit" in caught.value.hint
    assert place.read_bytes() == before


def test_a_store_that_a_newer_edgekit_takes_over_meanwhile_is_not_written(
    store, place, make_run, sql
):
    number = store.begin(make_run())
    sql(place, f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StoreError, match="this edgekit knows 2"):
        store.finish(number)


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + bytes(100)])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    place = tmp_path / "notes.txt"
    place.write_bytes(content)
    with pytest.raises(StoreError, match=r"notes\.txt: file is not a database") as caught:
        Store.open(place)
    assert "EDGEKIT_STORE" in caught.value.hint
    assert place.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path, sql):
    place = tmp_path / "bookmarks.sqlite"
    sql(place, "CREATE TABLE run (number INTEGER)")
    before = place.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store.open(place)
    assert place.read_bytes() == before


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(StoreError, match="unable to open database file"):
        Store.open(tmp_path)


def test_a_damaged_page_is_an_error_that_names_the_file(store, place, make_run, make_turn):
    number = store.begin(make_run())
    store.add_round(number, [make_turn(calls=5000)])
    store.close()
    size = place.stat().st_size

    def load(place, number):
        with Store.open(place) as later:
            later.load(number)

    with place.open("rb+") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreError, match=r"measurements\.sqlite: .*malformed") as caught:
        load(place, number)
    assert ".recover" in caught.value.hint


def test_one_damaged_run_hides_no_other(store, place, make_run, make_turn, sql):
    numbers = [store.begin(make_run(key=key)) for key in "ab"]
    for number in numbers:
        store.add_round(number, [make_turn()])
    sql(place, "UPDATE turn SET samples = x'00' WHERE run = ?", numbers[0])
    with pytest.raises(StoreError, match=f"run {numbers[0]}, round 0, contender 0: damaged"):
        store.load(numbers[0])
    assert store.load(numbers[1]).rounds == 1
    store.delete(numbers[:1])


@pytest.mark.parametrize(
    "damage",
    [
        "run SET facts = '{bad'",
        "run SET facts = '{}'",
        "run SET facts = cast(x'7bff7d' as text)",
        "run SET facts = x'00'",
        "contender SET facts = '{}'",
        "contender SET facts = json_replace(facts, '$.threads', 2000)",
        "pass SET document = 'nothing'",
    ],
)
def test_one_damaged_run_is_found_beside_the_others(store, place, make_run, sql, damage):
    for key in "ab":
        number = store.keep(make_run(key=key))
        store.add_pass(number, 0, "memory", {})
    of_run = "number" if damage.startswith("run") else "run"
    sql(place, f"UPDATE {damage} WHERE {of_run} = 1")
    assert [one.number for one in store.find()] == [2]
    (whole,), (damaged,) = store.find_all(model="mobilenet", since="2026-11-01")
    assert (whole.number, damaged.number, damaged.started) == (2, 1, "2026-11-21T23:17:28Z")
    assert damaged.problem.startswith("run 1: damaged: ")
    assert damaged.problem.isprintable()
    with pytest.raises(DamagedError, match="run 1: damaged"):
        store.load(1)
    store.delete([1])
    assert store.find_all()[1] == []


def test_who_measures_a_run_may_be_damaged_too(store, place, make_run, sql):
    store.begin(make_run())
    for owner in ("nobody", f"{platform.node()}/x/1", platform.node()):
        sql(place, "UPDATE run SET owner = ?", owner)
        assert not store.stored(1).is_running


def test_a_full_disk_loses_only_the_round_that_did_not_fit(store, make_run, make_turn):
    number = store.begin(make_run())
    store.add_round(number, [make_turn(0, 0)])
    database = store._connection._database
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="disk is full") as caught:
        store.add_round(number, [make_turn(0, 1, calls=20_000)])
    assert "free some space" in caught.value.hint
    assert store.load(number).turns == (make_turn(0, 0),)
    database.execute("PRAGMA max_page_count = 1000000")
    store.add_round(number, [make_turn(0, 1)])
    assert store.load(number).rounds == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs users")
def test_a_store_that_may_only_be_read_is_read_and_refuses_to_be_written(checkout):
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "measurements.sqlite"
        with Store.open(place) as store:
            from benchmarks.store import synthetic_run

            store.keep(synthetic_run("kept"))
        place.chmod(0o444)
        Path(folder).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", AS_A_GUEST, place],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        Path(folder).chmod(0o755)
    found, error, hint = done.stdout.splitlines()
    assert found == "1"
    assert error == f"error: {place}: attempt to write a readonly database"
    assert "EDGEKIT_STORE" in hint


def test_a_writer_waits_for_another_one_and_says_so_when_that_never_ends(
    store, place, make_run, monkeypatch
):
    monkeypatch.setattr("edgekit.store.connection.PATIENCE_S", 0.05)
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Store.open(place) as waiting, pytest.raises(StoreError, match="locked") as caught:
            waiting.begin(make_run())
        assert "end the other edgekit" in caught.value.hint
        assert store.find() == []  # readers never wait


def test_an_interrupted_transaction_leaves_nothing(store, make_run):
    def interrupt(connection):
        with connection.writing() as database:
            database.execute("INSERT INTO run VALUES (7, '', '', '', '', NULL, NULL, '{}')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt(store._connection)
    assert store.known("run") == []
    assert store.begin(make_run()) == 1


def test_a_connection_may_be_used_by_any_thread(place, make_run):
    from concurrent.futures import ThreadPoolExecutor

    with Store.open(place) as store, ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda key: store.begin(make_run(key=key)), "abcdefgh"))
        assert sorted(numbers) == list(range(1, 9))


def test_a_store_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        Connection(tmp_path / "file" / "measurements.sqlite")
