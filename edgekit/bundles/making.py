"""Make a bundle: check what goes in, lay it out, prove it, write it whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit.artifact import LABELS as ARTIFACT_LABELS
from edgekit.artifact import MANIFEST, Artifact
from edgekit.artifact import TOKENIZER as ARTIFACT_TOKENIZER
from edgekit.bundles import contents as parts
from edgekit.bundles.bill import bill_of
from edgekit.bundles.checking import Verified, verify_folder
from edgekit.bundles.contents import Contents, Entry, Held, bundle_name, bundle_version
from edgekit.bundles.contract import Showing, contract_of
from edgekit.bundles.golden import write_golden
from edgekit.bundles.keyless import KEYLESS
from edgekit.bundles.licences import licence_text
from edgekit.bundles.platforms import Platform, platform_of
from edgekit.bundles.signing import public_half, sign
from edgekit.bundles.wordpiece import write_wordpiece
from edgekit.bundles.zipped import SUFFIX, has_signature, is_zipped, pack
from edgekit.errors import ArtifactError, UsageError
from edgekit.files import canonical_json, replace_folder, scratch_folder, sha256_file
from edgekit.progress import Progress, Report, silent

TASK = "making the bundle"


@dataclass(frozen=True, slots=True)
class Order:
    """What a bundle is to be.

    Attributes:
        name: Of the bundle and of the package in it.
        version: "MAJOR.MINOR.PATCH".
        platform: One of `PLATFORMS`.
        task: What the model does.
        licence: SPDX identifier of the weights.
        card: The model's card, Markdown; "" for none.
        showing: Which objects an app shows.
        choice: Class of device → label of the artifact for it.
        reports: Name of a device → what was measured there, as a document.
    """

    name: str
    version: str
    platform: str
    task: str = ""
    licence: str = ""
    card: str = ""
    showing: Showing = field(default_factory=Showing)
    choice: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, object] = field(default_factory=dict)


def make_bundle(
    artifacts: Sequence[Artifact],
    order: Order,
    out: Path,
    *,
    key: Path | None = None,
    password: str | None = None,
    report: Report = silent,
) -> Verified:
    """Make a bundle and verify it as whoever gets it will.

    Args:
        artifacts: Opened, so their files are what their manifests say; the first is what a loader
            takes where it knows nothing better.
        order: What it is to be.
        out: Its folder, absent, empty, or an earlier bundle, which is then replaced; or a `.zip`.
        key: Private key to sign with, or `sigstore`; None leaves it unsigned.
        password: Of the key.
        report: Told about progress.

    Raises:
        ArtifactError: An artifact whose gate failed or whose golden samples are missing.
        UsageError: Artifacts that don't go together or not on this platform, a name or version
            that is none, or `out` holds something else.
        MissingExtraError: A library that this needs is not installed.
    """
    platform = platform_of(order.platform)
    _check(artifacts, platform, out, signs=key is not None)
    platform.check_name(bundle_name(order.name))
    contract = contract_of(artifacts, order.showing)
    steps = 4 + (key is not None)
    with scratch_folder(out) as scratch:
        folder = scratch / "bundle"
        folder.mkdir()
        held = [_copy(one, folder) for one in artifacts]
        made = Contents(
            name=bundle_name(order.name),
            version=bundle_version(order.version),
            platform=order.platform,
            model=artifacts[0].manifest.model,
            task=order.task,
            licence=order.licence,
            artifacts=tuple(held),
            choice=dict(order.choice),
        )
        report(Progress(TASK, 1, steps, "golden cases"))
        tokenizer = folder / parts.TOKENIZER if (folder / parts.TOKENIZER).is_file() else None
        write_golden(folder / parts.GOLDEN, artifacts, contract, tokenizer)
        if tokenizer is not None and not platform.has_tokenizers:
            write_wordpiece(tokenizer, folder / parts.WORDPIECE)
        _write(folder, parts.CONTRACT, canonical_json(contract))
        _write(folder, parts.BILL, bill_of(made, artifacts))
        for device, document in sorted(order.reports.items()):
            _write(folder, f"{parts.REPORTS}/{device}.json", canonical_json(document))
        if order.licence:
            _write(folder, parts.LICENCE, licence_text(order.licence))
        if order.card:
            _write(folder, parts.CARD, order.card)
        report(Progress(TASK, 2, steps, platform.name))
        if key is not None and key != KEYLESS:
            platform.pin(folder, public_half(key, password))
        platform.write(folder, made, contract)
        made = replace(made, files=_entries(folder))
        _write(folder, parts.CONTENTS, made.text())
        if key is not None:
            report(Progress(TASK, 3, steps, "signing"))
            sign(folder, key, password)
        report(Progress(TASK, steps - 1, steps, "verifying"))
        verified = verify_folder(folder)
        if out.suffix == SUFFIX:
            pack(folder, out)
        else:
            replace_folder(folder, out)
    report(Progress(TASK, steps, steps))
    return replace(verified, folder=out)


def _check(artifacts: Sequence[Artifact], platform: Platform, out: Path, *, signs: bool) -> None:
    if not artifacts:
        raise UsageError("no artifact was named", hint="edgekit bundle build/MODEL/tflite-int8")
    labels = [one.label for one in artifacts]
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"two artifacts are called {label}", hint="name each once")
    for one in artifacts:
        gate = one.manifest.gate
        if gate is not None and not gate["met"]:
            raise ArtifactError(
                f"{one.path}: it does not keep its limit {_limit(gate)}, so it is not bundled",
                hint="edgekit explain says which layers lose accuracy",
            )
        if one.target not in platform.targets:
            raise UsageError(
                f"{one.path}: {one.target} files don't run on {platform.name}",
                hint=f"targets that do: {', '.join(platform.targets)}",
            )
    if out.is_dir() and any(out.iterdir()):
        _check_replaceable(out)
    zipped = out.is_file() and out.suffix == SUFFIX and is_zipped(out)
    if out.exists() and not out.is_dir() and not zipped:
        raise UsageError(
            f"{out}: a file, and no bundle", hint="-o with a new folder, or a new .zip"
        )
    if not signs and has_signature(out):
        raise UsageError(
            f"{out}: a signed bundle, which an unsigned one would replace",
            hint="--sign KEY, or -o with another name",
        )


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace what somebody put into a folder, be it beside or into an earlier bundle.

    Raises:
        UsageError: It is not a bundle as it was made.
    """
    if not (folder / parts.CONTENTS).is_file():
        raise UsageError(
            f"{folder}: holds something else than a bundle", hint="-o with a new folder"
        )
    try:
        verify_folder(folder)
    except ArtifactError as error:
        raise UsageError(
            f"{folder}: no bundle as it was made, so it is not replaced: {error.message}",
            hint="-o with a new folder, or remove this one",
        ) from error


def _limit(gate: Mapping[str, object]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in gate.items() if key != "met")


def _copy(artifact: Artifact, folder: Path) -> Held:
    """Copy the model's own files and its manifest; labels and the tokenizer go to the top."""
    manifest = artifact.manifest
    place = f"{parts.ARTIFACTS}/{artifact.label}"
    for name in (*artifact.model_files, MANIFEST):
        target = folder / place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifact.path / name, target)
    for name, top in ((ARTIFACT_LABELS, parts.LABELS), (ARTIFACT_TOKENIZER, parts.TOKENIZER)):
        if name in manifest.files:
            shutil.copyfile(artifact.path / name, folder / top)
    return Held(
        label=artifact.label,
        target=artifact.target,
        precision=artifact.precision,
        file=f"{place}/{manifest.model_file}",
        sha256=artifact.sha256,
        bytes=artifact.bytes,
    )


def _write(folder: Path, name: str, text: str) -> None:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")


def _entries(folder: Path) -> dict[str, Entry]:
    return {
        path.relative_to(folder).as_posix(): Entry(sha256_file(path), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
