"""`edgekit bundle` and `edgekit verify`: artifacts become a package for an app team.

Finds what is known of the model besides its artifacts: task, licence, card, measurements. The work
is `edgekit.bundles`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.bundles.checking import Verified, verify
from edgekit.bundles.contract import contract_of
from edgekit.bundles.making import Order, make_bundle
from edgekit.errors import EdgekitError, UsageError
from edgekit.measuring.contenders import expand
from edgekit.models import known_models, resolve_model
from edgekit.progress import Report, silent

__all__ = ["Verified", "verify"]

_ANSWERS = {"classes": "classification", "objects": "object-detection", "tensors": ""}


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """What a person asks for.

    Attributes:
        paths: Artifacts' folders, or folders that hold some; the first artifact is the usual one.
        platform: Of the app.
        out: The bundle's folder, or a `.zip`.
        name: Of the bundle; the model's by default.
        version: "MAJOR.MINOR.PATCH".
        choice: Class of device → label of the artifact for it.
        key: Private key to sign with.
        password: Of the key.
        licence: SPDX identifier; by default the reference model's.
    """

    paths: Sequence[Path]
    platform: str
    out: Path
    name: str | None = None
    version: str = "1.0.0"
    choice: Mapping[str, str] = field(default_factory=dict)
    key: Path | None = None
    password: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Bundled:
    """A bundle that was made.

    Attributes:
        verified: As whoever gets it finds it.
        bytes: Of all its files.
    """

    verified: Verified
    bytes: int

    def to_json(self) -> dict[str, Any]:
        return {"folder": str(self.verified.folder), "bytes": self.bytes, **told(self.verified)}


def told(verified: Verified) -> dict[str, Any]:
    """What a verified bundle says of itself, without its list of files."""
    contents = verified.contents.to_json()
    return {
        **{key: value for key, value in contents.items() if key != "files"},
        "files": len(contents["files"]),
        "signed": verified.has_signature,
        "signed_by": verified.signed.fingerprint if verified.signed else None,
    }


def bundle(request: BundleRequest, *, report: Report = silent) -> Bundled:
    """Make a bundle.

    Raises:
        EdgekitError: As `edgekit.bundles.making.make_bundle`; or a path holds no artifact.
    """
    artifacts = [Artifact.open(path) for path in expand(request.paths)]
    model = artifacts[0].manifest.model
    labels = [one.label for one in artifacts]
    for device, label in request.choice.items():
        if label not in labels:
            raise UsageError(
                f"--for {device}={label}: no such artifact in this bundle",
                hint=f"one of: {', '.join(labels)}",
            )
    known = _known(model)
    answer = contract_of(artifacts)["answer"]["kind"]
    order = Order(
        name=request.name or model.replace(".", "-").lower(),
        version=request.version,
        platform=request.platform,
        task=known.task or _ANSWERS[answer],
        licence=request.licence if request.licence is not None else known.licence,
        card=known.card,
        choice=request.choice,
    )
    made = make_bundle(
        artifacts,
        order,
        request.out,
        key=request.key,
        password=request.password,
        report=report,
    )
    total = sum(entry.bytes for entry in made.contents.files.values())
    return Bundled(made, total)


@dataclass(frozen=True, slots=True)
class _Known:
    task: str = ""
    licence: str = ""
    card: str = ""


def _known(model: str) -> _Known:
    """What the shelf knows of a model; nothing of somebody's own."""
    if model not in known_models():
        return _Known()
    try:
        source = resolve_model(model)
    except EdgekitError:
        return _Known()
    card = source.path / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    spec = source.spec
    return _Known(spec.task if spec else "", spec.licence if spec else "", text)
