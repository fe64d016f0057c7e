"""Files that belong together, to the board and back, each known by its digest.

A pack is a model with the files beside it, or samples. It is pushed once, beside its place,
renamed, and compared with its digest by the board; one that is there and whole is not pushed again.
Outputs are compared with the digests that the board gives.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgekit.errors import DeviceError, FileError
from edgekit.fields import Fields, is_name
from edgekit.files import digest_json, sha256_file
from edgekit.transports.remote.way import Files, Options

MOST_BYTES = 16 * 2**30  # to or fro, at once
_MOST_FILES = 256
_SPARE_BYTES = 16 * 2**20  # that stay free on the board

_digests: dict[tuple[str, int, int], str] = {}


@dataclass(frozen=True, slots=True)
class Pack:
    """Files of one folder.

    Attributes:
        files: Name on the board → file here.
        entries: Name, size and sha256 of each, as the board compares them.
        digest: Of all that.
    """

    files: Mapping[str, Path]
    entries: tuple[Mapping[str, Any], ...]
    digest: str

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(int(entry["bytes"]) for entry in self.entries)


def model_pack(model: Path) -> Pack:
    """A model file with those that it cannot be loaded without.

    Raises:
        FileError: One cannot be read.
    """
    beside = [f"{model.name}.data", f"{model.name}_data"] if model.suffix == ".onnx" else []
    if model.suffix == ".xml":
        beside.append(f"{model.stem}.bin")
    found = [model.with_name(name) for name in beside if model.with_name(name).is_file()]
    return _pack([model, *found])


def samples_pack(place: Path) -> Pack:
    """Samples: one file, or those of a folder.

    Raises:
        FileError: They are not there, or cannot be read.
    """
    return _pack(sorted(place.glob("*.npy")) if place.is_dir() else [place], named=place)


def files_pack(paths: Sequence[Path]) -> Pack:
    """Any files of one folder.

    Raises:
        FileError: They cannot be read.
    """
    return _pack(paths)


def _pack(paths: Sequence[Path], named: Path | None = None) -> Pack:
    if not 1 <= len(paths) <= _MOST_FILES:
        raise FileError(f"{named}: {len(paths)} files; 1…{_MOST_FILES} can be pushed")
    try:
        entries = tuple(
            {"name": path.name, "bytes": path.stat().st_size, "sha256": _digest(path)}
            for path in paths
        )
    except OSError as error:
        raise FileError.from_os_error(error) from error
    pack = Pack({path.name: path for path in paths}, entries, digest_json(list(entries)))
    if pack.bytes > MOST_BYTES:
        raise FileError(f"{paths[0]}: {pack.bytes:,} bytes; at most {MOST_BYTES:,} are pushed")
    return pack


def _digest(path: Path) -> str:
    """sha256 of a file, computed once for as long as its size and time stay what they are."""
    state = path.stat()
    key = (str(path.absolute()), state.st_size, state.st_mtime_ns)
    # A file that was written a moment ago may be written again within the clock's step.
    if key not in _digests or time.time_ns() - state.st_mtime_ns < 2_000_000_000:
        _digests[key] = sha256_file(path)
    return _digests[key]


async def push(files: Files, pack: Pack, place: PurePosixPath, part: PurePosixPath) -> None:
    """Write a pack beside its place on the board and rename it there.

    Args:
        files: The way there; its errors may pass.
        pack: What.
        place: Folder that is not there, or a whole one that somebody else pushed meanwhile.
        part: Folder of this push alone, beside it.
    """
    await files.make_folder(str(part))
    for name, path in pack.files.items():
        await files.put(path, str(part / name))
    await files.move(str(part), str(place))


def refuse_too_large(pack: Pack, free: int, options: Options) -> None:
    """Compare a pack with what is free on the board.

    Raises:
        DeviceError: It does not fit.
    """
    if pack.bytes + _SPARE_BYTES > free:
        raise DeviceError(
            f"{options.shown}: {', '.join(pack.files)} would take {pack.bytes:,} bytes, "
            f"{free:,} are free",
            hint=f"free some space there, or choose another place with `folder` in {options.table}",
        )


@dataclass(frozen=True, slots=True)
class Output:
    """A file of results on the board.

    Attributes:
        name: Path below the folder of outputs; checked.
        bytes: Its size.
        sha256: As the board says.
    """

    name: str
    bytes: int
    sha256: str


def outputs_of(files: Sequence[Any], expected: str) -> list[Output]:
    """What the board says it has written: one file of the expected name, or a folder of files.

    Raises:
        DeviceError: Something else, or too much.
    """
    found = []
    for entry in files:
        fields = Fields(entry, "outputs", DeviceError)
        output = Output(
            fields.text("name", longest=512),
            fields.integer("bytes", high=MOST_BYTES),
            fields.text("sha256", longest=64),
        )
        fields.done()
        first, _, second = output.name.partition("/")
        inner = not second or (is_name(second) and "/" not in second and second.endswith(".npy"))
        if first != expected or not inner or second.startswith("."):
            raise fields.fail("name", f"{output.name!r:.80} is not what the job writes")
        found.append(output)
    total = sum(output.bytes for output in found)
    if not found or total > MOST_BYTES:
        raise DeviceError(f"the device wrote {len(found)} files of {total:,} bytes as outputs")
    return found


async def pull(files: Files, source: PurePosixPath, output: Output, folder: Path) -> None:
    """Fetch one file of results, compare it with its digest, and put it in its place.

    Args:
        files: The way there; its errors may pass.
        source: Folder of outputs on the board.
        output: Which.
        folder: Where outputs lie here.

    Raises:
        DeviceError: Something else came than the board said.
        FileError: It cannot be written.
    """
    scratch = _beside(folder / output.name)
    try:
        await files.get(str(source / output.name), scratch, output.bytes)
        _accept(scratch, output, folder / output.name)
    finally:
        _remove(scratch)


def _beside(target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".edgekit-", dir=target.parent)
    except OSError as error:
        raise FileError.from_os_error(error) from error
    os.close(handle)
    return Path(name)


def _accept(scratch: Path, output: Output, target: Path) -> None:
    if scratch.stat().st_size != output.bytes or sha256_file(scratch) != output.sha256:
        raise DeviceError(f"{output.name}: what arrived is not what the device wrote")
    scratch.replace(target)


def _remove(scratch: Path) -> None:
    with suppress(OSError):
        scratch.unlink()
