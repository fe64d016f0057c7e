"""Measure an artifact's accuracy on a data set, in its own runtime, on a device.

Draws samples, has the device run them, scores what comes back. Does not convert and does not time.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.artifact import Artifact
from edgekit.errors import ArtifactError, DataError
from edgekit.job import Job
from edgekit.measure import Placement
from edgekit.metrics import MetricValue
from edgekit.progress import Progress, Report, silent

if TYPE_CHECKING:
    import numpy as np

    from edgekit.datasets import Dataset, Drawn

    Array = np.ndarray[Any, Any]

_SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy of one artifact on one device.

    Attributes:
        artifact: Its folder.
        device: Name of the device profile.
        runtime: Runtime that ran it.
        dataset: Name of the data set.
        split: Its split.
        metric: The figure, with its drop where the manifest knows the source model's figure on
            these very samples.
        placement: Where the ops ran.
        drop_unknown: Why the metric has no drop; None if it has one.
        reference: What the drop is measured against: "keras", or "file".
    """

    artifact: Path
    device: str
    runtime: str
    dataset: str
    split: str
    metric: MetricValue
    placement: Placement | None
    drop_unknown: str | None = None
    reference: str = "keras"

    def to_json(self) -> dict[str, Any]:
        return {
            "artifact": str(self.artifact),
            "device": self.device,
            "runtime": self.runtime,
            "dataset": self.dataset,
            "split": self.split,
            "metric": self.metric.to_json(),
            "drop_unknown": self.drop_unknown,
            "reference": self.reference,
            "placement": self.placement.to_json() if self.placement else None,
        }


def evaluate(
    path: Path,
    *,
    dataset: str | Path | None = None,
    samples: int | None = None,
    device: str = "local-cpu",
    runtime: str | None = None,
    metric: str | None = None,
    report: Report = silent,
) -> Evaluation:
    """Run an artifact over evaluation samples and score its outputs.

    Args:
        path: The artifact's folder.
        dataset: Name or path of a data set; by default the one in the manifest.
        samples: How many; by default as many as the artifact was proven on.
        device: Name or path of a device profile.
        runtime: Runtime to use; by default the device's preference.
        metric: Name in `edgekit.metrics`; by default the one in the manifest.
        report: Told about progress.

    Raises:
        ArtifactError: The artifact is missing or damaged.
        UsageError: No data set is known for it.
        DataError: The data set has no labels, other classes, or no samples.
        DeviceError: The device is absent, not what its profile says, or lacks the runtime.
        RuntimeFault: The runtime failed, or the outputs hold NaN.
    """
    from edgekit.datasets import draw, open_dataset
    from edgekit.datasets.of_artifact import keep_tokenizer, own_dataset
    from edgekit.feeding import run_samples, samples_at
    from edgekit.transports.connect import connect

    artifact = Artifact.open(path)
    reached = connect(device)
    name = reached.profile.runtime_for(artifact.target, runtime)
    source = dataset if dataset is not None else own_dataset(artifact)
    if len(artifact.manifest.inputs) != 1:
        raise ArtifactError(f"{path}: only models with one input can be evaluated")
    keep_tokenizer(artifact)
    opened = open_dataset(source)
    _check_classes(artifact, opened)
    split = _split(opened, artifact)
    count = samples or int((artifact.manifest.evaluation or {}).get("count") or _SAMPLES)
    drawn = draw(opened, split, count, artifact.manifest.preprocessing[0], report=report)
    task = f"running {drawn.count:,} samples of {opened.name} in {name}"
    report(Progress(task))
    with tempfile.TemporaryDirectory(prefix="edgekit-eval-") as scratch:
        outputs, result = run_samples(
            reached.transport,
            Job(
                action="run",
                runtime=name,
                model=str(artifact.model_path),
                threads=reached.profile.threads,
                delegate=reached.profile.delegate,
            ),
            inputs=artifact.manifest.inputs,
            outputs=artifact.manifest.outputs,
            samples=samples_at(drawn.folder),
            scratch=Path(scratch),
        )
    found, drop_unknown = _score(artifact, outputs, drawn, metric)
    report(Progress(task, 1, 1, f"{found.name} {found.value:.2f} %"))
    return Evaluation(
        artifact=path,
        device=reached.profile.name,
        runtime=name,
        dataset=opened.name,
        split=split,
        metric=found,
        placement=result.placement,
        drop_unknown=drop_unknown,
        reference=artifact.manifest.parity.reference,
    )


def _check_classes(artifact: Artifact, dataset: Dataset) -> None:
    """Labels are compared by position: the names must be the same in the same order."""
    expected = artifact.labels
    if not dataset.classes:
        raise DataError(f"{dataset.name}: it has no labels, so accuracy cannot be measured")
    if expected and tuple(dataset.classes) != expected:
        raise DataError(
            f"{dataset.name}: its {len(dataset.classes)} classes are not the "
            f"{len(expected)} of {artifact.path}/labels.txt",
            f"data set: {', '.join(dataset.classes[:5])} …",
            f"artifact: {', '.join(expected[:5])} …",
        )
    sizes = artifact.manifest.outputs[-1].shape[1:]
    if dataset.label_shape and len(sizes) == 1:
        return  # a detector that chooses objects itself: its outputs do not tell how many classes
    # Of a detector's scores [N, places, classes] the last axis counts.
    outputs = sizes[-1] if dataset.label_shape else math.prod(sizes)
    if min(sizes, default=1) >= 0 and outputs != len(dataset.classes):
        raise DataError(
            f"{artifact.manifest.model} gives {outputs} outputs, "
            f"the data set {dataset.name} has {len(dataset.classes)} classes",
            hint="evaluate on a data set with the classes the model was trained on",
        )


def _split(dataset: Dataset, artifact: Artifact) -> str:
    """The split the artifact was proven on, else the one that training saw least of."""
    proven = (artifact.manifest.evaluation or {}).get("split")
    candidates = [proven] if proven and dataset.name == artifact.manifest.dataset else []
    for split in (*candidates, "test", "validation", "train"):
        if dataset.size(split):
            return str(split)
    raise DataError(f"{dataset.name}: it has no samples in any split")


def _score(
    artifact: Artifact, outputs: list[Array], drawn: Drawn, name: str | None
) -> tuple[MetricValue, str | None]:
    """The figure, and why its drop is unknown if it is."""
    import numpy as np

    from edgekit.metrics import score

    labels = np.load(drawn.folder / "labels.npy", allow_pickle=False)
    known = artifact.manifest.metric or {}
    usual = str(known.get("name", "top1"))
    metric = score(name or usual, outputs, labels)
    if metric.name != usual:
        return metric, f"the manifest has the source model's {usual} only"
    reference = known.get("reference")
    if reference is None:
        return metric, "the manifest has no figure of the source model"
    if (artifact.manifest.evaluation or {}).get("digest") != drawn.digest:
        return metric, "not the samples of the manifest"
    # The source model's own hits aren't at hand, so the drop has no paired interval.
    drop = round(float(reference) - metric.value, 4) + 0.0  # the manifest's figure has four digits
    return replace(metric, reference=float(reference), drop=drop), None
