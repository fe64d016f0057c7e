"""`edgekit bundle` and `edgekit verify`: artifacts become a package for an app team.

Finds what is known of the model besides its artifacts: task, licence, card, measurements. The work
is `edgekit.bundles`'s.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit.artifact import Artifact
from edgekit.bundles.checking import Verified, verify
from edgekit.bundles.contract import OBJECTS, Showing, contract_of
from edgekit.bundles.coreml import PRECISION, TARGET, make_core_ml
from edgekit.bundles.keyless import Identity
from edgekit.bundles.making import Order, make_bundle
from edgekit.bundles.platforms import platform_of
from edgekit.errors import EdgekitError, UsageError
from edgekit.measuring.contenders import expand
from edgekit.models import known_models, resolve_model
from edgekit.progress import Report, silent
from edgekit.run import Run
from edgekit.summary import summarise

__all__ = ["Identity", "Verified", "verify"]

# What says of which machine and runtime a figure is; no name of a host.
_MACHINE = ("machine", "system", "cpu_model", "runtime_version", "browser", "gpu")
_FIGURES = ("median_ms", "ci95_ms", "covers_95", "processes", "calls", "peak_rss_bytes")
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
        threshold: Lowest score of an object that the app shows, 0–1; None takes the usual.
        overlap: Highest IoU of two objects of a class there, 0–1; None takes the usual.
        choice: Class of device → label of the artifact for it.
        measured: Devices whose newest figures go into the bundle; where `choice` says nothing of
            one, its fastest artifact is chosen for it.
        key: Private key to sign with.
        password: Of the key.
        licence: SPDX identifier; by default the reference model's.
        core_ml: Convert the first artifact's source to Core ML, too.
        source: Name or path of that source; by default the artifact's own name.
        weights: Of that source, where it is not a reference model with its own.
    """

    paths: Sequence[Path]
    platform: str
    out: Path
    name: str | None = None
    version: str = "1.0.0"
    threshold: float | None = None
    overlap: float | None = None
    choice: Mapping[str, str] = field(default_factory=dict)
    measured: Sequence[str] = ()
    key: Path | None = None
    password: str | None = None
    licence: str | None = None
    core_ml: bool = False
    source: str | None = None
    weights: Path | None = None


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
        "signed_by": _signer(verified),
    }


def _signer(verified: Verified) -> str | None:
    signed = verified.signed
    return None if signed is None else signed.fingerprint or str(signed.by)


def bundle(request: BundleRequest, *, report: Report = silent) -> Bundled:
    """Make a bundle.

    Raises:
        EdgekitError: As `edgekit.bundles.making.make_bundle`; or a path holds no artifact.
    """
    artifacts = [Artifact.open(path) for path in expand(request.paths)]
    model = artifacts[0].manifest.model
    labels = [one.label for one in artifacts]
    if request.core_ml:
        _check_core_ml(request)
        labels.append(f"{TARGET}-{PRECISION}")
    for device, label in request.choice.items():
        if label not in labels:
            raise UsageError(
                f"--for {device}={label}: no such artifact in this bundle",
                hint=f"one of: {', '.join(labels)}",
            )
    known = _known(model)
    reports = {device: measured_on(device, artifacts) for device in request.measured}
    fastest = {device: _fastest(report) for device, report in reports.items()}
    answer = contract_of(artifacts)["answer"]["kind"]
    asked = {"threshold": request.threshold, "overlap": request.overlap}
    given = {name: value for name, value in asked.items() if value is not None}
    for name, value in given.items():
        if not 0 <= value <= 1:  # not a number, too
            raise UsageError(f"--{name} {value:g}: outside 0…1")
    if given and answer != OBJECTS:
        raise UsageError(f"--{next(iter(given))} is for detectors; {model} gives {answer}")
    order = Order(
        name=request.name or model.replace(".", "-").lower(),
        version=request.version,
        platform=request.platform,
        task=known.task or _ANSWERS[answer],
        licence=request.licence if request.licence is not None else known.licence,
        card=known.card,
        showing=replace(Showing(), **given),
        choice={**fastest, **request.choice},
        reports=reports,
    )
    with _with_core_ml(request, artifacts, report) as held:
        made = make_bundle(
            held, order, request.out, key=request.key, password=request.password, report=report
        )
    total = sum(entry.bytes for entry in made.contents.files.values())
    return Bundled(made, total)


def _check_core_ml(request: BundleRequest) -> None:
    if TARGET not in platform_of(request.platform).targets:
        raise UsageError(f"--core-ml: Core ML files don't run on {request.platform}")


@contextmanager
def _with_core_ml(
    request: BundleRequest, artifacts: Sequence[Artifact], report: Report
) -> Iterator[Sequence[Artifact]]:
    """The artifacts; behind them, as it is unproven, Core ML where it was asked for."""
    if not request.core_ml:
        yield artifacts
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-core-ml-") as scratch:
        made = make_core_ml(
            artifacts[0],
            Path(scratch) / f"{TARGET}-{PRECISION}",
            model=request.source,
            weights=request.weights,
            report=report,
        )
        yield [*artifacts, made]


def measured_on(device: str, artifacts: Sequence[Artifact]) -> dict[str, Any]:
    """The newest figures of artifacts on a device, from the store: of one run that had them all.

    Raises:
        UsageError: They were never measured there together; figures of two runs rank nothing.
        StoreError: The store cannot be read.
    """
    from edgekit.store import Store

    wanted = {one.sha256 for one in artifacts}
    with Store.open() as store:
        for stored in store.find(device=device, sha256=artifacts[0].sha256):
            if wanted.issubset(one.sha256 for one in stored.run.contenders):
                run = store.load(stored.number)
                break
        else:
            paths = " ".join(str(one.path) for one in artifacts)
            raise UsageError(
                f"--measured {device}: no run there had all artifacts of the bundle",
                hint=f"edgekit profile {paths} --device {device}",
            )
    rows = [_row(artifact, run) for artifact in artifacts]
    return {"device": device, "started": run.started, "artifacts": rows}


def _row(artifact: Artifact, run: Run) -> dict[str, Any]:
    digests = [one.sha256 for one in run.contenders]
    number = digests.index(artifact.sha256)
    one, measurements = run.contenders[number], run.measurements_of(number)
    last = measurements[-1]
    summary = summarise(measurements).to_json()
    return {
        "label": artifact.label,
        "runtime": one.runtime,
        "threads": one.threads,
        "delegate": one.delegate,
        "ran_on": str(last.placement),
        "machine": {key: last.environment.get(key) for key in _MACHINE},
        **{key: summary[key] for key in _FIGURES},
    }


def _fastest(report: Mapping[str, Any]) -> str:
    return str(min(report["artifacts"], key=lambda one: one["median_ms"])["label"])


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
