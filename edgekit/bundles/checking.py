"""Refuse a bundle in which anything was changed, added or left out, or that somebody else signed.

Looks at every file and executes none. A bundle is untrusted until this returns.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundles.contents import (
    CONTENTS,
    MOST_FILES,
    SIGNATURE,
    Contents,
    Entry,
    read_contents,
)
from edgekit.bundles.keyless import Identity
from edgekit.bundles.signing import Signed, check_signature
from edgekit.bundles.zipped import unpacked
from edgekit.errors import ArtifactError
from edgekit.files import sha256_file
from edgekit.progress import Progress, Report, silent

_REFUSE = "don't use this bundle; get it again from where it was made"
_MOST_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle that is whole.

    Attributes:
        folder: Where it lies.
        contents: What it says of itself.
        signed: Who signed it; None where no key was given, so that nobody was asked for.
        has_signature: Whether there is a signature, checked or not.
    """

    folder: Path
    contents: Contents
    signed: Signed | None
    has_signature: bool

    @property
    def trust(self) -> str:
        """Whose signature it has, in words."""
        if self.signed is not None:
            return str(self.signed)
        return "yes, and not checked: --key PUBLIC_KEY" if self.has_signature else "no"


def verify(place: Path, *, key: Path | Identity | None = None, report: Report = silent) -> Verified:
    """Look at every file of a bundle, a folder or a ZIP. Raises as `verify_folder`."""
    if not place.is_file():
        return verify_folder(place, key=key, report=report)
    with unpacked(place) as folder:
        try:
            found = verify_folder(folder, key=key, report=report)
        except ArtifactError as error:
            # The folder is gone by then; what was asked for is the file.
            told = error.message.replace(str(folder), str(place))
            raise ArtifactError(told, *error.details, hint=error.hint) from error
    return replace(found, folder=place)


def verify_folder(
    folder: Path, *, key: Path | Identity | None = None, report: Report = silent
) -> Verified:
    """Look at every file of a bundle's folder.

    Args:
        folder: The bundle.
        key: Public key (PEM) of whoever must have signed it, or who that is by Sigstore; None
            checks digests only, which anybody can have made.
        report: Told about progress.

    Raises:
        ArtifactError: Not a bundle; a file that is missing, changed, added, a link, or no plain
            file; or a signature that is missing, forged or somebody else's.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such bundle", hint="edgekit bundle makes bundles")
    contents = read_contents(folder)
    left = dict(contents.files)
    task = f"verifying {folder}"
    for path, size in _files(folder):
        if path in (CONTENTS, SIGNATURE):
            continue
        report(Progress(task, len(contents.files) - len(left), len(contents.files), path))
        entry = left.pop(path, None)
        if entry is None:
            raise ArtifactError(
                f"{folder}: {path!r:.200} is not in its {CONTENTS}: it was added", hint=_REFUSE
            )
        _check(folder, path, size, entry)
    if left:
        raise ArtifactError(f"{folder}: {next(iter(left))} is missing", hint=_REFUSE)
    # Last: it reads every file whole, and by now their sizes are what they should be.
    signed = check_signature(folder, key) if key is not None else None
    report(Progress(task, len(contents.files), len(contents.files)))
    return Verified(folder, contents, signed, (folder / SIGNATURE).is_file())


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Relative path and size of everything below a folder that is no folder; links are refused."""
    todo = [("", folder)]
    seen = 0
    while todo:
        place, here = todo.pop()
        with os.scandir(here) as entries:
            inside = sorted(entries, key=lambda one: one.name)
            if not inside and place:
                raise ArtifactError(
                    f"{folder}: {place!r:.200} is an empty folder: it was added", hint=_REFUSE
                )
            for entry in inside:
                path = f"{place}{entry.name}"
                state = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    if path.count("/") > _MOST_DEPTH:
                        raise ArtifactError(f"{folder}: folders too deep at {path!r:.200}")
                    todo.append((f"{path}/", Path(entry.path)))
                    continue
                if not stat.S_ISREG(state.st_mode):
                    raise ArtifactError(
                        f"{folder}: {path!r:.200} is a link or no plain file", hint=_REFUSE
                    )
                seen += 1
                if seen > MOST_FILES + 2:
                    raise ArtifactError(f"{folder}: more than {MOST_FILES:,} files", hint=_REFUSE)
                yield path, state.st_size


def _check(folder: Path, path: str, size: int, entry: Entry) -> None:
    # By size first: a file of another one is not read, however large.
    if size != entry.bytes:
        raise ArtifactError(
            f"{folder}: {path} has {size:,} bytes; {CONTENTS} says {entry.bytes:,}", hint=_REFUSE
        )
    if sha256_file(folder / path) != entry.sha256:
        raise ArtifactError(
            f"{folder}: {path}: sha256 differs from the one in {CONTENTS}", hint=_REFUSE
        )
