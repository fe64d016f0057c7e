"""What is in a bundle: `bundle.json`, which names every other file with size and digest.

    DIR/
      bundle.json  README.md  CARD.md  contract.json  labels.txt  bom.cdx.json  bundle.sig
      artifacts/tflite-int8/model.tflite  manifest.json
      golden/cases.json  0.png  0-image.bin  …
      …                                      what the platform gets besides

Holds no time and no path of the machine that made it: the same inputs give the same bytes. Reads
and writes that file; opens no other.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import ArtifactError
from edgekit.fields import Fields, is_name
from edgekit.files import canonical_json

FORMAT = 1
CONTENTS = "bundle.json"
SIGNATURE = "bundle.sig"
CONTRACT = "contract.json"
BILL = "bom.cdx.json"
CARD = "CARD.md"
GUIDE = "README.md"
LICENCE = "LICENCE"
LABELS = "labels.txt"
TOKENIZER = "tokenizer.json"
WORDPIECE = "wordpiece.json"
ARTIFACTS = "artifacts"
GOLDEN = "golden"
REPORTS = "reports"

PLATFORMS = ("android", "cpp", "ios", "python", "web")
MOST_FILES = 4096
MOST_BYTES = 4 * 1024**3  # of all files together
MOST_CONTENTS_BYTES = 4 * 1024**2
_MOST_ARTIFACTS = 64
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What every file system takes, so that a bundle unpacks alike everywhere.
_PATH = re.compile(r"[A-Za-z0-9_@+][A-Za-z0-9._@+-]*(/[A-Za-z0-9_@+][A-Za-z0-9._@+-]*){0,15}")
_LONGEST_PATH = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a bundle.

    Attributes:
        sha256: Of its bytes, in hex.
        bytes: Its size.
    """

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Held:
    """An artifact of a bundle.

    Attributes:
        label: Its folder below `artifacts`: "tflite-int8".
        target: What runs it: "tflite", "onnx", "openvino".
        precision: As in its manifest.
        file: Path of the model file in the bundle.
        sha256: Digest of the model, as `edgekit` tells it everywhere.
        bytes: Size of the model.
    """

    label: str
    target: str
    precision: str
    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What `bundle.json` says.

    Attributes:
        name: Of the bundle; a name that package managers take.
        version: "MAJOR.MINOR.PATCH".
        platform: One of `PLATFORMS`.
        model: Name of the model.
        task: What it does: "classification", "detection", "text-classification", ….
        licence: SPDX identifier of the weights; "" where nobody said.
        artifacts: In the order in which a loader tries them.
        choice: Class of device → label of the artifact for it, from measurements; where a device is
            of no class, the first artifact is taken.
        files: Path → size and digest of every file but this one and the signature.
    """

    name: str
    version: str
    platform: str
    model: str
    task: str
    licence: str
    artifacts: tuple[Held, ...]
    choice: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Entry] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "platform": self.platform,
            "model": self.model,
            "task": self.task,
            "licence": self.licence,
            "artifacts": [
                {
                    "label": one.label,
                    "target": one.target,
                    "precision": one.precision,
                    "file": one.file,
                    "sha256": one.sha256,
                    "bytes": one.bytes,
                }
                for one in self.artifacts
            ],
            "choice": dict(self.choice),
            "files": {
                path: {"sha256": entry.sha256, "bytes": entry.bytes}
                for path, entry in self.files.items()
            },
        }

    def text(self) -> str:
        """`bundle.json` as it is written."""
        return canonical_json(self.to_json())

    @staticmethod
    def from_json(data: Any) -> Contents:
        """Check and rebuild.

        Raises:
            ArtifactError: Another format; a key that is missing, unknown, of the wrong type or out
                of bounds; a path that leaves the bundle; or an artifact whose file is not listed.
        """
        fields = Fields(data, CONTENTS, ArtifactError)
        found = fields.integer("format", high=10**6)
        if found != FORMAT:
            raise fields.fail("format", f"{found}; this edgekit reads {FORMAT}")
        held = tuple(_held(one) for one in fields.items("artifacts", least=1, most=_MOST_ARTIFACTS))
        contents = Contents(
            name=bundle_name(fields.text("name", longest=64)),
            version=bundle_version(fields.text("version", longest=32)),
            platform=fields.text("platform", choices=PLATFORMS),
            model=fields.name("model"),
            task=fields.text("task", longest=100),
            licence=fields.text("licence", longest=200),
            artifacts=held,
            choice=_choice(fields, held),
            files=_files(fields),
        )
        fields.done()
        for one in held:
            if one.file not in contents.files:
                raise fields.fail("artifacts", f"{one.file} is not among the files")
        return contents


def read_contents(folder: Path) -> Contents:
    """Read `bundle.json`; no other file is looked at.

    Raises:
        ArtifactError: Not a bundle, or a damaged `bundle.json`.
    """
    file = folder / CONTENTS
    try:
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_CONTENTS_BYTES:
            raise ArtifactError(
                f"{file}: no plain file, or more than {MOST_CONTENTS_BYTES:,} bytes",
                hint="don't use this bundle",
            )
        data = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(
            f"{folder}: not a bundle (no {CONTENTS})", hint="edgekit bundle makes bundles"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{file}: not valid JSON: {str(error)[:200]}", hint="don't use this bundle"
        ) from error
    return Contents.from_json(data)


def bundle_name(text: str) -> str:
    """A bundle's name: letters, digits, '-' and '_', as package managers of all platforms take it.

    Raises:
        ArtifactError: It is none.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+){0,15}", text) or len(text) > 64:
        raise ArtifactError(
            f"{text!r:.80} is no name for a bundle",
            hint="small letters, digits and single '-' or '_', beginning with a letter",
        )
    return text


def bundle_version(text: str) -> str:
    """A bundle's version.

    Raises:
        ArtifactError: It is none.
    """
    if not _VERSION.fullmatch(text):
        raise ArtifactError(f"{text!r:.40} is no version", hint="three numbers: 1.0.0")
    return text


def is_path(text: str) -> bool:
    """Whether a text is a path that stays inside a bundle, on every platform."""
    return len(text) <= _LONGEST_PATH and bool(_PATH.fullmatch(text))


def _held(data: Any) -> Held:
    fields = Fields(data, f"{CONTENTS}: artifacts", ArtifactError)
    held = Held(
        label=fields.name("label"),
        target=fields.name("target"),
        precision=fields.name("precision"),
        file=_path(fields, fields.text("file")),
        sha256=digest_of(fields),
        bytes=fields.integer("bytes", high=MOST_BYTES),
    )
    fields.done()
    return held


def _choice(fields: Fields, held: tuple[Held, ...]) -> dict[str, str]:
    choice = fields.mapping("choice")
    labels = [one.label for one in held]
    for device, label in choice.items():
        if not is_name(device) or label not in labels:
            raise fields.fail("choice", f"{device!r:.80} takes {label!r:.80}, which is not there")
    return choice


def _files(fields: Fields) -> dict[str, Entry]:
    table = fields.mapping("files")
    if len(table) > MOST_FILES:
        raise fields.fail("files", f"{len(table):,} files; at most {MOST_FILES:,}")
    found: dict[str, Entry] = {}
    for path, data in table.items():
        entry = Fields(data, f"{CONTENTS}: files: {path!r:.200}", ArtifactError)
        found[_path(fields, path)] = Entry(
            digest_of(entry), entry.integer("bytes", high=MOST_BYTES)
        )
        entry.done()
    if len({path.lower() for path in found}) < len(found):
        raise fields.fail("files", "two paths differ in the case of letters only")
    if (total := sum(entry.bytes for entry in found.values())) > MOST_BYTES:
        raise fields.fail("files", f"{total:,} bytes together; at most {MOST_BYTES:,}")
    return found


def _path(fields: Fields, path: str) -> str:
    if not is_path(path) or path in (CONTENTS, SIGNATURE):
        raise fields.fail("files", f"{path!r:.200} is no path of a bundle's file")
    return path


def digest_of(fields: Fields) -> str:
    """The field `sha256`, in hex; raises as `Fields` does."""
    text = fields.text("sha256", longest=64)
    if not _SHA256.fullmatch(text):
        raise fields.fail("sha256", f"{text!r} is no digest")
    return text
