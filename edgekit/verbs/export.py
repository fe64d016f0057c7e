"""`edgekit export`: decide what is to be made, use what is there already, make the rest.

Chooses model, data, weights and limits. The work itself is `edgekit.pipeline`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import edgekit
from edgekit.artifact import Artifact
from edgekit.datasets import Dataset, open_dataset
from edgekit.errors import (
    DataError,
    EdgekitError,
    ModelError,
    UsageError,
)
from edgekit.files import sha256_file, sha256_tree
from edgekit.making import Made, make, no_empty_folder
from edgekit.mixing.search import Rescue
from edgekit.models import ModelSource, resolve_model, tokenizer_beside
from edgekit.pace import Pace, time_against_float
from edgekit.pipeline import LINT
from edgekit.plan import ExportOrder, Plan, artifact_key, exporters_named, make_plan
from edgekit.progress import Progress, Report, silent
from edgekit.quantization.lint.finding import Finding
from edgekit.quantization.rewrite.applied import Applied
from edgekit.ranges.limits import AUTO
from edgekit.spec import Gate, Scalar
from edgekit.tokenizing import keep

DEFAULT_OUT = Path("build")
DEFAULT_BUDGET_S = 300.0
_DEFAULT_CALIBRATION = 128


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What a person asks for. None means: what `model.toml` says, else edgekit's default.

    Attributes:
        model: Name or path.
        targets: Targets; empty for all built-in ones.
        precisions: Precisions.
        io: Input and output types of int8 files.
        dataset: Name of a data set that the model has weights for.
        data: A user's own data (folder of images, `.npz`), for calibration and evaluation.
        weights: A user's own weights.
        calibration_samples: How many.
        evaluation_samples: How many.
        condition: Condition the model for what is calibrated (docs/quantize.md).
        ranges: How ranges of int8 files are chosen, one of `edgekit.ranges.limits.ASKABLE`.
        fix: Rewrite what costs a target time or accuracy in 8 bits (docs/speed.md).
        timing: Time quantized artifacts against float ones, where anything was made.
        max_drop: Points of the metric an artifact may lose.
        budget_s: Where an int8 file loses more, seconds after which no layers are searched any more
            that have to stay in float; None for no search (docs/mixed.md).
        allow_drop: Keep an artifact that loses more all the same, and say so in its manifest.
        parameters: Overrides of `[parameters]`.
        input_shape: Shape of one sample, for a model that leaves axes open.
        input_range: Range of values a float image input expects.
        trust_model: Allow code inside the model file.
        out: Folder that gets `<name>/<target>-<precision>`.
        name: Name of the model in folders and manifests; by default its own, or its file's.
        metadata: Whether files say what they are (docs/metadata.md).
        force: Convert again even if nothing changed.
    """

    model: str
    targets: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("fp32",)
    io: str = "native"
    dataset: str | None = None
    data: Path | None = None
    weights: Path | None = None
    calibration_samples: int | None = None
    evaluation_samples: int | None = None
    condition: bool = True
    ranges: str = AUTO
    fix: bool = True
    timing: bool = False
    max_drop: float | None = None
    budget_s: float | None = DEFAULT_BUDGET_S
    allow_drop: bool = False
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None
    input_range: tuple[float, float] | None = None
    trust_model: bool = False
    out: Path = DEFAULT_OUT
    name: str | None = None
    metadata: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What exists now, what does not, and what was found on the way.

    Attributes:
        made: Artifacts, failures and doubts.
        findings: What in the float graph 8 bits pay for, where int8 was made (docs/explain.md).
        rewrites: What was rewritten for it (docs/speed.md).
        timing: Latency of quantized artifacts against float ones.
        rescued: Artifact label → how it was brought within its gate, where layers were searched.
    """

    made: Made
    findings: tuple[Finding, ...] = ()
    rewrites: tuple[Applied, ...] = ()
    timing: tuple[Pace, ...] = ()
    rescued: Mapping[str, Rescue] = field(default_factory=dict)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """In the order of the plan."""
        return self.made.artifacts

    @property
    def failures(self) -> Mapping[str, EdgekitError]:
        """Artifact label → why it was not made."""
        return self.made.failures

    def to_json(self) -> dict[str, Any]:
        return {
            **self.made.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "rewrites": [rewrite.to_json() for rewrite in self.rewrites],
            "timing": [pace.to_json() for pace in self.timing],
            "mixed": {label: found.to_json() for label, found in self.rescued.items()},
        }


def plan_export(request: ExportRequest) -> tuple[ExportOrder, Plan]:
    """Decide everything that can be decided without TensorFlow.

    Returns:
        The order, whose plan holds all steps.

    Raises:
        UsageError: Unknown model, target, precision or parameter; options that exclude each other.
        ModelError: A model that is missing, damaged or holds code.
        DataError: Data that cannot be used, or int8 without data.
    """
    source = resolve_model(
        request.model, parameters=request.parameters, trusted=request.trust_model
    )
    if request.name is not None:
        source = replace(source, name=_checked_name(request.name))
    exporters = exporters_named(request.targets)
    plan = make_plan(
        exporters, request.precisions, request.io, condition=request.condition, fix=request.fix
    )
    dataset, weights, classes = _data_and_weights(request, source)
    source = _with_tokenizer(source, weights)
    if dataset is None and any(step.needs_calibration for step in plan.steps):
        raise DataError(
            f"int8 of {source.name} needs data: its ranges come from calibration samples, and its "
            "loss is measured on labelled ones",
            hint="--data PATH (a folder with one subfolder of images per class, or an .npz)",
        )
    gate = source.spec.gate if source.spec else Gate()
    if request.max_drop is not None:
        gate = replace(gate, max_drop=request.max_drop, origin="--max-drop")
    usual = source.spec.calibration_samples if source.spec else _DEFAULT_CALIBRATION
    order = ExportOrder(
        source=source,
        plan=plan,
        keys={},
        out=request.out / source.name,
        weights=weights,
        dataset=dataset,
        classes=classes,
        calibration_samples=_first(request.calibration_samples, usual),
        evaluation_samples=_first(request.evaluation_samples, gate.samples),
        metric=source.spec.metric if source.spec else "top1",
        activation=source.spec.activation if source.spec else "",
        gate=gate,
        input_shape=request.input_shape,
        input_range=request.input_range,
        ranges=request.ranges,
        budget_s=None if request.allow_drop else request.budget_s,
        allow_drop=request.allow_drop,
        metadata=request.metadata,
    )
    ingredients = _ingredients(order)
    keys = {step.label: artifact_key(step, ingredients) for step in plan.wanted}
    return replace(order, keys=keys), plan


def export(request: ExportRequest, *, report: Report = silent) -> ExportResult:
    """Make every artifact asked for, or find it made already.

    Raises:
        EdgekitError: As `plan_export`; or the model or the data cannot be used at all. What fails
            for one artifact only is in the result's `failures`.
    """
    order, plan = plan_export(request)
    with no_empty_folder(order.out):
        made = make(order, report, force=request.force)
    if made.outcomes is None:
        return ExportResult(made)
    results, errors = made.outcomes.results, made.outcomes.errors
    if LINT in errors:  # it advises; an export does not fail for want of advice
        report(Progress("linter", 1, 1, f"failed: {errors[LINT].message}"))
    starts = (results.get(f"convert:{start.label}") for start in plan.starts)
    labels = [artifact.label for artifact in made.artifacts]
    return ExportResult(
        made,
        findings=results.get(LINT, ()),
        rewrites=tuple(entry for start in starts if start for entry in start.applied),
        timing=time_against_float(made.artifacts, report) if request.timing else (),
        rescued={n: results[f"mixed:{n}"] for n in labels if f"mixed:{n}" in results},
    )


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"--name {name!r}: letters, digits, '_', '-' and '.' make a name")
    return name


def _data_and_weights(
    request: ExportRequest, source: ModelSource
) -> tuple[Dataset | None, Path | None, tuple[str, ...]]:
    """The data set to measure on, the checkpoint to load, and the class names."""
    if request.dataset is not None and source.spec is None:
        raise UsageError("--dataset fits reference models and model folders; use --data PATH")
    own = open_dataset(request.data) if request.data is not None else None
    if request.weights is not None and not request.weights.is_file():
        raise ModelError(
            f"{request.weights}: no such weights file",
            hint="edgekit train prints where it leaves its weights",
        )
    if source.spec is None:
        return own, request.weights, own.classes if own else ()
    if request.weights is not None:
        trained_on = own or open_dataset(request.dataset or _default_dataset(source))
        return trained_on, request.weights, trained_on.classes
    name = request.dataset or _default_dataset(source)
    trained_on = open_dataset(name)
    weights = source.weights_for(trained_on.name)
    if own is not None and own.classes and own.classes != trained_on.classes:
        raise DataError(
            f"{source.name}'s weights know the {len(trained_on.classes)} classes of "
            f"{trained_on.name}; {request.data} has {len(own.classes)} others",
            hint=f"edgekit train {source.name} --data {request.data}, then --weights",
        )
    return own or trained_on, weights, trained_on.classes


def _with_tokenizer(source: ModelSource, weights: Path | None) -> ModelSource:
    """A text model with the tokenizer that lies beside its weights, put into the cache."""
    if not source.needs_tokenizer or weights is None:
        return source
    place = tokenizer_beside(weights)
    if not place.is_file():
        raise ModelError(
            f"{weights}: the tokenizer that was trained with these weights is not beside them",
            f"expected {place.name}",
            hint="copy it there from the run folder of the training",
        )
    return source.with_tokenizer(keep(place))


def _default_dataset(source: ModelSource) -> str:
    assert source.spec is not None
    if not source.spec.datasets:
        raise DataError(
            f"{source.name} names no data set in its model.toml",
            hint=f"edgekit train {source.name} --dataset NAME, then --dataset or --data with the "
            "--weights it made",
        )
    return source.spec.datasets[0]


def _ingredients(order: ExportOrder) -> dict[str, Any]:
    package = Path(edgekit.__file__).parent
    data = None
    if order.dataset is not None:
        data = {
            "fingerprint": order.dataset.fingerprint(),
            "evaluation": order.evaluation_samples,
            "metric": order.metric,
        }
    return {
        # The code that decides bytes and figures: a change of it makes old artifacts old.
        "edgekit": [
            edgekit.__version__,
            sha256_tree(package / "exporters"),
            *(sha256_file(package / f"{name}.py") for name in ("loading", "proof", "golden")),
        ],
        "model": order.source.digest(),
        "name": order.source.name,
        "metadata": sha256_file(package / "datasets" / "recipe.py") if order.metadata else None,
        "weights": sha256_file(order.weights) if order.weights else None,
        "classes": list(order.classes),
        "data": data,
        "calibration": order.calibration_samples,
        "ranges": [order.ranges, sha256_tree(package / "ranges")],
        "conditioning": sha256_tree(package / "quantization" / "condition"),
        "mixing": sha256_tree(package / "quantization" / "mixed"),
        "rewriting": sha256_tree(package / "quantization" / "rewrite"),
        "input_shape": order.input_shape,
        "input_range": order.input_range,
    }


def _first(value: int | None, default: int) -> int:
    return default if value is None else value
