"""Runs as tables: a row per turn with its figures, or a row per timed call. CSV and Parquet.

Files appear whole or not at all. Does not choose the runs.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekit import extras
from edgekit.errors import UsageError
from edgekit.files import scratch_folder
from edgekit.run import Run, Turn
from edgekit.store.encoding import to_text
from edgekit.store.rows import StoredRun
from edgekit.summary import summarise

Row = tuple[Any, ...]
Columns = dict[str, type]

# Column → type; any value may be missing. Text is the type of what has no other.
TURNS: Columns = {
    "run": int, "command": str, "started": str, "finished": str, "device": str,
    "contender": str, "model": str, "target": str, "precision": str, "sha256": str, "bytes": int,
    "runtime": str, "delegate": str, "threads": int,
    "round": int, "position": int, "cpu": int, "started_s": float, "calls": int,
    "median_ms": float, "cpu_median_ms": float, "call_median_ms": float, "p90_ms": float,
    "load_ms": float, "first_ms": float, "warmup_ms": float, "peak_rss_bytes": int,
    "placement": str, "environment": str,
}  # fmt: skip
SAMPLES: Columns = {
    "run": int, "contender": str, "model": str, "target": str, "precision": str, "sha256": str,
    "runtime": str, "delegate": str, "threads": int, "round": int, "block": int, "call": int,
    "wall_ns": int, "cpu_ns": int, "call_ns": int,
}  # fmt: skip

SUFFIXES = (".csv", ".parquet")
_ROWS_AT_ONCE = 65_536


def turn_rows(stored: StoredRun, run: Run) -> Iterator[Row]:
    """A row of `TURNS` per turn, in order of time."""
    for turn in run.turns:
        one, figures = run.contenders[turn.contender], summarise([turn.measurement])
        yield (
            stored.number, run.command, run.started, stored.finished, run.device,
            one.name, one.model, one.target, one.precision, one.sha256, one.bytes,
            one.runtime, one.delegate, one.threads,
            turn.round, turn.position, turn.cpu, turn.started_s, figures.calls,
            figures.median_ms, figures.cpu_median_ms, figures.call_median_ms, figures.p90_ms,
            figures.load_ms, figures.first_ms, figures.warmup_ms, figures.peak_rss_bytes,
            str(turn.measurement.placement), to_text(turn.measurement.environment),
        )  # fmt: skip


def sample_rows(stored: StoredRun, run: Run) -> Iterator[Row]:
    """A row of `SAMPLES` per timed call, in order of time; warm-up is in none."""
    for turn in run.turns:
        one, measured = run.contenders[turn.contender], turn.measurement
        same = (
            stored.number, one.name, one.model, one.target, one.precision, one.sha256,
            one.runtime, one.delegate, one.threads, turn.round,
        )  # fmt: skip
        series = zip(measured.samples_ns, measured.cpu_ns, measured.call_ns, strict=True)
        for call, (block, (wall, cpu, whole)) in enumerate(zip(_blocks(turn), series, strict=True)):
            yield (*same, block, call, wall, cpu, whole)


def write_table(path: Path, columns: Columns, rows: Iterable[Row]) -> int:
    """Write rows as CSV or Parquet, as the file's name ends, and say how many.

    Raises:
        UsageError: Another ending.
        MissingExtraError: Parquet without pyarrow.
    """
    write = _writer(path)
    count = 0
    with scratch_folder(path) as scratch:
        made = scratch / path.name
        with write(made, columns) as add:
            for batch in _batches(rows):
                add(batch)
                count += len(batch)
        with made.open("rb+") as stream:
            os.fsync(stream.fileno())
        made.replace(path)
    return count


def check_table(path: Path) -> None:
    """Find out before the work, not after it, that the file cannot be written.

    Raises:
        UsageError: It ends neither in `.csv` nor in `.parquet`, or is a folder.
        MissingExtraError: Parquet without pyarrow.
    """
    _writer(path)
    if path.is_dir():
        raise UsageError(f"{path}: a folder; -o names the file")


def _writer(path: Path) -> Callable[[Path, Columns], Any]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv
    if suffix == ".parquet":
        _pyarrow()
        return _parquet
    raise UsageError(
        f"{path}: neither .csv nor .parquet", hint=f"-o {path.stem or 'runs'}{SUFFIXES[0]}"
    )


@contextmanager
def _csv(path: Path, columns: Columns) -> Iterator[Callable[[Sequence[Row]], None]]:
    with path.open("x", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        yield writer.writerows


@contextmanager
def _parquet(path: Path, columns: Columns) -> Iterator[Callable[[Sequence[Row]], None]]:
    pyarrow, parquet = _pyarrow()
    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])

    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def add(rows: Sequence[Row]) -> None:
            series = [list(values) for values in zip(*rows, strict=True)]
            writer.write_table(pyarrow.table(series, schema=schema))

        yield add


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        package = extras.owner_of("pyarrow")
        assert package is not None
        raise extras.missing(package) from error
    return pa, parquet


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _blocks(turn: Turn) -> Iterator[int]:
    """Per timed call the block it lies in, counted from 0."""
    for block, calls in enumerate(turn.measurement.blocks):
        yield from [block] * calls
