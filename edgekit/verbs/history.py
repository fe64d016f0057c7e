"""What was measured: list, show, export, delete, and bring in from elsewhere.

Works on the store alone; no device and no artifact is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import DamagedError, EdgekitError, StoreError, UsageError
from edgekit.manifest import Parity
from edgekit.moments import moment_before
from edgekit.passes import PASSES, parse
from edgekit.progress import Progress, Report, silent
from edgekit.run import Run, read_run
from edgekit.store import (
    DamagedRun,
    KeptEvaluation,
    Store,
    StoredRun,
    place_of_store,
    tables,
    tracking,
)
from edgekit.summary import Summary, summarise


@dataclass(frozen=True, slots=True)
class Filters:
    """Which runs; None leaves it open.

    Attributes:
        model: Of one of its contenders; the same has to fit `target`, `precision` and `sha256`.
        target: "tflite", "onnx", "openvino" or a plug-in's.
        precision: As in the manifest.
        sha256: How an artifact's digest begins.
        device: Name of the device profile.
        command: "profile", "compare" or "sustained".
        since: Started then or later, UTC, ISO 8601.
        finished: Only finished or only unfinished ones.
        limit: At most so many, the newest.
    """

    model: str | None = None
    target: str | None = None
    precision: str | None = None
    sha256: str | None = None
    device: str | None = None
    command: str | None = None
    since: str | None = None
    finished: bool | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs, newest first.

    Attributes:
        runs: Those that fit.
        place: The store's file.
        meant: What was asked for and is in no run, with what may have been meant, one line each;
            only where nothing fits.
        known: Runs in the store, whether they fit or not.
        damaged: Those that fit and cannot be read back, newest first.
    """

    runs: tuple[StoredRun, ...]
    place: Path
    meant: tuple[str, ...] = ()
    known: int = 0
    damaged: tuple[DamagedRun, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "store": str(self.place),
            "runs": [run.to_json() for run in self.runs],
            "damaged": [run.to_json() for run in self.damaged],
        }


@dataclass(frozen=True, slots=True)
class EvaluationList:
    """Evaluations, newest first.

    Attributes:
        evaluations: Those that fit, by the number that `--against eval:N` takes.
        warnings: What is wrong with those that are damaged, one line each.
    """

    evaluations: Mapping[int, KeptEvaluation]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        # Which of the samples were right is for a program that compares; it has the store.
        told = [
            {"number": number, **one.to_json(), "hits": None}
            for number, one in self.evaluations.items()
        ]
        return {"evaluations": told, "warnings": list(self.warnings)}


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run with its figures.

    Attributes:
        stored: Its number, and whether it is finished.
        run: With all its rounds.
        summaries: Per contender; None where no round of it is finished.
    """

    stored: StoredRun
    run: Run
    summaries: tuple[Summary | None, ...]

    def to_json(self) -> dict[str, Any]:
        """The whole run, as `import` takes it."""
        known = {"number": self.stored.number, "finished": self.stored.finished}
        return {**known, **self.run.to_json()}


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run that was brought in.

    Attributes:
        path: The file it was in.
        number: Its number here.
        is_new: Whether nothing of it was here before.
        rounds_added: Rounds of which something was not here before.
    """

    path: Path
    number: int
    is_new: bool
    rounds_added: int

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path)}


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table of measurements.

    Attributes:
        path: The file.
        runs: How many it holds.
        rows: Below its heading.
        warnings: Runs that are damaged and left out, one line each.
    """

    path: Path
    runs: int
    rows: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "runs": self.runs,
            "rows": self.rows,
            "warnings": list(self.warnings),
        }


def list_runs(filters: Filters) -> RunList:
    """Runs that fit, without their turns."""
    with Store.open() as store:
        found, damaged = store.find_all(**asdict(filters))
        if found or damaged:
            known = len(found) + len(damaged)
            return RunList(tuple(found), store.place, known=known, damaged=tuple(damaged))
        known = len(store.known("run"))
        return RunList((), store.place, tuple(_meant(store, filters)), known)


def list_evaluations(
    *, model: str | None = None, dataset: str | None = None, limit: int | None = None
) -> EvaluationList:
    """What `edgekit eval` and `edgekit check` found out about accuracy, newest first."""
    with Store.open() as store:
        found, problems = store.evaluations(model=model, dataset=dataset, limit=limit)
        return EvaluationList(found, tuple(problems))


def show_run(number: int) -> ShownRun:
    """One run with its figures.

    Raises:
        StoreError: No such run.
    """
    with Store.open() as store:
        stored, run = store.stored(number), store.load(number)
    measured = [run.measurements_of(place) for place in range(len(run.contenders))]
    return ShownRun(stored, run, tuple(summarise(one) if one else None for one in measured))


def export_runs(
    path: Path, filters: Filters, *, samples: bool = False, report: Report = silent
) -> WrittenTable:
    """Write measurements as a table: CSV or Parquet, by the file's name.

    Args:
        path: Ends in `.csv` or `.parquet`.
        filters: Of the runs.
        samples: A row per timed call; otherwise one per turn, with its figures.
        report: Told about each run.

    Raises:
        UsageError: Another ending.
        MissingExtraError: Parquet without pyarrow.
    """
    tables.check_table(path)
    with Store.open() as store:
        runs, damaged = store.find_all(**asdict(filters))
        left_out = [f"left out: {one}" for one in damaged]
        lost = len(left_out)

        def rows() -> Iterator[tables.Row]:
            for done, stored in enumerate(runs, start=1):
                try:
                    run = store.load(stored.number)
                except DamagedError as error:
                    left_out.append(f"left out: {error.message}")
                else:
                    yield from (tables.sample_rows if samples else tables.turn_rows)(stored, run)
                report(Progress("exporting runs", done, len(runs)))

        columns = tables.SAMPLES if samples else tables.TURNS
        count = tables.write_table(path, columns, rows())
        whole = len(runs) - (len(left_out) - lost)
        return WrittenTable(path, whole, count, tuple(left_out))


def runs_to_prune(*, keep: int | None = None, older_than_days: float | None = None) -> RunList:
    """Runs that `prune` would delete: all but the newest, or those that began long ago.

    None of those that are being measured. Damaged runs don't count among the newest, and go with
    the whole ones of their age.

    Raises:
        UsageError: Neither or both was said.
    """
    if (keep is None) == (older_than_days is None):
        raise UsageError("say --keep or --older-than", hint="--older-than 90, or --keep 100")
    with Store.open() as store:
        whole, damaged = store.find_all(finished=None)
        if older_than_days is not None:
            begin = moment_before(days=older_than_days)
            whole = [one for one in whole if one.run.started < begin]
            damaged = [one for one in damaged if one.started < begin]
        elif keep:
            # Who is older is a question of numbers where two began within a second.
            kept = [(one.run.started, one.number) for one in whole[:keep]]
            whole = whole[keep:]
            oldest = min(kept) if len(kept) == keep else ("", 0)
            damaged = [one for one in damaged if (one.started, one.number) < oldest]
        return RunList(
            runs=tuple(one for one in whole if not one.is_running),
            place=store.place,
            damaged=tuple(one for one in damaged if not one.is_running),
        )


def delete_runs(numbers: Sequence[int]) -> None:
    """Delete runs, all or none.

    Raises:
        StoreError: One is not there, or is being measured.
    """
    with Store.open() as store:
        store.delete(numbers)


def import_runs(paths: Sequence[Path]) -> list[ImportedRun]:
    """Keep runs that `show --json` gave, here or on another machine.

    Of a run that is here already, what is missing is added.

    Raises:
        FileError: A file is too large, or cannot be read.
        DeviceError: A file is no run.
        StoreError: A run contradicts the one that is here, or what can be. In all these cases
            nothing is kept of the file or of those behind it.
    """
    kept = []
    with Store.open() as store:
        for path in paths:
            run = read_run(path)
            _check_import(run, path)
            same = [one.number for one in store.find(finished=None) if _is_same(one, run)]
            if same:
                added = store.add_missing(same[0], run)
                kept.append(ImportedRun(path, same[0], is_new=False, rounds_added=added))
            else:
                kept.append(ImportedRun(path, store.keep(run), True, run.rounds))
    return kept


def log_run(number: int, uri: str, experiment: str = "edgekit") -> str:
    """Copy a run to MLflow, and give the id it has there.

    Raises:
        MissingExtraError: MLflow is not installed.
        StoreError: No such run, or MLflow refuses.
    """
    shown = show_run(number)
    return tracking.log_run(shown.stored, shown.run, uri, experiment)


def known_names(kind: str) -> list[str]:
    """For shell completion: numbers ("run") and names ("model", …); none where no store is."""
    if not place_of_store().is_file():
        return []
    with Store.open() as store:
        return store.known(kind)


def _meant(store: Store, filters: Filters) -> Iterator[str]:
    from difflib import get_close_matches

    for kind in ("model", "target", "precision", "device"):
        asked = getattr(filters, kind)
        known = [] if asked is None else store.known(kind)
        if known and asked not in known:
            close = get_close_matches(asked, known, n=3, cutoff=0.5) or known[:5]
            yield f"no run has the {kind} {asked!r}; did you mean {' or '.join(close)}?"


def _check_import(run: Run, path: Path) -> None:
    """Refuse what no run here could say, and what a report of it would stumble over."""
    if run.started > moment_before(days=-1):
        raise StoreError(f"{path}: started: {run.started} has not come yet")
    try:
        for contender in run.contenders:
            if contender.parity:
                Parity.from_json(contender.parity)
        for passes in run.passes.values():
            for name in PASSES:
                if name in passes:
                    parse(name, passes[name])
    except EdgekitError as error:
        raise StoreError(f"{path}: {error.message}", hint=error.hint) from error


def _is_same(stored: StoredRun, run: Run) -> bool:
    known = stored.run
    return (known.key, known.started, known.environment) == (run.key, run.started, run.environment)
