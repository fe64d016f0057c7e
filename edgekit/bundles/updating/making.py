"""Make a delta between two versions of a bundle: kept, as steps, or whole, whichever is least."""

from __future__ import annotations

import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundles.checking import Verified, verify
from edgekit.bundles.contents import CONTENTS, SIGNATURE
from edgekit.bundles.updating.applying import is_delta
from edgekit.bundles.updating.delta import INDEX, KEPT, STEPS, WHOLE, End, Index, Part
from edgekit.bundles.updating.steps import find_steps
from edgekit.bundles.zipped import SUFFIX, unpacked
from edgekit.errors import UsageError
from edgekit.files import check_place, sha256_file, write_atomic, zip_bytes
from edgekit.progress import Progress, Report, silent

_SMALLEST = 512  # bytes; below, a file is not worth steps


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta that was made.

    Attributes:
        file: Where it lies.
        index: What it says.
        bytes: Its size.
        whole_bytes: What the new bundle has.
    """

    file: Path
    index: Index
    bytes: int
    whole_bytes: int


def make_delta(
    old: Path, new: Path, out: Path, *, key: Path | None = None, report: Report = silent
) -> Delta:
    """Write what leads from one version of a bundle to the next; both are verified first.

    Args:
        old: The bundle that devices have, a folder or a ZIP.
        new: The one that they are to have.
        out: The delta, a `.zip`.
        key: Public key that both must have been signed with; None checks digests only.
        report: Told about progress.

    Raises:
        ArtifactError: One of them is no bundle, or not whole.
        UsageError: Two bundles that are no versions of one another, or the same.
        MissingExtraError: A library that this needs is not installed.
    """
    if out.suffix != SUFFIX:
        raise UsageError(f"{out}: a delta is a {SUFFIX}", hint=f"-o {out.name}{SUFFIX}")
    check_place(out, "-o names the delta")
    if out.exists() and not is_delta(out):
        raise UsageError(f"{out}: there is something else", hint="-o with another name")
    with ExitStack() as stack:
        folders = [
            stack.enter_context(unpacked(place)) if place.is_file() else place
            for place in (old, new)
        ]
        before, after = (verify(place, key=key, report=report) for place in folders)
        _check(before, after, (old, new))
        held = {name: (folders[0] / name).read_bytes() for name in _names(before)}
        wanted = {name: (folders[1] / name).read_bytes() for name in _names(after)}
        ends = [
            End(one.contents.version, sha256_file(folder / CONTENTS))
            for one, folder in zip((before, after), folders, strict=True)
        ]
    parts, entries = {}, {}
    digests = _digests(before, held)
    known = {digest: name for name, digest in sorted(digests.items(), reverse=True)}
    of_new = _digests(after, wanted)
    for place, (name, content) in enumerate(sorted(wanted.items())):
        report(Progress("making the delta", place, len(wanted), name))
        part, packed = _part(name, content, of_new[name], known, held)
        parts[name] = part
        if (entry := part.entry(name)) is not None:
            entries[entry] = packed
    contents = after.contents
    index = Index(contents.name, contents.platform, ends[0], ends[1], parts)
    data = zip_bytes({INDEX: index.text().encode(), **entries})
    write_atomic(out, data)
    report(Progress("making the delta", len(wanted), len(wanted)))
    return Delta(out, index, len(data), sum(len(content) for content in wanted.values()))


def _check(before: Verified, after: Verified, given: tuple[Path, Path]) -> None:
    old, new = before.contents, after.contents
    if (old.name, old.platform) != (new.name, new.platform):
        raise UsageError(
            f"{given[1]} is {new.name} for {new.platform}, {given[0]} is {old.name} for "
            f"{old.platform}",
            hint="a delta leads to another version of the same bundle",
        )
    if before.has_signature and not after.has_signature:
        raise UsageError(
            f"{given[1]}: not signed, and {given[0]} is: whoever has that refuses this",
            hint="edgekit bundle … --sign KEY",
        )
    if old.text() == new.text() and before.has_signature == after.has_signature:
        raise UsageError(f"{given[0]} and {given[1]} are the same bundle")


def _names(bundle: Verified) -> list[str]:
    more = [SIGNATURE] if bundle.has_signature else []
    return [CONTENTS, *more, *bundle.contents.files]


def _digests(bundle: Verified, content: dict[str, bytes]) -> dict[str, str]:
    import hashlib

    listed = bundle.contents.files
    return {
        name: listed[name].sha256 if name in listed else hashlib.sha256(data).hexdigest()
        for name, data in content.items()
    }


def _part(
    name: str, content: bytes, digest: str, known: dict[str, str], held: dict[str, bytes]
) -> tuple[Part, bytes]:
    """How a file comes, and what of it goes into the ZIP."""
    size = len(content)
    if digest in known:
        return Part(digest, size, KEPT, known[digest]), b""
    base = _base(name, held)
    if base is not None and size >= _SMALLEST:
        steps = find_steps(held[base], content)
        if steps is not None and _packed(steps) < _packed(content):
            return Part(digest, size, STEPS, base), steps
    return Part(digest, size, WHOLE), content


def _base(name: str, held: dict[str, bytes]) -> str | None:
    """The old file to start from: of that name, or the only one like it in that folder."""
    if name in held:
        return name
    place = Path(name)
    alike = [
        one for one in held if Path(one).parent == place.parent and Path(one).suffix == place.suffix
    ]
    return alike[0] if len(alike) == 1 else None


def _packed(data: bytes) -> int:
    return len(zlib.compress(data, 9))
