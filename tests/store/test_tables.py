from __future__ import annotations

import csv
import json
import sys

import pytest

from edgekit.errors import MissingExtraError, UsageError
from edgekit.store.tables import SAMPLES, TURNS, sample_rows, turn_rows, write_table
from edgekit.summary import summarise


@pytest.fixture
def stored(store, make_run, make_turn):
    """A finished run of two rounds, as it is listed and as it is loaded."""
    number = store.begin(make_run())
    for at in range(2):
        store.add_round(number, [make_turn(0, at), make_turn(1, at, peak_rss_bytes=None)])
    store.finish(number)
    return store.stored(number), store.load(number)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_row_per_turn_has_its_figures_and_what_was_measured(stored, tmp_path):
    known, run = stored
    path = tmp_path / "turns.csv"
    assert write_table(path, TURNS, turn_rows(known, run)) == 4
    rows = read_csv(path)
    assert list(rows[0]) == list(TURNS)
    for row, turn in zip(rows, run.turns, strict=True):
        assert row["contender"] == run.contenders[turn.contender].name
        assert float(row["median_ms"]) == summarise([turn.measurement]).median_ms
        assert json.loads(row["environment"]) == turn.measurement.environment
    assert [row["round"] for row in rows] == ["0", "0", "1", "1"]
    assert [row["peak_rss_bytes"] for row in rows] == ["32505856", ""] * 2
    assert rows[0]["finished"] == known.finished


def test_a_row_per_call_has_every_raw_sample_in_its_block(stored, tmp_path):
    known, run = stored
    path = tmp_path / "calls.csv"
    assert write_table(path, SAMPLES, sample_rows(known, run)) == 4 * 20
    rows = read_csv(path)
    for name, key in (("wall_ns", "samples_ns"), ("cpu_ns", "cpu_ns"), ("call_ns", "call_ns")):
        raw = [ns for turn in run.turns for ns in getattr(turn.measurement, key)]
        assert [int(row[name]) for row in rows] == raw
    assert [int(row["block"]) for row in rows[:20]] == [0] * 10 + [1] * 10
    assert [int(row["call"]) for row in rows[:20]] == list(range(20))


def test_parquet_holds_the_same_as_csv_with_types(stored, tmp_path):
    pytest.importorskip("pyarrow", reason="pip install -e '.[parquet]'")
    from pyarrow import parquet

    known, run = stored
    for columns, rows in ((TURNS, turn_rows), (SAMPLES, sample_rows)):
        expected = [dict(zip(columns, row, strict=True)) for row in rows(known, run)]
        path = tmp_path / "table.parquet"
        write_table(path, columns, rows(known, run))
        assert parquet.read_table(path).to_pylist() == expected


def test_a_table_without_rows_has_its_heading(tmp_path):
    assert write_table(tmp_path / "empty.csv", TURNS, []) == 0
    assert (tmp_path / "empty.csv").read_text().split(",")[0] == "run"


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"neither \.csv nor \.parquet"):
        write_table(tmp_path / "runs.xlsx", TURNS, [])


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match="pyarrow") as caught:
        write_table(tmp_path / "runs.parquet", TURNS, [])
    assert "[parquet]" in caught.value.hint


def test_a_failed_export_leaves_the_file_from_before(stored, tmp_path):
    known, run = stored
    path = tmp_path / "runs.csv"
    path.write_text("before")

    def rows():
        yield from turn_rows(known, run)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, TURNS, rows())
    assert path.read_text() == "before"
    assert list(tmp_path.glob(".edgekit*")) == []
