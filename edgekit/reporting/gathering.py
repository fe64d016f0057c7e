"""From what a person names to artifacts and runs.

    build/mobilenet              a folder: its artifacts, and what the store knows of their latency
    run.json                     a run that was written to a file
    run:12                       a run of the store
    model=mobilenet,device=pi5   the newest run of each command and device that fits

Reads folders, files and the store. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.errors import DamagedError, UsageError
from edgekit.measuring.contenders import expand
from edgekit.moments import moment_since
from edgekit.reporting.building import Sourced
from edgekit.run import COMMANDS, Run, read_run
from edgekit.store import Store

KEYS = ("model", "target", "precision", "device", "sha256", "command", "since")
_FORMS = "a folder of artifacts, a run's JSON file, run:12, or model=NAME"


def gather(sources: Sequence[str]) -> tuple[list[Artifact], list[Sourced], list[str]]:
    """Artifacts and runs behind `sources`, each once, and which runs are damaged and left out.

    Raises:
        UsageError: A source of no kind, an unknown key, a `since` that is no moment, or a query
            that finds nothing.
        ArtifactError: A folder without artifacts, or with a damaged one.
        DeviceError: A file that holds no run.
        FileError: A file that is too large, or cannot be read.
        StoreError: No such run, or a store that cannot be read.
    """
    folders: list[Path] = []
    runs: list[Sourced] = []
    warnings: list[str] = []
    for source in sources:
        path = Path(source)
        kind = _kind(path)
        if kind == "folder":
            folders.append(path)
        elif kind == "file":
            runs.append(Sourced(read_run(path)))
        else:
            runs += _from_store(source, warnings)
    artifacts = [Artifact.open(found) for found in expand(folders)] if folders else []
    if artifacts:
        known = [one.number for one in runs if one.number is not None]
        runs += _runs_of(artifacts, known, warnings)
    return artifacts, _once(runs), list(dict.fromkeys(warnings))


def _kind(path: Path) -> str | None:
    """A "folder", a "file" or None: what is not there, or has a name that nothing can have."""
    try:
        return "folder" if path.is_dir() else "file" if path.is_file() else None
    except (OSError, ValueError):
        return None


def _from_store(source: str, warnings: list[str]) -> list[Sourced]:
    if source.startswith("run:"):
        text = source.removeprefix("run:")
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise UsageError(
                f"{source!r:.80} names no run", hint="run:12; edgekit history lists them"
            )
        with Store.open() as store:
            number = int(text)
            finished = store.stored(number).finished is not None
            return [Sourced(store.load(number), number, finished=finished)]
    if "=" not in source:
        raise UsageError(f"{source!r:.80}: no such file or folder", hint=f"a source is {_FORMS}")
    asked = _asked(source)
    with Store.open() as store:
        found = _newest(store, asked, warnings, {})
        if not found:
            raise UsageError(
                f"{source!r:.80}: no finished run in the store fits",
                *warnings,
                hint="edgekit history lists them; edgekit profile makes one",
            )
        return [Sourced(run, number, _fitting(run, asked)) for number, run in found.items()]


def _asked(source: str) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for part in source.split(","):
        key, _, value = part.partition("=")
        if key not in KEYS or not value:
            raise UsageError(
                f"{source!r:.80}: {part!r:.40} is no query", hint=f"keys: {', '.join(KEYS)}"
            )
        asked[key] = value
    if asked.get("command", COMMANDS[0]) not in COMMANDS:
        raise UsageError(f"{source!r:.80}: a command is one of {', '.join(COMMANDS)}")
    if "since" in asked:
        asked["since"] = moment_since(asked["since"])
    return asked


def _newest(
    store: Store, asked: dict[str, Any], warnings: list[str], loaded: dict[int, Run]
) -> dict[int, Run]:
    """By number, of the runs that fit the newest of each command and device that is whole.

    What is in `loaded` is not loaded again.
    """
    found, damaged = store.find_all(**asked)
    warnings += [f"left out: {one}" for one in damaged]
    kept: dict[tuple[str, str], tuple[int, Run]] = {}
    for one in found:
        kind = (one.run.command, one.run.device)
        if kind not in kept:
            try:
                if one.number not in loaded:
                    loaded[one.number] = store.load(one.number)
                kept[kind] = one.number, loaded[one.number]
            except DamagedError as error:
                warnings.append(f"left out: {error.message}")
    return dict(kept.values())


def _fitting(run: Run, asked: dict[str, Any]) -> frozenset[str]:
    """Digests of the contenders that fit a query."""
    keys = [key for key in ("model", "target", "precision") if key in asked]
    return frozenset(
        one.sha256
        for one in run.contenders
        if all(getattr(one, key) == asked[key] for key in keys)
        and one.sha256.startswith(asked.get("sha256", ""))
    )


def _runs_of(
    artifacts: Sequence[Artifact], known: Sequence[int], warnings: list[str]
) -> list[Sourced]:
    """Per artifact, the newest finished run of each command and device; none of `known`."""
    digests = frozenset(artifact.sha256 for artifact in artifacts)
    with Store.open() as store:
        found: dict[int, Run] = {}
        loaded: dict[int, Run] = {}
        for digest in sorted(digests):
            found |= _newest(store, {"sha256": digest}, warnings, loaded)
    return [
        Sourced(found[number], number, digests)
        for number in sorted(found, reverse=True)
        if number not in known
    ]


def _once(runs: Iterable[Sourced]) -> list[Sourced]:
    """Runs that were named twice, once; then all that any of the names asked for."""
    kept: dict[tuple[str, str], Sourced] = {}
    for one in runs:
        key = (one.run.key, one.run.started)
        other = kept.get(key)
        if other is None:
            kept[key] = one
        else:
            both = None if other.only is None or one.only is None else other.only | one.only
            finished = other.finished and one.finished
            kept[key] = Sourced(other.run, other.number or one.number, both, finished)
    return list(kept.values())
