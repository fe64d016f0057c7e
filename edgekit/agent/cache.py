"""`agent.pyz --cache FOLDER`: which pushed files are there and whole; what nobody uses is removed.

A pack is a folder of files that belong together, named by a digest of their names and contents:
`FOLDER/files/DIGEST/model.xml` beside `model.bin`. One that is damaged is removed, so that it is
pushed again. Asked on stdin and answered on stdout, one JSON object each.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit.agent.runner import connection_to, is_left_behind, sha256
from edgekit.errors import EdgekitError, FileError, UsageError
from edgekit.fields import Fields

FILES = "files"
RUNS = "runs"
AGENTS = "agents"
PART = ".part-"
_MOST = 256
_DAY_S = 86_400.0
_KEEP_DAYS = 30
_FRESH_S = 3600.0  # somebody else may be about to use it
_BEGINNING_S = 10.0  # it may be about to start


def main(arguments: list[str]) -> int:
    """Answer one question."""
    (folder,) = arguments
    try:
        answer = look(Path(folder), json.loads(sys.stdin.read(16 * 1024 * 1024)))
    except EdgekitError as error:
        answer = {"error": error.to_json()}
    except ValueError as error:
        answer = {"error": UsageError(f"cache: not JSON: {error}").to_json()}
    except OSError as error:
        answer = {"error": FileError.from_os_error(error).to_json()}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def look(folder: Path, question: Any) -> dict[str, Any]:
    """Which of the wanted packs are there.

    Args:
        folder: Of edgekit on this device.
        question: `{"packs": {digest: [{"name", "bytes", "sha256"}]}, "keep_bytes", "end": [runs],
            "drop": [digests]}`; packs are kept up to so many bytes, runs that are named are ended
            and packs that are named removed.

    Returns:
        `{"there": [digests], "free": bytes}`.

    Raises:
        UsageError: The question is malformed.
    """
    fields = Fields(question, "cache", UsageError)
    packs, digests = fields.entries("packs", most=_MOST)
    wanted = {digest: packs.items(digest, least=1, most=_MOST) for digest in digests}
    keep_bytes = fields.integer("keep_bytes", high=2**60)
    ended = fields.items("end", (), most=_MOST)
    dropped = fields.items("drop", (), most=_MOST)
    fields.done()
    for place in (FILES, RUNS, AGENTS):
        (folder / place).mkdir(mode=0o700, parents=True, exist_ok=True)
    for run in ended:
        _end_run(folder / RUNS / _name(run))
    for digest in dropped:
        shutil.rmtree(folder / FILES / _name(digest), ignore_errors=True)
    _remove_dead_runs(folder / RUNS)
    there = [
        digest
        for digest, files in wanted.items()
        if _is_whole(folder / FILES / _name(digest), files)
    ]
    _prune(folder, keep_bytes, keep={*wanted})
    return {"there": there, "free": shutil.disk_usage(folder).free}


def _is_whole(pack: Path, files: list[Any]) -> bool:
    if not pack.is_dir():
        return False
    for entry in files:
        fields = Fields(entry, "cache: file", UsageError)
        path = pack / _name(fields.text("name", longest=255))
        size, digest = fields.integer("bytes", high=2**60), fields.text("sha256", longest=64)
        if not path.is_file() or path.stat().st_size != size or sha256(path) != digest:
            shutil.rmtree(pack, ignore_errors=True)
            return False
    os.utime(pack)  # used today
    return True


def _prune(folder: Path, keep_bytes: int, keep: set[str]) -> None:
    """Remove what was pushed in part, what is old, and of the rest the oldest above the limit."""
    now = time.time()
    packs: list[tuple[float, int, Path]] = []
    for path in [*(folder / FILES).iterdir(), *(folder / AGENTS).iterdir()]:
        with suppress(OSError):
            packs.append((path.stat().st_mtime, _size(path), path))
    total = 0
    for used, size, path in sorted(packs, reverse=True):
        age = now - used
        partial = path.name.startswith(PART)
        total += size
        too_old = age > (_DAY_S if partial else _KEEP_DAYS * _DAY_S)
        too_much = total > keep_bytes and age > _FRESH_S and not partial
        if path.name not in keep and (too_old or too_much):
            total -= size
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _end_run(run: Path) -> None:
    """Tell a runner to end that a killed edgekit left behind."""
    with suppress(OSError), connection_to(run) as connection:
        connection.settimeout(5.0)
        connection.sendall(b'{"end": true}\n')
        while connection.recv(4096):
            pass


def _remove_dead_runs(runs: Path) -> None:
    for run in runs.iterdir():
        with suppress(OSError):
            if time.time() - run.stat().st_mtime > _BEGINNING_S and is_left_behind(run):
                shutil.rmtree(run, ignore_errors=True)


def _name(text: Any) -> str:
    """A name that cannot leave its folder."""
    if not isinstance(text, str) or text in ("", ".", "..") or "/" in text or "\0" in text:
        raise UsageError(f"cache: {text!r:.80} is no file name")
    return text
