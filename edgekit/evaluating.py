"""Judge artifacts on drawn samples: a device runs them, a metric compares outputs and labels.

All that are judged together get the same samples and the same metric, so that any two can be
compared sample by sample. Does not convert and does not time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import registry
from edgekit.artifact import Artifact
from edgekit.batching import KeptAnswers, Resumed, run_on_device
from edgekit.errors import DataError, UsageError
from edgekit.job import Job
from edgekit.measure import Placement
from edgekit.metrics import METRICS, Metric, MetricValue, judges_vectors
from edgekit.metrics.differences import Difference
from edgekit.metrics.playing import Played
from edgekit.metrics.running import Running
from edgekit.playing import acting
from edgekit.progress import Progress, Report, silent
from edgekit.run import Contender
from edgekit.sourced import against_source
from edgekit.store import KeptEvaluation

if TYPE_CHECKING:
    import numpy as np

    from edgekit.datasets import Dataset
    from edgekit.transports.connect import Device

    Array = np.ndarray[Any, Any]

_SAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Terms:
    """What all artifacts of one call are judged by.

    Attributes:
        dataset: Where the samples are from.
        split: Its split.
        count: How many samples.
        metric: What judges them.
        margin: Points of it that do not matter.
        device: What runs them.
        keep: Whether answers of a device to which samples travel in batches are kept, so that the
            next call goes on with them.
        fresh: Whether answers that were kept are forgotten first.
    """

    dataset: Dataset
    split: str
    count: int
    metric: Metric
    margin: float
    device: Device
    keep: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy of one artifact on one device.

    Attributes:
        contender: The artifact and the runtime that ran it.
        device: Name of the device profile.
        dataset: Name of the data set.
        split: Its split.
        sample_digest: Digest of the samples and their labels.
        metric: The figure, with its drop where the manifest knows the source model's figure on
            these very samples.
        placement: Where the ops ran.
        drop_unknown: Why the metric has no drop; None if it has one.
        reference: What the drop is measured against: "keras", or "file".
        against_source: The artifact (B) against the source model (A), sample by sample; None where
            the artifact does not hold what the source model answered.
        resumed: What an earlier call had left; None where samples don't travel in batches.
    """

    contender: Contender
    device: str
    dataset: str
    split: str
    sample_digest: str
    metric: MetricValue
    placement: Placement | None
    drop_unknown: str | None = None
    reference: str = "keras"
    against_source: Difference | None = None
    resumed: Resumed | None = None

    @property
    def artifact(self) -> Path:
        """Its folder."""
        return Path(self.contender.path)

    @property
    def runtime(self) -> str:
        """Runtime that ran it."""
        return self.contender.runtime

    @property
    def judge(self) -> Metric:
        """The metric it was judged by."""
        return METRICS[self.metric.name]

    def to_json(self) -> dict[str, Any]:
        pair = self.against_source
        return {
            "artifact": self.contender.path,
            "name": self.contender.name,
            "sha256": self.contender.sha256,
            "device": self.device,
            "runtime": self.runtime,
            "dataset": self.dataset,
            "split": self.split,
            "sample_digest": self.sample_digest,
            "metric": self.metric.to_json(),
            "interval": self.judge.interval,
            "drop_unknown": self.drop_unknown,
            "reference": self.reference,
            "against_source": pair.to_json() if pair else None,
            "placement": self.placement.to_json() if self.placement else None,
            "resumed": self.resumed.to_json() if self.resumed else None,
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """An evaluation, and what it was made of.

    Attributes:
        evaluation: The figures.
        judged: What the metric knows of each sample.
        labels: Of the samples.
    """

    evaluation: Evaluation
    judged: Any
    labels: Array

    @property
    def name(self) -> str:
        """Of the contender."""
        return self.evaluation.contender.name


def terms_for(
    artifacts: Sequence[Artifact],
    device: Device,
    *,
    dataset: str | Path | None = None,
    samples: int | None = None,
    metric: str | None = None,
    margin: float,
) -> Terms:
    """What these artifacts are judged by; what is not asked for is as the first was proven.

    Args:
        artifacts: At least one.
        device: What runs them.
        dataset: Name or path of a data set; by default the one they were made with.
        samples: How many; by default as many as the first was proven on.
        metric: Name of a metric; by default the one of the first's manifest.
        margin: Points that do not matter.

    Raises:
        UsageError: No data set is known for them, or not the same one; an unknown metric, or one
            for another task.
        DataError: The data set cannot be read, or has no samples.
    """
    from edgekit.datasets import open_dataset
    from edgekit.datasets.of_artifact import own_dataset

    first = artifacts[0]
    if dataset is None:
        own = sorted({str(artifact.manifest.dataset) for artifact in artifacts})
        if len(own) > 1:
            raise UsageError(
                f"the artifacts were made with different data sets: {', '.join(own)}",
                hint="name artifacts of one data set, or one for all with --dataset",
            )
        dataset = own_dataset(first)
    proven = first.manifest.evaluation or {}
    name = metric or str((first.manifest.metric or {}).get("name", "top1"))
    chosen = METRICS[registry.resolve(name, METRICS, what="metric")]
    own_metric = METRICS.get(str((first.manifest.metric or {}).get("name")))
    if own_metric is not None and own_metric.task != chosen.task:
        fitting = [key for key, one in METRICS.items() if one.task == own_metric.task]
        raise UsageError(
            f"{chosen.name} judges {chosen.task}; {first.label} is for {own_metric.task}",
            hint=f"one of: {', '.join(fitting)}",
        )
    opened = open_dataset(dataset)
    return Terms(
        dataset=opened,
        split=_split(opened, first),
        count=samples or int(proven.get("count") or _SAMPLES),
        metric=chosen,
        margin=margin,
        device=device,
    )


def judge(
    contender: Contender, artifact: Artifact, terms: Terms, *, report: Report = silent
) -> Verified:
    """Run an artifact over the samples and score its outputs.

    Raises:
        ArtifactError: It holds something else than it says.
        DataError: The data set has no labels, or other classes, or does not feed its inputs.
        RuntimeFault: The runtime failed, or the outputs hold NaN.
    """
    import numpy as np

    from edgekit.datasets import draw
    from edgekit.datasets.of_artifact import keep_tokenizer
    from edgekit.feeding import real

    keep_tokenizer(artifact)
    _check_classes(artifact, terms.dataset, terms.metric.name)
    specs = artifact.manifest.preprocessing
    drawn = draw(terms.dataset, terms.split, terms.count, specs, report=report)
    task = f"running {drawn.count:,} samples of {terms.dataset.name}: {contender.name}"
    labels = np.load(drawn.folder / "labels.npy", allow_pickle=False)
    running, given = Running(terms.metric, labels), artifact.manifest.outputs
    score = (lambda found: running.add([real(found[0], given[0])])) if len(given) == 1 else None
    with (
        tempfile.TemporaryDirectory(prefix="edgekit-eval-") as scratch,
        terms.device.transport.scored(score),
    ):
        job = Job(
            action="run",
            runtime=contender.runtime,
            model=str(artifact.model_path),
            threads=contender.threads,
            delegate=contender.delegate,
            options=contender.options,
        )
        kept = KeptAnswers.of(terms.device, contender, fresh=terms.fresh) if terms.keep else None
        found = run_on_device(
            terms.device.transport,
            job,
            inputs=artifact.manifest.inputs,
            outputs=given,
            samples=drawn.inputs,
            scratch=Path(scratch),
            kept=kept,
            told=lambda *stand: report(Progress(task, *stand)),
        )
    answers = found.outputs
    if isinstance(terms.metric, Played):
        answers = _returns(terms, artifact, labels, job, report)
    judged = terms.metric.judge(answers, labels)
    metric, unknown, pair = against_source(
        artifact, judged, labels, terms.metric, digest=drawn.digest, margin=terms.margin
    )
    figure = f"{metric.name} {metric.scale.text(metric.value)}"
    report(Progress(task, drawn.count, drawn.count, figure))
    evaluation = Evaluation(
        contender=contender,
        device=terms.device.profile.name,
        dataset=terms.dataset.name,
        split=terms.split,
        sample_digest=drawn.digest,
        metric=metric,
        placement=found.placement,
        resumed=found.resumed,
        drop_unknown=unknown,
        reference=artifact.manifest.parity.reference,
        against_source=pair,
    )
    return Verified(evaluation, judged, labels)


def _returns(
    terms: Terms, artifact: Artifact, labels: Array, job: Job, report: Report
) -> list[Array]:
    """What the artifact is paid in each episode that it plays, on the device."""
    from edgekit.datasets import require_world

    assert isinstance(terms.metric, Played)
    world, given = require_world(terms.dataset), artifact.manifest
    task = f"playing {len(labels):,} episodes of {terms.dataset.name}"

    def told(done: int) -> None:
        report(Progress(task, done, len(labels)))

    transport = terms.device.transport
    with acting(transport, job, inputs=given.inputs, outputs=given.outputs) as policy:
        return terms.metric.play(policy, world, labels, told)


def to_keep(one: Verified) -> KeptEvaluation:
    """An evaluation as the store keeps it."""
    import numpy as np

    row, marks = one.evaluation, one.judged.marks
    return KeptEvaluation(
        sha256=row.contender.sha256,
        model=row.contender.model,
        target=row.contender.target,
        precision=row.contender.precision,
        dataset=row.dataset,
        split=row.split,
        samples=row.metric.samples,
        sample_digest=row.sample_digest,
        metric=row.metric.to_json(),
        device=row.device,
        runtime=row.runtime,
        started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        hits=np.packbits(marks).tobytes() if marks is not None and marks.dtype == bool else None,
    )


def _check_classes(artifact: Artifact, dataset: Dataset, metric: str) -> None:
    """Labels are compared by position: the names must be the same in the same order."""
    from edgekit.datasets import require_scores

    expected = artifact.labels
    if not dataset.classes and not dataset.label_shape:
        raise DataError(f"{dataset.name}: it has no labels, so accuracy cannot be measured")
    if expected and tuple(dataset.classes) != expected:
        raise DataError(
            f"{dataset.name}: its {len(dataset.classes)} classes are not the "
            f"{len(expected)} of {artifact.path}/labels.txt",
            f"data set: {', '.join(dataset.classes[:5])} …",
            f"artifact: {', '.join(expected[:5])} …",
        )
    if not judges_vectors(metric):
        require_scores(
            dataset,
            [output.shape[1:] for output in artifact.manifest.outputs],
            model=artifact.manifest.model,
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
