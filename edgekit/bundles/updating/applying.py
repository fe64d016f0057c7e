"""Put a new version in the place of an old one, by a delta: whole and verified, or not at all.

The new bundle is made beside the old one, verified as `edgekit verify` does, and then takes its
place in one step. Whoever is killed before that leaves the old one as it was. Both the delta and
the old bundle are untrusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundles.checking import Verified, verify_folder
from edgekit.bundles.contents import (
    CONTENTS,
    MOST_CONTENTS_BYTES,
    SIGNATURE,
    Contents,
    read_contents,
)
from edgekit.bundles.updating.delta import INDEX, KEPT, STEPS, WHOLE, Index, Part, is_newer
from edgekit.bundles.updating.steps import apply_steps, most_bytes
from edgekit.bundles.zipped import MOST_RATIO, opened
from edgekit.errors import ArtifactError, FileError, UsageError
from edgekit.files import replace_folder, scratch_folder, sha256_file
from edgekit.progress import Progress, Report, silent

_REFUSE = "don't use this delta; get it again, or the whole bundle"
_CHANGED = "the bundle here was changed; get the whole new one"
_MOST_INDEX_BYTES = 2 * MOST_CONTENTS_BYTES
_MOST_RATIO = 1100  # nothing packs better: steps where little changed are nearly all zeros


@dataclass(frozen=True, slots=True)
class Updated:
    """A bundle that was replaced.

    Attributes:
        verified: The new one, in its place.
        before: Version of the old one.
        kept: Where that is now; None where it is gone.
    """

    verified: Verified
    before: str
    kept: Path | None


def apply_delta(
    delta: Path,
    place: Path,
    *,
    key: Path | None = None,
    keep: Path | None = None,
    older: bool = False,
    report: Report = silent,
) -> Updated:
    """Replace a bundle by the version that a delta leads to.

    Args:
        delta: As `make_delta` wrote it, or somebody else.
        place: The old bundle, a folder.
        key: Public key (PEM) that the new one must have been signed with; None checks digests only,
            which anybody can have made.
        keep: Where the old one is kept; None removes it once the new one is in its place.
        older: Whether the new version may be one that is not newer.
        report: Told about progress.

    Raises:
        ArtifactError: A delta that is damaged, was made for another bundle or leads back; an old
            bundle that was changed; or a new one that is not whole or not signed by the key.
        UsageError: `keep` is taken.
    """
    if not delta.is_file():
        raise ArtifactError(f"{delta}: no such delta", hint="edgekit update make makes deltas")
    contents = read_contents(place)
    if keep is not None and place.resolve() in (keep.resolve(), *keep.resolve().parents):
        raise UsageError(
            f"--keep-old {keep}: in the bundle that is replaced",
            hint="--keep-old with a new folder",
        )
    with opened(delta, ratio=_MOST_RATIO) as (archive, entries):
        index = _read(delta, archive, entries)
        _check(index, delta, place, contents, older=older)
        with scratch_folder(place) as scratch:
            new, old = scratch / "bundle", _Old(place, contents)
            new.mkdir()
            for done, (name, part) in enumerate(index.files.items()):
                report(Progress(f"updating {place}", done, len(index.files), name))
                _write(new / name, _content(delta, archive, old, (name, part)))
            report(Progress(f"updating {place}", len(index.files), len(index.files), "verifying"))
            verified = _verified(new, place, index, key)
            if keep is not None:
                _keep(place, keep)
            replace_folder(new, place)
    report(Progress(f"updating {place}", len(index.files), len(index.files)))
    return Updated(replace(verified, folder=place), contents.version, keep)


def read_index(delta: Path) -> Index:
    """What a delta says of itself; nothing but its list and sizes are checked.

    Raises:
        ArtifactError: No delta, or a damaged one.
    """
    with opened(delta, ratio=_MOST_RATIO) as (archive, entries):
        return _read(delta, archive, entries)


def is_delta(file: Path) -> bool:
    """Whether a path is that of a delta: a plain file, and whole as far as its list says."""
    if not file.is_file():
        return False
    try:
        read_index(file)
    except ArtifactError:
        return False
    return True


def _read(delta: Path, archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Index:
    sizes = {entry.filename: entry.file_size for entry in entries}
    if sizes.get(INDEX, _MOST_INDEX_BYTES + 1) > _MOST_INDEX_BYTES:
        raise ArtifactError(
            f"{delta}: not a delta (no {INDEX}, or a large one)",
            hint="edgekit update make makes deltas",
        )
    try:
        index = Index.from_json(json.loads(archive.read(INDEX).decode()))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{delta}: {INDEX} is not valid JSON: {str(error)[:200]}", hint=_REFUSE
        ) from error
    left = set(sizes) - {INDEX}
    for name, part in index.files.items():
        entry = part.entry(name)
        if entry is None:
            continue
        if entry not in left:
            raise ArtifactError(f"{delta}: {entry} is missing", hint=_REFUSE)
        left.remove(entry)
        whole = part.how == WHOLE
        if sizes[entry] > most_bytes(part.bytes) or (whole and sizes[entry] != part.bytes):
            raise ArtifactError(
                f"{delta}: {entry} has {sizes[entry]:,} bytes, and {name} {part.bytes:,}",
                hint=_REFUSE,
            )
    if left:
        raise ArtifactError(f"{delta}: {min(left)} was added", hint=_REFUSE)
    return index


def _check(index: Index, delta: Path, place: Path, contents: Contents, *, older: bool) -> None:
    here = sha256_file(place / CONTENTS)
    if (index.name, index.platform) != (contents.name, contents.platform):
        raise ArtifactError(
            f"{delta} is for {index.name} for {index.platform}; {place} is {contents.name} for "
            f"{contents.platform}"
        )
    if here == index.new.sha256:
        raise ArtifactError(f"{place}: is {contents.version} already, what {delta} leads to")
    if here != index.old.sha256:
        raise ArtifactError(
            f"{delta} was made for another bundle than {place}",
            f"for {index.old.version}, with the sha256 {index.old.sha256[:16]}… of {CONTENTS}",
            f"here is {contents.version}, with {here[:16]}…",
            hint="a delta from the version that is here, or the whole bundle",
        )
    size = delta.stat().st_size
    total, old = (sum(one.bytes for one in of.files.values()) for of in (index, contents))
    if total > 2 * old + MOST_RATIO * size:
        raise ArtifactError(
            f"{delta}: {size:,} bytes would make a bundle of {total:,} from one of {old:,}",
            hint=_REFUSE,
        )
    if not older and not is_newer(index.new.version, contents.version):
        raise ArtifactError(
            f"{delta} leads from {contents.version} to {index.new.version}, which is not newer",
            hint="--allow-older, where going back is meant",
        )


@dataclass(frozen=True, slots=True)
class _Old:
    """The old bundle's files, each no larger than its own list says."""

    place: Path
    contents: Contents

    def read(self, name: str) -> bytes:
        entry = self.contents.files.get(name)
        if entry is None and name not in (CONTENTS, SIGNATURE):
            raise ArtifactError(
                f"{self.place}: has no {name}, which the delta starts from", hint=_REFUSE
            )
        limit = entry.bytes if entry else MOST_CONTENTS_BYTES
        file = self.place / name
        try:
            found = os.lstat(file).st_size
            if file.is_symlink() or not file.is_file() or found > limit:
                raise ArtifactError(f"{self.place}: {name} is not as it was", hint=_CHANGED)
            return file.read_bytes()
        except OSError as error:
            raise FileError.from_os_error(error) from error


def _content(delta: Path, archive: zipfile.ZipFile, old: _Old, named: tuple[str, Part]) -> bytes:
    """A file of the new bundle, its digest checked."""
    name, part = named
    source = old.read(part.source) if part.source else b""
    try:
        if part.how == KEPT:
            content = source
        elif part.how == STEPS:
            content = apply_steps(source, archive.read(f"{STEPS}/{name}"), part.bytes)
        else:
            content = archive.read(f"{WHOLE}/{name}")
    except ArtifactError as error:
        raise ArtifactError(f"{delta}: {name}: {error.message}", hint=_REFUSE) from error
    if hashlib.sha256(content).hexdigest() == part.sha256:
        return content
    listed = old.contents.files.get(part.source)
    if listed is not None and hashlib.sha256(source).hexdigest() != listed.sha256:
        raise ArtifactError(f"{old.place}: {part.source} is not as it was", hint=_CHANGED)
    raise ArtifactError(f"{delta}: what it has of {name} gives another file", hint=_REFUSE)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _verified(new: Path, place: Path, index: Index, key: Path | None) -> Verified:
    try:
        verified = verify_folder(new, key=key)
    except ArtifactError as error:
        told = error.message.replace(str(new), "the new bundle")
        raise ArtifactError(told, *error.details, hint=_REFUSE) from error
    contents = verified.contents
    said = (contents.name, contents.platform, contents.version, sha256_file(new / CONTENTS))
    if said != (index.name, index.platform, index.new.version, index.new.sha256):
        raise ArtifactError(
            f"the new bundle is {contents.name} {contents.version}; the delta says otherwise",
            hint=_REFUSE,
        )
    if (place / SIGNATURE).is_file() and not verified.has_signature:
        raise ArtifactError(
            f"{place}: a signed bundle, which an unsigned one would replace", hint=_REFUSE
        )
    return verified


def _keep(place: Path, keep: Path) -> None:
    """Copy the old bundle aside before it is replaced: there is no instant without it."""
    if keep.exists():
        same = (keep / CONTENTS).is_file() and sha256_file(keep / CONTENTS) == sha256_file(
            place / CONTENTS
        )
        if same:  # of a run that was killed behind this
            return
        raise UsageError(f"{keep}: there is something already", hint="--keep-old with a new folder")
    with scratch_folder(keep) as scratch:
        copy = scratch / "bundle"
        shutil.copytree(place, copy, symlinks=True)
        replace_folder(copy, keep)
