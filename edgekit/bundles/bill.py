"""The bill of materials of a bundle: CycloneDX 1.6, as an ML-BOM.

Which model files there are, with digests and licence, and which packages and data took part in
making them. Without a time and with a serial number made of its content: the same inputs give the
same bytes. Written by the library `cyclonedx-python-lib`. Reads no file.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from edgekit.artifact import Artifact
from edgekit.bundles.contents import Contents
from edgekit.errors import UsageError
from edgekit.extras import missing, owner_of
from edgekit.files import canonical_json, digest_json

# Of version-5 identifiers; drawn once.
_NAMESPACE = uuid.UUID("8c6a0f6e-53c5-4c0e-9d0a-0a3f9f1f6b52")


def bill_of(contents: Contents, artifacts: Sequence[Artifact]) -> str:
    """The bill as JSON.

    Args:
        contents: Name, version, licence and artifacts of the bundle.
        artifacts: The same artifacts, opened.

    Raises:
        MissingExtraError: The library is not installed.
        UsageError: The licence is no SPDX expression.
    """
    try:
        from cyclonedx import spdx
        from cyclonedx.contrib.license.factories import LicenseFactory
        from cyclonedx.model import HashAlgorithm, HashType, Property
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
    except ModuleNotFoundError as error:
        package = owner_of(error.name or "")
        if package is None:
            raise
        raise missing(package) from error
    if contents.licence and not (
        spdx.is_supported_id(contents.licence) or spdx.is_expression(contents.licence)
    ):
        raise UsageError(
            f"--licence {contents.licence!r:.80}: no SPDX identifier or expression",
            hint="as in Apache-2.0, MIT, CC-BY-4.0 OR MIT; LicenseRef-NAME for one's own",
        )
    licences = [LicenseFactory().make_from_string(contents.licence)] if contents.licence else []
    whole = Component(
        type=ComponentType.APPLICATION,
        name=contents.name,
        version=contents.version,
        bom_ref="bundle",
        properties=[Property(name="edgekit:platform", value=contents.platform)],
    )
    bom = Bom(serial_number=_serial(contents, artifacts))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the same inputs, the same bytes
    bom.metadata.component = whole
    models = []
    for held, artifact in zip(contents.artifacts, artifacts, strict=True):
        manifest = artifact.manifest
        facts = {
            "target": held.target,
            "precision": held.precision,
            "chain": " > ".join(manifest.chain),
            "dataset": manifest.dataset or "",
            "gate": json.dumps(manifest.gate, sort_keys=True) if manifest.gate else "",
        }
        models.append(
            Component(
                type=ComponentType.MACHINE_LEARNING_MODEL,
                name=f"{contents.model} {held.label}",
                version=contents.version,
                bom_ref=f"model:{held.label}",
                hashes=[
                    HashType(alg=HashAlgorithm.SHA_256, content=str(manifest.files[name]["sha256"]))
                    for name in [manifest.model_file]
                ],
                licenses=licences,
                properties=[
                    Property(name=f"edgekit:{key}", value=value)
                    for key, value in facts.items()
                    if value
                ],
            )
        )
    tools = sorted({(n, v) for one in artifacts for n, v in one.manifest.tools.items()})
    packages = [
        Component(
            type=ComponentType.LIBRARY, name=name, version=version, bom_ref=f"{name}@{version}"
        )
        for name, version in tools
    ]
    for component in (*models, *packages):
        bom.components.add(component)
    bom.register_dependency(whole, models)
    for model in models:
        bom.register_dependency(model, packages)
    return canonical_json(json.loads(JsonV1Dot6(bom).output_as_string()))


def _serial(contents: Contents, artifacts: Sequence[Artifact]) -> uuid.UUID:
    facts: dict[str, Any] = {
        **{key: value for key, value in contents.to_json().items() if key != "files"},
        "digests": [one.sha256 for one in artifacts],
    }
    return uuid.uuid5(_NAMESPACE, digest_json(facts))
