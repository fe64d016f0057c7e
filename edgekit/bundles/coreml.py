"""Core ML beside the other artifacts of a bundle: made of the same model, and unproven.

No file of Core ML's runs outside Apple's systems, so nothing here proves one. What is shown:
the source it is made of gives, on the artifact's golden samples, what the artifact says its source
gave; and the finished file takes and gives what the contract says. Its golden outputs are the
source's, for the bundle's own tests on a Mac or a phone. The conversion is `coreml_worker`'s.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import (
    GOLDEN_OUTPUTS,
    GOLDEN_REFERENCE,
    LABELS,
    MANIFEST,
    TOKENIZER,
    Artifact,
    describe_files,
)
from edgekit.errors import ArtifactError, ModelError
from edgekit.exporters.worker import Preparation
from edgekit.extras import missing, owner_of
from edgekit.files import canonical_json, sha256_file
from edgekit.models import ModelSource, resolve_model
from edgekit.process import Child
from edgekit.progress import Progress, Report, silent
from edgekit.samples import read_samples, samples_at, stored_at
from edgekit.tensor import TensorInfo
from edgekit.tokenizing import keep

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TARGET, PRECISION = "coreml", "fp32"
SUFFIX = ".mlpackage"
UNPROVEN = "made, and run nowhere: no system but Apple's runs Core ML"
_LIBRARY = "coremltools"
_ENTRY = "edgekit.bundles.coreml_worker:handler"
_TASK = "converting to Core ML"
# Part of an output's spread: float32 on another processor, or another TensorFlow.
_SAME = 1e-3
_HINT = "--source MODEL and --weights FILE say what it was exported from"


@dataclass(frozen=True, slots=True)
class CoreMl(Artifact):
    """A package of Core ML's as an artifact of a bundle; its manifest is no proven artifact's."""

    @property
    def model_files(self) -> dict[str, Mapping[str, Any]]:
        """Path → digest and size of every file of the package."""
        top = self.manifest.model_file.partition("/")[0]
        return {n: e for n, e in self.manifest.files.items() if n.startswith(f"{top}/")}


def make_core_ml(
    artifact: Artifact,
    folder: Path,
    *,
    model: str | None = None,
    weights: Path | None = None,
    report: Report = silent,
) -> CoreMl:
    """Convert what an artifact was made of.

    Args:
        artifact: Opened; the model, its weights and its golden samples are the measure.
        folder: Made here, and holds the package and its golden cases.
        model: Name or path of the source; by default the artifact's own name.
        weights: By default those of the artifact's data set, of a model folder.
        report: Told about progress.

    Raises:
        ModelError: The source cannot be built, or gives other outputs than the artifact's did.
        ConversionError: The converter's own reason.
        MissingExtraError: `coremltools` is not installed.
        ArtifactError: The artifact has no golden samples.
    """
    if (needed := owner_of(_LIBRARY)) is not None and find_spec(_LIBRARY) is None:
        raise missing(needed)  # before a model is built for nothing
    source, weights = _source(artifact, model, weights)
    folder.mkdir()
    preparation = Preparation(
        model=source.to_json(),
        weights=weights,
        classes=len(artifact.labels) or None,
        folder=folder.with_name(f"{folder.name}.trace"),
    )
    report(Progress(_TASK, 0, 3, "building the model"))
    with Child(_ENTRY) as child:
        trace = child.call({"do": "prepare", **preparation.to_json()})
        report(Progress(_TASK, 1, 3, "comparing it with the artifact's"))
        samples = _same_outputs(child, artifact, preparation, trace, folder)
        report(Progress(_TASK, 2, 3, "coremltools"))
        package = f"{artifact.manifest.model}{SUFFIX}"
        made = child.call(
            {
                "do": "core-ml",
                "trace": str(preparation.folder),
                "package": str(folder / package),
            }
        )
    report(Progress(_TASK, 3, 3))
    shutil.rmtree(preparation.folder)
    for name in (LABELS, TOKENIZER):
        if name in artifact.manifest.files:
            shutil.copyfile(artifact.path / name, folder / name)
    inputs, outputs = (
        tuple(TensorInfo(one["name"], one["dtype"], tuple(one["shape"])) for one in made[key])
        for key in ("inputs", "outputs")
    )
    about = {
        "target": TARGET,
        "precision": PRECISION,
        "model": artifact.manifest.model,
        "source": {
            "model": source.digest(),
            "weights": sha256_file(weights) if weights else None,
            "same_outputs_as": {"artifact": artifact.label, "key": artifact.manifest.key},
            "samples": samples,
            "limit_of_spread": _SAME,
        },
        "proven": False,
        "why": UNPROVEN,
        "tools": made["tools"],
    }
    (folder / MANIFEST).write_text(canonical_json(about), encoding="utf-8")
    return CoreMl(
        folder,
        replace(
            artifact.manifest,
            target=TARGET,
            precision=PRECISION,
            io="native",
            chain=("keras", f"{TARGET}-{PRECISION}"),
            model_file=f"{package}/Manifest.json",
            files=describe_files(folder),
            inputs=inputs,
            outputs=outputs,
            calibration=None,
            evaluation=None,
            metric=None,
            gate=None,
            kept=(),
            search=None,
            tools=made["tools"],
        ),
    )


def _source(
    artifact: Artifact, model: str | None, weights: Path | None
) -> tuple[ModelSource, Path | None]:
    """The model and its weights, as they were exported."""
    manifest = artifact.manifest
    source = resolve_model(model or manifest.model)
    if weights is None and source.spec is not None and manifest.dataset:
        weights = source.weights_for(manifest.dataset)
    if weights is not None and not weights.is_file():
        raise ModelError(f"{weights}: no such weights file")
    if source.needs_tokenizer and TOKENIZER in manifest.files:
        source = source.with_tokenizer(keep(artifact.path / TOKENIZER))
    return source, weights


def _same_outputs(
    child: Child,
    artifact: Artifact,
    preparation: Preparation,
    trace: Mapping[str, Any],
    folder: Path,
) -> int:
    """Run the source on the golden samples, which are left in `folder` with its outputs.

    Returns:
        How many samples there are.
    """
    import numpy as np

    names = [spec["name"] for spec in trace["inputs"]]
    place = samples_at(artifact.path / "golden")
    wanted = [tensor.name for tensor in artifact.manifest.outputs]
    reference = stored_at(artifact.path / GOLDEN_REFERENCE)
    if not reference.exists() or not place.exists():
        raise ArtifactError(f"{artifact.path}: no golden samples", hint="export it again")
    taken = [(spec["name"], list(spec["shape"])) for spec in trace["inputs"]]
    said_taken = [(spec.name, list(spec.shape)) for spec in artifact.manifest.preprocessing]
    if list(trace["outputs"]) != wanted or taken != said_taken:
        raise ModelError(
            f"the source of {artifact.path} is another: it takes {_told(taken)}, and gives "
            f"{', '.join(trace['outputs'])}",
            hint=_HINT,
        )
    target = folder / GOLDEN_OUTPUTS
    target.parent.mkdir()
    if place.is_dir():
        shutil.copytree(place, target.parent / place.name)
    else:
        shutil.copyfile(place, target.parent / place.name)
    child.call(
        {
            "do": "reference",
            "inputs": str(place),
            "names": names,
            "outputs": str(target),
            "output_names": wanted,
            "preparation": preparation.to_json(),
        }
    )
    found = read_samples(stored_at(target), wanted)
    said = read_samples(reference, wanted)
    for name in wanted:
        spread = max(float(np.ptp(said[name])), 1e-6)
        same = found[name].shape == said[name].shape
        apart = float(np.abs(found[name] - said[name]).max()) / spread if same else float("inf")
        if not apart <= _SAME:
            raise ModelError(
                f"the source of {artifact.path} is another: on its golden samples {name} is "
                f"{100 * apart:.3g} % of its spread apart",
                limit=f"{100 * _SAME:g} %",
                hint=_HINT,
            )
    return len(found[wanted[0]])


def _told(inputs: list[tuple[str, list[int]]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in inputs)
