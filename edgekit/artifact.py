"""What an artifact is: a folder with a model file, what proves it, and a manifest written last.

    build/mobilenet/tflite-int8/
      model.tflite   labels.txt   golden/   manifest.json

Reads, checks and writes that folder. Does not convert, run or judge. The manifest holds no time and
no path: the same inputs give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.files import canonical_json, digest_json, inside, sha256_file, write_atomic
from edgekit.manifest import FORMAT, OLDEST_FORMAT, Manifest

MANIFEST = "manifest.json"
LABELS = "labels.txt"
TOKENIZER = "tokenizer.json"
GOLDEN_INPUTS = "golden/inputs"
GOLDEN_OUTPUTS = "golden/outputs"
GOLDEN_REFERENCE = "golden/reference"
# What the source model made of each evaluation sample: right or wrong, or its answer.
GOLDEN_MARKS = "golden/marks.npy"

_MAX_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact on disk whose files match its manifest.

    Attributes:
        path: The folder.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest

    @staticmethod
    def open(path: Path) -> Artifact:
        """Read an artifact and verify the digest of every file.

        Raises:
            ArtifactError: Not an artifact, another format, or a file that is missing, changed or
                outside the folder.
        """
        artifact = Artifact(path, _read_manifest(path))
        files = artifact.manifest.files
        if artifact.manifest.model_file not in files:
            raise ArtifactError(
                f"{path / MANIFEST}: model_file {artifact.manifest.model_file!r:.80} is not among "
                "the files that were proven",
                hint="export it again",
            )
        for relative, entry in files.items():
            _check_file(path, relative, entry)
        return artifact

    @property
    def model_path(self) -> Path:
        """The file a runtime loads."""
        return self.path / self.manifest.model_file

    @property
    def target(self) -> str:
        return self.manifest.target

    @property
    def precision(self) -> str:
        return self.manifest.precision

    @property
    def label(self) -> str:
        """Short name for tables: "tflite-int8", or "tflite-int8-uint8" with integer I/O."""
        return artifact_label(self.manifest.target, self.manifest.precision, self.manifest.io)

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in output order; empty if the artifact has none."""
        if LABELS not in self.manifest.files:
            return ()
        try:
            return tuple((self.path / LABELS).read_text(encoding="utf-8").splitlines())
        except UnicodeDecodeError as error:
            raise ArtifactError(
                f"{self.path / LABELS}: not UTF-8 text", hint="export it again"
            ) from error

    @property
    def bytes(self) -> int:
        """Size of the model itself: what an app has to carry."""
        return sum(int(entry["bytes"]) for entry in self.model_files.values())

    @property
    def sha256(self) -> str:
        """Digest of the model: of its file, or of all of them where it has weights beside it."""
        digests = {name: str(entry["sha256"]) for name, entry in self.model_files.items()}
        return digests.popitem()[1] if len(digests) == 1 else digest_json(digests)

    @property
    def model_files(self) -> dict[str, Mapping[str, Any]]:
        """Path → digest and size of each file that the model consists of."""
        stem = Path(self.manifest.model_file).stem
        return {
            relative: entry
            for relative, entry in self.manifest.files.items()
            if Path(relative).stem == stem and "/" not in relative
        }


def artifact_label(target: str, precision: str, io: str) -> str:
    """Folder name of an artifact."""
    return f"{target}-{precision}" + ("" if io == "native" else f"-{io}")


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """`Manifest.files` for what lies in `folder` now."""
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": sha256_file(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json`; the last file of an artifact."""
    write_atomic(folder / MANIFEST, canonical_json(manifest.to_json()))


def is_artifact(path: Path) -> bool:
    """Whether `path` looks like an artifact folder. Nothing is verified."""
    return (path / MANIFEST).is_file()


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST
    try:
        if file.stat().st_size > _MAX_MANIFEST_BYTES:
            raise ArtifactError(
                f"{file}: {file.stat().st_size:,} bytes",
                limit=f"{_MAX_MANIFEST_BYTES:,} bytes for a manifest",
            )
        data = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(
            f"{path}: not an artifact (no {MANIFEST})",
            hint="edgekit export MODEL makes artifacts under build/",
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactError(f"{file}: not valid JSON: {error}", hint="export it again") from error
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        raise ArtifactError(
            f"{file}: damaged manifest: a number of thousands of digits", hint="export it again"
        ) from error
    found = data.get("format") if isinstance(data, dict) else FORMAT
    if type(found) is not int or not OLDEST_FORMAT <= found <= FORMAT:
        raise ArtifactError(
            f"{file}: format {found!r:.40}; this edgekit reads formats {OLDEST_FORMAT} to {FORMAT}",
            hint="export it again, or use the edgekit that wrote it",
        )
    try:
        return Manifest.from_json(data)
    except ArtifactError as error:
        raise ArtifactError(
            f"{file}: damaged manifest: {error.message.removeprefix('manifest: ')}",
            hint="export it again",
        ) from error


def _check_file(folder: Path, relative: str, entry: Mapping[str, Any]) -> None:
    try:
        file = inside(folder, relative)
        size = file.stat().st_size
        damaged = size != entry["bytes"] or sha256_file(file) != entry["sha256"]
    except ValueError as error:
        raise ArtifactError(f"{folder}: {error}", hint="don't use this artifact") from error
    except FileNotFoundError:
        raise ArtifactError(f"{folder}: {relative} is missing", hint="export it again") from None
    except IsADirectoryError:
        raise ArtifactError(f"{folder}: {relative} is a folder", hint="export it again") from None
    if damaged:
        raise ArtifactError(
            f"{folder}: {relative}: sha256 differs from the manifest's",
            hint="the file was changed after it was proven; export it again",
        )
