"""`edgekit explain --device`: which ops of an artifact a device leaves to others, and at what cost.

Times nothing and keeps nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.agent.runtimes.base import INTEGERS
from edgekit.artifact import Artifact
from edgekit.errors import UsageError
from edgekit.graphs.reading import read_graph
from edgekit.measuring.contenders import Asked, expand, gather, job_of
from edgekit.passes import Document
from edgekit.placing.placed import Placed, put_together
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender
from edgekit.transports.connect import connect

_LONGEST_S = 1800.0
_FLOAT = ("fp32", "fp16")


@dataclass(frozen=True, slots=True)
class PlacementExplained:
    """Where the ops of an artifact run on a device.

    Attributes:
        contender: The artifact in the runtime that ran it.
        device: Name of the device profile.
        runtime: Runtime and version.
        placed: Ops, what blocks them, and transfers.
        estimate: Whether a compiler says so and nothing ran.
    """

    contender: Contender
    device: str
    runtime: str
    placed: Placed
    estimate: bool

    def to_json(self) -> dict[str, Any]:
        one = self.contender
        return {
            "artifact": one.path,
            "name": one.name,
            "sha256": one.sha256,
            "device": self.device,
            "runtime": self.runtime,
            "delegate": one.delegate,
            "threads": one.threads,
            "kind": "estimate" if self.estimate else "run",
            **self.placed.to_json(),
        }


def explain_placement(
    asked: Asked, *, device: str, runtime: str | None = None, report: Report = silent
) -> PlacementExplained:
    """Ask a device where it runs the ops of an artifact, with one call on it.

    Where the device's delegate is asked for, what it leaves out goes to others here, which
    `profile` and `eval` refuse where the runtime can.

    Args:
        asked: One artifact's folder, with its settings.
        device: Name or path of a device profile.
        runtime: Runtime to use; by default the device's preference.
        report: Told about progress.

    Raises:
        UsageError: Several artifacts.
        ArtifactError: Not an artifact, or a damaged one.
        DeviceError: The device is absent, lacks what was asked for, or tells of no op.
        RuntimeFault: The runtime failed.
    """
    held = expand([asked.path])
    if len(held) > 1:
        raise UsageError(
            f"{asked.path} holds {len(held)} artifacts: "
            f"{', '.join(path.name for path in held[:6])}",
            hint=f"edgekit explain {held[0]} --device {device}",
        )
    report(Progress("asking where ops run", 0, 2, device))
    reached = connect(device)
    ((contender, artifact),) = gather([asked], reached.profile, runtime=runtime)
    with tempfile.TemporaryDirectory(prefix="edgekit-placement-") as scratch:
        job = replace(job_of(contender, artifact, Path(scratch) / "sample"), action="placement")
        result = reached.transport.run(job, timeout_s=_LONGEST_S)
    report(Progress("asking where ops run", 1, 2, f"reading {artifact.model_path.name}"))
    graph = read_graph(artifact.model_path, artifact.target)
    found = put_together(_meant(result.documents["placement"], artifact), graph)
    report(Progress("asking where ops run", 2, 2))
    version = result.environment.get("runtime_version")
    return PlacementExplained(
        contender,
        reached.profile.name,
        f"{contender.runtime} {version}" if version else contender.runtime,
        found,
        estimate=reached.transport.estimates,
    )


def _meant(document: Document, artifact: Artifact) -> Document:
    """Of a float file nothing was to be computed in integers: its ops are where they should be."""
    if document.get("wanted") != INTEGERS or artifact.precision not in _FLOAT:
        return document
    ops = [{**op, "taken": True} for op in document["ops"]]
    return {**document, "wanted": "the CPU", "ops": ops}
